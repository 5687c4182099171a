/** Taste that a linter cannot see: each file says what it is for, names are ours, nothing is left for later without a number. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const LINES_MAX = 300;
const TEST_LINES_MAX = 500;
const BANNED_NAMES = /^(utils?|helpers?|types|common|misc|index|constants)[.](test[.])?[cm]?[jt]s$/;
const GENERATED = /^proto\/generated\//;

const files = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' })
  .split('\0')
  .filter((path) => path !== '' && existsSync(path));
const sources = files.filter((path) => /[.][cm]?[jt]s$/.test(path) && !GENERATED.test(path));

/** The files that break a rule, so that a failure names them all at once. */
function breaking(rule: (text: string, path: string) => boolean, among = sources): string[] {
  return among.filter((path) => rule(readFileSync(path, 'utf8'), path));
}

/** A comment of at least four words on the first line, after a shebang. */
function hasHead(text: string): boolean {
  const [first = '', second = ''] = text.split('\n');
  const head = first.startsWith('#!') ? second : first;
  return /^(\/\/|\/\*\*?) ?(\S+ ){3,}\S+/.test(head) || /^\/\*\*$/.test(head);
}

describe('the house is tidy', () => {
  it('sees the sources', () => {
    expect(sources).toContain('test/tidy.test.ts');
    expect(sources.length).toBeGreaterThan(20);
  });

  it('says on top of each file what it is for, where the sentences of its tests do not', () => {
    const headless = breaking((text, path) => !path.endsWith('.test.ts') && !hasHead(text));
    expect(headless).toEqual([]);
  });

  it(`keeps files within ${LINES_MAX} lines, tests within ${TEST_LINES_MAX}`, () => {
    const tooLong = breaking((text, path) => {
      const max = /(^test\/|[.]test[.]ts$)/.test(path) ? TEST_LINES_MAX : LINES_MAX;
      return text.trimEnd().split('\n').length > max;
    });
    expect(tooLong).toEqual([]);
  });

  it('names files after what they export, in kebab-case, and has no drawers for odds and ends', () => {
    const kebab = /^[.]?[a-z0-9]+(-[a-z0-9]+)*([.][a-z]+)*[.][cm]?[jt]s$/;
    const odd = sources.filter((path) => !kebab.test(basename(path)));
    const drawers = sources.filter((path) => BANNED_NAMES.test(basename(path)));
    expect([...odd, ...drawers]).toEqual([]);
  });

  it('leaves no TODO, FIXME or XXX without the number of its issue', () => {
    const open = /\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))/;
    expect(breaking((text, path) => path !== 'test/tidy.test.ts' && open.test(text))).toEqual([]);
  });

  it('gives a reason with every rule that it switches off', () => {
    const silent = /eslint-disable(?!.* -- \S+ \S+)|@ts-(ignore|nocheck)|prettier-ignore/;
    expect(breaking((text, path) => path !== 'test/tidy.test.ts' && silent.test(text))).toEqual([]);
  });

  it('pins every package to one version', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<
      'dependencies' | 'devDependencies',
      Record<string, string>
    >;
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter(([, version]) => !/^\d+[.]\d+[.]\d+$/.test(version))).toEqual([]);
  });

  it('has an entry in the list of decisions for each decision, numbered without gaps', () => {
    const numbers = files
      .filter((path) => path.startsWith('docs/adr/'))
      .map((path) => Number(basename(path).slice(0, 4)));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });

  it('has no link in its documents that leads nowhere', () => {
    const documents = files.filter((path) => path.endsWith('.md'));
    const dead = documents.flatMap((path) =>
      [...readFileSync(path, 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map((link) => link[1] ?? '')
        .filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(dirname(path), link)))
        .map((link) => `${path}: ${link}`),
    );
    expect(dead).toEqual([]);
  });
});
