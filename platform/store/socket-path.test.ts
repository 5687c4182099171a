import { describe, expect, it } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { prepareSocketFolder, socketPathFor } from './socket-path.ts';

describe('the path of the store’s socket', () => {
  it('is in the data folder while that is short enough', () => {
    expect(socketPathFor('/data')).toBe('/data/store.sock');
  });

  it('is the same from wherever it is asked', () => {
    expect(socketPathFor('data')).toBe(join(process.cwd(), 'data', 'store.sock'));
  });

  it('is short, and different for each, when data folders are deep', () => {
    const deep = (name: string): string => `/${'very-deep-folder/'.repeat(20)}${name}`;
    const [first, again, second] = [deep('a'), deep('a'), deep('b')].map((folder) =>
      socketPathFor(folder),
    );
    expect(Buffer.byteLength(first!)).toBeLessThanOrEqual(100);
    expect(first).toBe(again);
    expect(first).not.toBe(second);
  });

  it('gets a folder for this user only, and refuses what is no folder', () => {
    const folder = mkdtempSync(join(tmpdir(), 'agentpool-path-'));
    try {
      const path = join(folder, 'new', 'store.sock');
      prepareSocketFolder(path);
      expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
      mkdirSync(join(folder, 'open'));
      chmodSync(join(folder, 'open'), 0o777);
      prepareSocketFolder(join(folder, 'open', 'store.sock'));
      expect(statSync(join(folder, 'open')).mode & 0o022).toBe(0);
      writeFileSync(join(folder, 'file'), '');
      expect(() => prepareSocketFolder(join(folder, 'file', 'store.sock'))).toThrow();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
