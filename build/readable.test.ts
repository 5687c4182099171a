import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { makeReadable } from './readable.ts';

it('lets everybody read, and run what can be run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'agentpool-readable-'));
  const outside = mkdtempSync(join(tmpdir(), 'agentpool-outside-'));
  try {
    const path = (name: string): string => join(folder, name);
    mkdirSync(path('cli/chunks'), { recursive: true });
    for (const name of ['cli/a.js', 'cli/chunks/b.js', 'program']) writeFileSync(path(name), '');
    symlinkSync(outside, path('link'));
    // As they are with the umask 077; and too much for others.
    for (const name of ['', 'cli', 'cli/chunks', 'program']) chmodSync(path(name), 0o700);
    chmodSync(path('cli/a.js'), 0o600);
    chmodSync(path('cli/chunks/b.js'), 0o666);
    await makeReadable(folder);
    const modeOf = (name: string): string => (statSync(name).mode & 0o777).toString(8);
    expect(
      ['', 'cli', 'cli/chunks', 'program', 'cli/a.js', 'cli/chunks/b.js'].map((name) =>
        modeOf(path(name)),
      ),
    ).toEqual(['755', '755', '755', '755', '644', '644']);
    expect(modeOf(outside)).toBe('700');
  } finally {
    for (const one of [folder, outside]) rmSync(one, { recursive: true });
  }
});
