import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { CONDITION_REASONS, EVENT_REASONS } from '../api/reasons.ts';
import { ERROR_TABLE } from '../core/errors.ts';
import { REASON_URI } from '../gateway/edges/http/wire/problem.ts';
import { staleDocs } from './generate.ts';
import { metricNames } from './generator/metrics-reference.ts';

const page = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const pages = readdirSync(new URL('reasons', import.meta.url))
  .filter((file) => file !== 'README.md')
  .map((file) => file.replace(/[.]md$/, ''));
const lower = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase());

it('what is made of the sources is up to date', () => {
  expect(staleDocs()).toEqual([]);
});

describe('the pages of reasons', () => {
  const reasons = [ERROR_TABLE, CONDITION_REASONS, EVENT_REASONS].flatMap((of) => Object.keys(of));

  it('are there for each reason, and for nothing else', () => {
    expect(lower(pages).sort()).toEqual([...new Set(lower(reasons))].sort());
  });

  it.each(Object.keys(ERROR_TABLE))(
    '%s says under its own address why and what to do',
    (reason) => {
      expect(REASON_URI).toBe('https://agentpool.dev/reasons/');
      const byHand = page(`reasons/${reason}.md`).split('written by hand. -->')[1] ?? '';
      expect(byHand).toMatch(/\*\*Why\.\*\* .{20}[^]*\*\*What to do\.\*\* .{10}/);
    },
  );
});

it('every metric that is registered is in the reference', () => {
  const text = page('reference/metrics.md');
  expect(metricNames().filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  expect(metricNames().length).toBeGreaterThan(15);
});

/** GitHub's anchors of a page's headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

it('links to a place within a page lead to a heading', () => {
  const files = ['.', 'reasons', 'reference', 'adr'].flatMap((folder) =>
    readdirSync(new URL(folder, import.meta.url))
      .filter((file) => file.endsWith('.md'))
      .map((file) => `${folder}/${file}`),
  );
  const dead = files.flatMap((file) =>
    [...page(file).matchAll(/\]\(([^)#\s:]*)#([\w-]+)\)/g)]
      .filter(([, path = '', anchor = '']) => {
        const target = path === '' ? file : new URL(path, new URL(file, import.meta.url)).href;
        return !anchorsOf(page(target)).includes(anchor);
      })
      .map(([link]) => `${file}: ${link}`),
  );
  expect(dead).toEqual([]);
  expect(files.length).toBeGreaterThan(60);
});

describe('commands in the documents', () => {
  const documents = [
    'operate',
    'runbook',
    'guarantees',
    'clients',
    'install',
    'agents',
    'concepts',
  ];
  const known = new Set(
    [...page('reference/cli.md').matchAll(/^## agentpool ([a-z]+)/gm)].map(([, name]) => name),
  );

  it.each(documents)('%s names only commands that there are', (document) => {
    const named = [
      ...page(`${document}.md`).matchAll(/\bagentpool(?:[.]js)? ([a-z]+)\b(?=[^\n]*`|[^\n]*$)/gm),
    ]
      .filter(([text]) => !/agentpool (is|in|and)\b/.test(text))
      .map(([, name]) => name);
    expect(named.filter((name) => !known.has(name ?? ''))).toEqual([]);
  });
});
