/** Manifest files on a real disk: read, followed, and not believed when they are wrong. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import type { PoolSource } from '../pool/wanted-pool.ts';
import { ManifestError } from './manifest-error.ts';
import { openManifestFiles } from './manifest-files.ts';
import type { ModuleBundle } from './module-loader.ts';

const PATIENCE_MS = 10_000;

describe('pools from manifest files', () => {
  let folder: string;
  let file: string;
  let source: PoolSource | undefined;
  let changed: string[];
  let problems: (readonly string[])[];
  let asked: string[];
  let bundle: () => ModuleBundle;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'apm-'));
    file = join(folder, 'pool.yaml');
    changed = [];
    problems = [];
    asked = [];
    writeFileSync(join(folder, 'agents.ts'), 'export default {}');
    bundle = () => ({
      digest: 'one',
      file: '/bundles/one.mjs',
      inputs: [join(folder, 'agents.ts')],
    });
  });
  afterEach(async () => {
    await source?.close();
    source = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  const pool = (name: string, spec = '{}'): string =>
    `apiVersion: agentpool.dev/v1alpha1\nkind: AgentPool\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
  const open = async (
    over: Partial<Parameters<typeof openManifestFiles>[0]> = {},
  ): Promise<PoolSource> => {
    source = await openManifestFiles({
      files: [file],
      defaults: {},
      bundle: async (module, from) => {
        asked.push(`${module} in ${from}`);
        return bundle();
      },
      watchModules: false,
      known: new Map(),
      onProblems: (lines) => problems.push(lines),
      clock: systemClock,
      log: silentLog,
      ...over,
    });
    source.watch((key = '') => changed.push(key));
    return source;
  };
  const until = async (holds: () => boolean): Promise<void> => {
    const deadlineMs = systemClock.nowMs() + PATIENCE_MS;
    while (!holds()) {
      if (systemClock.nowMs() > deadlineMs) throw new Error('it did not come about');
      await systemClock.sleep(10);
    }
  };

  it('are read at the start, their module relative to the file', async () => {
    writeFileSync(file, `${pool('a', '{replicas: 2}')}---\n${pool('b')}`);
    const opened = await open({ defaults: { maxInstances: 7 } });
    expect(opened.list()).toEqual(['default~a', 'default~b']);
    expect(opened.get('default~a')).toMatchObject({
      ref: { namespace: 'default', name: 'a' },
      generation: 1,
      spec: { replicas: 2, maxInstances: 7 },
      module: { at: 'loaded', artifact: { digest: 'one', path: '/bundles/one.mjs' } },
    });
    expect(asked).toEqual([`./agents.ts in ${folder}`, `./agents.ts in ${folder}`]);
  });

  it.each([
    ['a wrong field', () => pool('a', '{replica: 2}'), /pool\.yaml:4: spec\.replica: .*replicas/],
    ['no YAML', () => 'a: [', /pool\.yaml:\d+: not valid YAML/],
    ['the same pool twice', () => `${pool('a')}---\n${pool('a')}`, /already/],
  ])('that are wrong from the start are refused: %s', async (_title, text, message) => {
    writeFileSync(file, text());
    await expect(open()).rejects.toThrow(ManifestError);
    await expect(open()).rejects.toThrow(message);
  });

  it('have the module of a ConfigMap beside them, or are told that there is none', async () => {
    const from = '{runtime: {moduleFrom: {configMapRef: {name: code, key: a.ts}}}}';
    const configMap = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: code}\ndata: {a.ts: the text}\n`;
    writeFileSync(file, `${pool('a', from)}---\n${configMap}`);
    const texts: unknown[] = [];
    const opened = await open({
      bundle: async (module, _folder, text) => {
        texts.push([module, text]);
        return bundle();
      },
    });
    expect(texts).toEqual([['a.ts', 'the text']]);
    writeFileSync(file, pool('a', from));
    await until(() => opened.get('default~a')?.module.at === 'broken');
    expect(opened.get('default~a')?.module).toMatchObject({
      message: expect.stringContaining('no manifest file holds the ConfigMap code'),
    });
  });

  it('that are not there are refused', async () => {
    await expect(open()).rejects.toThrow(/pool\.yaml:1: cannot be read/);
  });

  it('count on the generation of an earlier run', async () => {
    writeFileSync(file, pool('a'));
    const first = await open();
    const spec = first.get('default~a')?.spec;
    await first.close();
    const same = await open({ known: new Map([['default~a', { generation: 4, spec }]]) });
    expect(same.get('default~a')?.generation).toBe(4);
    await same.close();
    writeFileSync(file, pool('a', '{replicas: 3}'));
    const other = await open({ known: new Map([['default~a', { generation: 4, spec }]]) });
    expect(other.get('default~a')?.generation).toBe(5);
  });

  it('follow an edit, only the changed pool is told of', async () => {
    writeFileSync(file, `${pool('a')}---\n${pool('b')}`);
    const opened = await open();
    writeFileSync(file, `${pool('a')}---\n${pool('b', '{replicas: 3}')}`);
    await until(() => changed.length > 0);
    expect(changed).toEqual(['default~b']);
    expect(opened.get('default~b')).toMatchObject({ generation: 2, spec: { replicas: 3 } });
  });

  it('follow a file that is replaced by another one', async () => {
    writeFileSync(file, pool('a'));
    const opened = await open();
    writeFileSync(`${file}.tmp`, pool('a', '{replicas: 5}'));
    renameSync(`${file}.tmp`, file);
    await until(() => changed.length > 0);
    expect(opened.get('default~a')?.spec.replicas).toBe(5);
  });

  it('go when they leave the file, and come back', async () => {
    writeFileSync(file, `${pool('a')}---\n${pool('b')}`);
    const opened = await open();
    writeFileSync(file, pool('a'));
    await until(() => changed.includes('default~b'));
    expect(opened.list()).toEqual(['default~a']);
    expect(opened.get('default~b')).toBeUndefined();
    changed.length = 0;
    writeFileSync(file, `${pool('a')}---\n${pool('b')}`);
    await until(() => changed.includes('default~b'));
  });

  it('stay as they were while the file is wrong, and the problem is told once', async () => {
    writeFileSync(file, pool('a', '{replicas: 2}'));
    const opened = await open();
    writeFileSync(file, pool('a', '{replicas: many}'));
    await until(() => problems.length === 1);
    expect(problems[0]?.[0]).toMatch(/pool\.yaml:4: spec\.replicas: /);
    expect(opened.get('default~a')).toMatchObject({
      generation: 1,
      spec: { replicas: 2 },
      problems: problems[0],
    });
    expect(changed).toEqual(['default~a']);
    writeFileSync(file, pool('a', '{replicas: 4}'));
    await until(() => changed.length > 1);
    expect(opened.get('default~a')?.problems).toBeUndefined();
    expect(problems).toHaveLength(2);
    expect(problems[1]).toEqual([]);
  });

  it('stay as they were while the file asks for what needs a restart', async () => {
    writeFileSync(file, pool('a'));
    const opened = await open({
      check: (pools) =>
        pools.some(({ pool: { spec } }) => spec.checkpoint.storage === 'memory') ? ['restart'] : [],
    });
    writeFileSync(file, pool('a', '{replicas: 3, checkpoint: {storage: memory}}'));
    await until(() => problems.length === 1);
    expect(problems).toEqual([['restart']]);
    expect(opened.get('default~a')).toMatchObject({ spec: { replicas: 1 }, problems: ['restart'] });
  });

  it('let old bundles go, but for those that are needed and their own', async () => {
    writeFileSync(file, pool('a'));
    const kept: string[][] = [];
    const opened = await open({ forgetModules: async (needed) => void kept.push([...needed]) });
    for (const path of ['/bundles/zero.mjs', '/bundles/zero.mjs', '/bundles/one.mjs'])
      opened.keep?.(new Set([path]));
    await until(() => kept.length === 2);
    expect(kept).toEqual([['/bundles/zero.mjs', '/bundles/one.mjs'], ['/bundles/one.mjs']]);
  });

  it('say that a module is broken, and keep what it was', async () => {
    writeFileSync(file, pool('a'));
    const opened = await open({ watchModules: true });
    bundle = () => {
      throw new Error('agents.ts:1:5: unexpected "}"');
    };
    writeFileSync(join(folder, 'agents.ts'), '}');
    await until(() => changed.length > 0);
    expect(opened.get('default~a')?.module).toEqual({
      at: 'broken',
      message: 'agents.ts:1:5: unexpected "}"',
      last: { digest: 'one', path: '/bundles/one.mjs' },
    });
    changed.length = 0;
    bundle = () => ({
      digest: 'two',
      file: '/bundles/two.mjs',
      inputs: [join(folder, 'agents.ts')],
    });
    writeFileSync(join(folder, 'agents.ts'), 'export default []');
    await until(() => changed.length > 0);
    expect(opened.get('default~a')?.module).toEqual({
      at: 'loaded',
      artifact: { digest: 'two', path: '/bundles/two.mjs' },
    });
    expect(opened.get('default~a')?.generation).toBe(1);
  });

  it('follow what a module imports, in another folder, and not its packages', async () => {
    const other = join(folder, 'lib');
    mkdirSync(join(other, 'node_modules'), { recursive: true });
    writeFileSync(join(other, 'tool.ts'), '1');
    writeFileSync(join(other, 'node_modules', 'p.js'), '1');
    bundle = () => ({
      digest: 'one',
      file: '/bundles/one.mjs',
      inputs: [join(other, 'tool.ts'), join(other, 'node_modules', 'p.js')],
    });
    writeFileSync(file, pool('a'));
    const opened = await open({ watchModules: true });
    bundle = () => ({ digest: 'two', file: '/bundles/two.mjs', inputs: [join(other, 'tool.ts')] });
    writeFileSync(join(other, 'tool.ts'), '2');
    await until(() => changed.length > 0);
    expect(opened.get('default~a')?.module).toMatchObject({ artifact: { digest: 'two' } });
  });

  it('can be made up without a file', async () => {
    writeFileSync(file, pool('a'));
    const first = await open();
    const spec = first.get('default~a')?.spec;
    await first.close();
    if (spec === undefined) throw new Error('no spec');
    const made = {
      apiVersion: 'agentpool.dev/v1alpha1',
      kind: 'AgentPool',
      metadata: { name: 'dev', namespace: 'default', labels: {}, annotations: {} },
      spec,
    } as const;
    const opened = await open({ files: [], made: [{ pool: made, folder }] });
    expect(opened.list()).toEqual(['default~dev']);
  });
});
