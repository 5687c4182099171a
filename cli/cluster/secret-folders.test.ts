/** Who a process is inside, while the folder with it changes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type Log, silentLog } from '../../platform/log.ts';
import {
  issueFor,
  makeAuthority,
  tlsFiles,
  writeSecret,
} from '../../test/builders/certificates.ts';
import { openLink, runtimesOver } from './secret-folders.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'link-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('the key of the installation stays that of the start, which is said; certificates follow', async () => {
  const authority = makeAuthority();
  const write = async (key: string): Promise<string> => {
    const pair = await issueFor(authority, 'gateway.agentpool.dev');
    writeSecret(folder, { ...tlsFiles(pair, authority), key });
    return pair.certificate;
  };
  const before = await write('a'.repeat(32));
  const told: string[] = [];
  const log: Log = { ...silentLog, error: (message) => told.push(message) };
  const link = await openLink(folder, log);
  try {
    const accessOf = runtimesOver(link);
    const { key } = accessOf('default~main');
    expect(link.current.certificate).toBe(before.trim());
    const changed = new Promise<void>((resolve) => link.onChange(resolve));
    const after = await write('b'.repeat(32));
    await changed;
    expect(link.current.certificate).toBe(after.trim());
    expect(accessOf('default~main').key).toBe(key);
    expect(told).toEqual([expect.stringContaining('restart operators and gateways')]);
  } finally {
    link.close();
  }
});
