/** As whom the runtimes of a pool are in the store: never as the installation, where each pool has a user of its own. */
import { describe, expect, it } from '@jest/globals';
import { silentLog as log } from '../../platform/log.ts';
import { type PoolUsers, PoolUsersRefused } from '../../platform/store/redis/pool-users.ts';
import { redisPlaceOf } from '../../platform/store/redis/redis-secret.ts';
import type { PoolRecord } from '../../platform/store/store.ts';
import type { LinkSecret } from './secret-folders.ts';
import { ensureUsersOf, storeFilesFor, storeUsers } from './store-users.ts';

const POOL = 'default~main';
const FILES = {
  ...{ url: 'redis://redis:6379/1', username: 'installation', password: 'hunter2' },
  ...{ 'ca.crt': 'authority', 'key-prefix': 'shop', 'min-replicas': '1' },
};

const usersOf = (
  files: Readonly<Record<string, string>> = FILES,
  installationKey = 'k'.repeat(32),
): PoolUsers => {
  const link: LinkSecret = { installationKey, certificate: '', key: '', ca: '' };
  return storeUsers({ link: { current: link }, store: { current: files }, log });
};

describe('what runtimes are told of the store', () => {
  it("is what the folder says, but for the pool's own user", async () => {
    const files = await storeFilesFor(POOL, FILES, usersOf());
    expect(files).toEqual({
      ...FILES,
      username: 'shop:default~main',
      password: expect.stringMatching(/^[\w-]{43}$/),
    });
  });

  it('has no credentials of the URL either', async () => {
    const url = 'rediss://installation:hunter2@redis:6380/1';
    const files = await storeFilesFor(POOL, { url }, usersOf({ url }));
    expect(JSON.stringify(files)).not.toMatch(/hunter2|installation/);
    const { access } = redisPlaceOf((name) => files[name]);
    expect(access).toMatchObject({
      url: 'rediss://redis:6380/1',
      username: 'agentpool:default~main',
    });
  });

  it('is the same after a restart, and another for each pool and each key', async () => {
    const passwords = await Promise.all(
      [
        [POOL, usersOf()],
        [POOL, usersOf()],
        ['default~other', usersOf()],
        [POOL, usersOf(FILES, 'l'.repeat(32))],
      ].map(async ([pool, users]) => {
        const files = await storeFilesFor(pool as string, FILES, users as PoolUsers);
        return files['password'];
      }),
    );
    expect(passwords[0]).toBe(passwords[1]);
    expect(new Set(passwords).size).toBe(3);
  });

  it("is the installation's own where pools have no users", async () => {
    expect(await storeFilesFor(POOL, FILES, undefined)).toBe(FILES);
  });

  it('is nothing where Redis refuses, and that hinders the pool', async () => {
    const users = {
      ensure: async () => Promise.reject(new PoolUsersRefused(new Error('NOPERM'))),
      of: () => ({ username: '', password: '' }),
    };
    await expect(storeFilesFor(POOL, FILES, users)).rejects.toMatchObject({
      name: 'Hindered',
      reason: 'RedisUsersRefused',
      message: expect.stringContaining('NOPERM'),
    });
  });
});

describe('users that an operator before has made', () => {
  const record = (key: string, installation: string): PoolRecord => ({
    ...{ key, installation, generation: 1, spec: {}, status: {}, revision: 'r' },
  });

  it('are made at once, but for those of other installations', async () => {
    const asked: (readonly string[])[] = [];
    const users = { ensure: async (pools: readonly string[]) => void asked.push(pools) };
    await ensureUsersOf([record('a~1', 'ours'), record('b~1', 'others')], 'ours', users);
    expect(asked).toEqual([['a~1']]);
  });

  it('are no reason not to begin where Redis refuses them', async () => {
    const users = { ensure: async () => Promise.reject(new PoolUsersRefused(new Error('NOPERM'))) };
    await ensureUsersOf([record('a~1', 'ours')], 'ours', users);
  });
});
