import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { until } from '../../test/e2e/until.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { bundleRuntime, keepBundles, type RuntimeBundles } from './bundle-runtime.ts';

let base = '';
let root = '';
let tests = 0;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'agentpool-runtime-'));
});
beforeEach(async () => {
  root = join(base, String(++tests));
  await mkdir(root, { recursive: true });
});
afterAll(() => rm(base, { recursive: true, force: true }));

async function bundleOf(text: string, minify = false): Promise<RuntimeBundles> {
  await writeFile(
    join(root, 'one.ts'),
    `import { shared } from './shared.ts'; export default shared + 1;`,
  );
  await writeFile(
    join(root, 'two.ts'),
    `import { shared } from './shared.ts'; import os from 'os'; export default [shared, typeof os.cpus];`,
  );
  if (text !== '') await writeFile(join(root, 'shared.ts'), text);
  return bundle(minify);
}
const bundle = (minify = false): Promise<RuntimeBundles> =>
  bundleRuntime({
    root,
    entries: { first: 'one.ts', second: 'two.ts' },
    minify,
    cacheFolder: join(root, 'cache'),
  });
const load = async (path: string | undefined): Promise<unknown> =>
  ((await import(path ?? '')) as { default: unknown }).default;

describe('bundles of our own files', () => {
  it('are made once, and used again as long as nothing has changed', async () => {
    const made = await bundleOf('export const shared = 41;');
    expect([await load(made['first']), await load(made['second'])]).toEqual([42, [41, 'function']]);
    expect(await bundle()).toEqual(made);
    expect(await readdir(join(root, 'cache'))).toHaveLength(1);
  });

  it('are made again when an input has changed, or is wanted otherwise', async () => {
    const made = await bundleOf('export const shared = 1;');
    const changed = await bundleOf('export const shared = 100;');
    const minified = await bundleOf('', true);
    expect(new Set([made['first'], changed['first'], minified['first']]).size).toBe(3);
    expect(await load(changed['first'])).toBe(101);
  });

  it('stay while a running server may import them, whatever is built after', async () => {
    const made = await bundleOf('export const shared = 1;');
    for (let version = 0; version < 3; version += 1) {
      await bundleOf(`export const shared = ${'2'.repeat(version + 1)};`);
    }
    expect(await load(made['first'])).toBe(2);
    expect(await readdir(join(root, 'cache'))).toHaveLength(4);
  });

  it('do not pile up: what nobody asked for in 30 days goes with the next build', async () => {
    const old = await bundleOf('export const shared = 1;');
    const recent = await bundleOf('export const shared = 22;');
    const age = (bundles: RuntimeBundles, days: number) => {
      const then = new Date(Date.now() - days * 86_400_000);
      return utimes(join(dirname(bundles['first'] ?? ''), 'used'), then, then);
    };
    await age(old, 31);
    await age(recent, 29);
    const made = await bundleOf('export const shared = 333;');
    const kept = [recent, made].map((bundles) => basename(dirname(bundles['first'] ?? '')));
    expect((await readdir(join(root, 'cache'))).sort()).toEqual(kept.sort());
  });

  it('count as used when they are used again', async () => {
    const made = await bundleOf('export const shared = 1;');
    const marker = join(dirname(made['first'] ?? ''), 'used');
    await utimes(marker, new Date(0), new Date(0));
    await bundle();
    expect((await stat(marker)).mtimeMs).toBeGreaterThan(0);
  });

  it('of a server that runs for months stay', async () => {
    const made = await bundleOf('export const shared = 1;');
    const marker = join(dirname(made['first'] ?? ''), 'used');
    const clock = new FakeClock();
    const end = keepBundles(Object.values(made), clock);
    for (let day = 1; day <= 2; day += 1) {
      await utimes(marker, new Date(0), new Date(0));
      await clock.advance(86_400_000);
      await expect(
        until('it is marked', async () => (await stat(marker)).mtimeMs > 0),
      ).resolves.toBe(true);
    }
    end();
    await utimes(marker, new Date(0), new Date(0));
    await clock.advance(86_400_000);
    expect((await stat(marker)).mtimeMs).toBe(0);
  });

  it('made by two at once are the same', async () => {
    await bundleOf('export const shared = 7;');
    await rm(join(root, 'cache'), { recursive: true });
    const [one, other] = await Promise.all([bundle(), bundle()]);
    expect(one).toEqual(other);
    expect(await load(one['first'])).toBe(8);
    expect(await readdir(join(root, 'cache'))).toHaveLength(1);
  });
});
