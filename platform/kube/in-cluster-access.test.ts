import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { InClusterAccess } from './in-cluster-access.ts';

describe('the credentials of a pod', () => {
  let folder: string;
  let clock: FakeClock;
  let access: InClusterAccess;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'agentpool-account-'));
    clock = new FakeClock();
    access = new InClusterAccess(
      { type: 'in-cluster', server: 'https://10.96.0.1:443', folder },
      clock,
    );
    write('first');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  const write = (token: string): void => {
    writeFileSync(join(folder, 'token'), `${token}\n`);
    writeFileSync(join(folder, 'ca.crt'), 'authority');
  };
  const token = async () => (await access.credentials()).headers['authorization'];

  it('are read anew each minute, as the kubelet renews the token', async () => {
    expect(await access.credentials()).toEqual({
      headers: { authorization: 'Bearer first' },
      tls: { ca: 'authority' },
    });
    write('second');
    await clock.advance(59_000);
    expect(await token()).toBe('Bearer first');
    await clock.advance(1_000);
    expect(await token()).toBe('Bearer second');
  });

  it('are read anew at once when the API server refuses them', async () => {
    await token();
    write('second');
    access.refresh();
    expect(await token()).toBe('Bearer second');
  });

  it('that cannot be read are asked for again the next time', async () => {
    rmSync(join(folder, 'token'));
    await expect(token()).rejects.toThrow('ENOENT');
    write('there');
    expect(await token()).toBe('Bearer there');
  });
});
