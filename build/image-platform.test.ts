/** For which nodes images are made. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { packageOf } from './copy-bundler.ts';
import { cpuOf, imagePlatform } from './image-platform.ts';

describe('the platform of images', () => {
  it.each([
    ['is what is asked for, whatever this machine is', 'linux/arm64', 'x64', 'linux/arm64'],
    ['is Linux on what this machine is', undefined, 'arm64', 'linux/arm64'],
    ['is that of most servers on one', undefined, 'x64', 'linux/amd64'],
  ])('%s', (_name, asked, host, platform) => {
    expect(imagePlatform(asked, host)).toBe(platform);
  });

  it.each([
    ['darwin/arm64', 'arm64', /must be linux\/amd64 or linux\/arm64 .* but is darwin\/arm64/],
    ['linux/amd64,linux/arm64', 'x64', /one at a time/],
    [undefined, 'riscv64', /cannot be made for riscv64.*--platform linux\/amd64 or linux\/arm64/],
  ])('%s on %s is refused', (asked, host, message) => {
    expect(() => imagePlatform(asked, host)).toThrow(message);
  });
});

describe('the bundler for nodes of another kind than this machine', () => {
  it.each(['linux/amd64', 'linux/arm64'] as const)(
    '%s: comes at the version and with the checksum of our lock',
    async (platform) => {
      const lock = await readFile(new URL('../package-lock.json', import.meta.url), 'utf8');
      const program = `@esbuild/linux-${cpuOf(platform)}`;
      const made = packageOf(program, JSON.parse(lock) as Parameters<typeof packageOf>[1]);
      const { esbuild } = (JSON.parse(lock) as { packages: { '': { dependencies: Versions } } })
        .packages[''].dependencies;
      expect(made['package.json'].dependencies).toEqual({ [program]: esbuild });
      const locked = made['package-lock.json'].packages[`node_modules/${program}`];
      expect(locked).toMatchObject({
        version: esbuild,
        integrity: expect.stringMatching(/^sha512-/),
      });
      expect(locked).not.toHaveProperty('optional');
    },
  );

  it('is not taken without a checksum', () => {
    expect(() => packageOf('@esbuild/linux-x64', { packages: {} })).toThrow('no checksum');
  });
});

type Versions = Readonly<Record<string, string>>;
