import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { forgetModules } from './forget-modules.ts';

const WALL_MS = 1_800_000_000_000;

describe('bundles of agent modules', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'apm-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const write = (name: string, ageSeconds: number): void => {
    const seconds = WALL_MS / 1_000 - ageSeconds;
    writeFileSync(join(folder, name), '');
    utimesSync(join(folder, name), seconds, seconds);
  };

  it('that are needed stay, with their maps, and so do fresh ones; all others go', async () => {
    for (const name of ['agents-a.mjs', 'agents-a.mjs.map', 'agents-b.mjs', 'agents-b.mjs.map'])
      write(name, 3_600);
    write('agents-c.mjs', 10);
    write('agents-d.mjs.17-1.tmp', 3_600);
    await forgetModules(folder, new Set([join(folder, 'agents-b.mjs')]), WALL_MS);
    expect(readdirSync(folder).sort()).toEqual([
      'agents-b.mjs',
      'agents-b.mjs.map',
      'agents-c.mjs',
    ]);
  });

  it('that were never made are nothing to forget', async () => {
    await expect(forgetModules(join(folder, 'none'), new Set(), WALL_MS)).resolves.toBeUndefined();
  });
});
