/** Who may reach Redis and what it takes: the users of docs/redis.md, TLS with certificates of both sides, and that no password gets out. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { systemClock as clock } from '../../platform/clock.ts';
import { silentLog as log } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import type { RedisAccess } from '../../platform/store/redis/redis-options.ts';
import { openRedisStore, RedisStore } from '../../platform/store/redis/redis-store.ts';
import {
  claimed,
  commitOf,
  committed,
  join as joined,
  newKey,
  POOL,
  runtimeRecord,
} from '../conformance/store-builders.ts';
import { describeStore } from '../conformance/store.ts';
import { FakeClock, settle } from '../fakes/fake-clock.ts';
import { countRows } from './redis-rows.ts';
import { freePort, RedisServer } from './redis-server.ts';

const PASSWORD = 'correct-horse';

/** The line under the mark, as an operator would paste it. */
function userOf(mark: string): readonly string[] {
  const page = readFileSync(new URL('../../docs/redis.md', import.meta.url), 'utf8');
  const block = page.slice(page.indexOf(`<!-- ${mark} -->`)).split('```')[1] ?? '';
  return block.trim().replace('PASSWORD', PASSWORD).split(' ');
}

async function createUser(redis: Redis, mark: string): Promise<string> {
  const [command = '', ...args] = userOf(mark);
  await redis.call(command, ...args);
  return args[1] ?? '';
}

const openAs = (access: RedisAccess, pool?: string): Promise<RedisStore> =>
  openRedisStore({ access, clock, random, log, ...(pool === undefined ? {} : { pool }) });

describe('the users of the manual', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());

  describeStore('as the user of the installation', async () => {
    const username = await server.admin(async (redis) => {
      await redis.flushall();
      return createUser(redis, 'user of the installation');
    });
    const time = new FakeClock();
    const store = await openRedisStore({
      access: { url: server.url, username, password: PASSWORD },
      clock: time,
      random,
      log,
      serverTimeMs: () => time.nowMs(),
    });
    const keyCount = (): Promise<number> => server.admin((redis) => countRows(redis));
    return { store, clock: time, keyCount, close: () => store.close() };
  });

  it('let a runtime work with its own pool and nothing else', async () => {
    const username = await server.admin((redis) => createUser(redis, 'user of a pool'));
    const store = await openAs({ url: server.url, username, password: PASSWORD }, POOL);
    try {
      const heard = Promise.withResolvers<undefined>();
      store.subscribe('runtimes', () => heard.resolve(undefined));
      const { incarnation } = await joined(store);
      await heard.promise;
      expect((await store.listRuntimes()).map((record) => record.incarnation)).toContain(
        incarnation,
      );
      expect(await store.listPools()).toEqual([]);
      const { claim } = await claimed(store, newKey(), incarnation);
      const { claim: next } = await claimed(store, claim.key, incarnation);
      await committed(store, next, { forget: ['c1'] });
      expect(await store.setTierOverride(claim.key, { tier: 'HOT', sinceMs: 1 }, 0)).toBe('set');
      expect(await store.readTurns(claim.key, 'c1', { limit: 5 })).toHaveLength(2);
      await store.release(next);
      expect(await store.eraseProject(claim.key)).toBe(true);
      await store.deregister(incarnation);
      const foreign = { ...claim, key: `${POOL}-2~acme~1` };
      for (const refused of [
        store.commit(commitOf(foreign)),
        store.claim({ key: foreign.key, incarnation, claimId: 'c' }),
        store.readProject(foreign.key),
        store.heartbeat(runtimeRecord({ pool: `${POOL}-2` }), 1_000),
        store.putPool({ key: POOL, generation: 1, spec: {}, status: {}, revision: 'r' }),
      ])
        await expect(refused).rejects.toMatchObject({
          reason: 'STORE_UNAVAILABLE',
          outcome: 'not-applied',
          message: expect.stringContaining('docs/redis.md'),
        });
    } finally {
      await store.close();
    }
  });

  it('let a runtime hear of the tier of its own project, and of no other', async () => {
    const username = await server.admin((redis) => createUser(redis, 'user of a pool'));
    const store = await openAs({ url: server.url, username, password: PASSWORD }, POOL);
    try {
      const [mine, other] = [newKey(), newKey()];
      const heard = jest.fn();
      store.subscribe('tiers', heard, mine);
      // As soon as it is listened to: what changed before is to be read.
      while (heard.mock.calls.length === 0) await settle();
      heard.mockClear();
      const channels = await server.admin((redis) => redis.call('PUBSUB', 'CHANNELS'));
      expect(channels).toEqual(expect.arrayContaining([`agentpool:tier:${mine}`]));
      await store.setTierOverride(other, { tier: 'HOT', sinceMs: 1 }, 0);
      await store.readTierOverride(mine);
      await settle();
      expect(heard).not.toHaveBeenCalled();
      await store.setTierOverride(mine, { tier: 'HOT', sinceMs: 1 }, 0);
      while (heard.mock.calls.length === 0) await settle();
      expect(heard).toHaveBeenCalledWith(POOL);
    } finally {
      await store.close();
    }
  });

  it('say that settings cannot be checked where CONFIG GET is not allowed', async () => {
    await server.admin((redis) =>
      redis.call('ACL', 'SETUSER', 'blind', 'on', `>${PASSWORD}`, '~*', '&*', '+@all', '-config'),
    );
    const store = await openAs({ url: server.url, username: 'blind', password: PASSWORD });
    expect(store.durability).toMatchObject({ durable: undefined, reason: 'RedisUnchecked' });
    await store.close();
  });

  it('never show a password: not in the error, not in its causes', async () => {
    const time = new FakeClock();
    const access = { url: server.url, username: 'nobody', password: PASSWORD };
    const opening = openRedisStore({ access, clock: time, random, log });
    const refused = opening.then(
      () => new Error('opened'),
      (error: unknown) => error as Error,
    );
    await server.admin(async (redis) => {
      while (!String(await redis.call('ACL', 'LOG')).includes('nobody')) await settle();
    });
    await time.advance(10_000);
    const error = await refused;
    expect(error.message).toContain('check user and password');
    expect(`${error.message} ${String(error.stack)} ${JSON.stringify(error)}`).not.toContain(
      PASSWORD,
    );
    expect(error.cause).toBeUndefined();
  });

  it('are read again for each new connection, so a changed password needs no restart', async () => {
    const username = 'rotating';
    const set = (password: string) =>
      server.admin((redis) =>
        redis.call('ACL', 'SETUSER', username, 'reset', 'on', `>${password}`, '~*', '&*', '+@all'),
      );
    await set('old');
    let password = 'old';
    const access = (): RedisAccess => ({ url: server.url, username, password });
    const store = await openRedisStore({ access, clock, random, log });
    const connected = Promise.withResolvers<undefined>();
    store.subscribe('pools', () => connected.resolve(undefined));
    password = 'new';
    await set('new');
    await server.admin((redis) => redis.call('CLIENT', 'KILL', 'USER', username));
    await connected.promise;
    expect(await store.listPools()).toEqual([]);
    await store.close();
  });
});

describe('Redis over TLS', () => {
  let server: RedisServer;
  let port: number;
  const read = (name: string): string => readFileSync(join(server.folder, name), 'utf8');

  beforeAll(async () => {
    port = await freePort();
    server = await RedisServer.start((folder) => {
      certify(folder);
      return {
        'tls-port': String(port),
        'tls-ca-cert-file': join(folder, 'ca.crt'),
        'tls-cert-file': join(folder, 'server.crt'),
        'tls-key-file': join(folder, 'server.key'),
        'tls-auth-clients': 'yes',
      };
    });
  });
  afterAll(() => server.stop());

  it('serves who has a certificate and knows the authority', async () => {
    const tls = { ca: read('ca.crt'), cert: read('client.crt'), key: read('client.key') };
    const store = await openAs({ url: `rediss://localhost:${port}`, tls });
    const { incarnation } = await joined(store);
    const { claim } = await claimed(store, newKey(), incarnation);
    await committed(store, claim);
    expect(await store.readTurns(claim.key, 'c1', { limit: 5 })).toHaveLength(2);
    await store.close();
  });

  it.each([
    ['an authority that we do not know', 'localhost', {}, /certificate/],
    ['another name', '127.0.0.1', { ca: 'ca.crt' }, /altnames|IP/],
  ] as const)('is not trusted with %s', async (_, host, { ca }: { ca?: 'ca.crt' }, message) => {
    const tls = ca === undefined ? {} : { ca: read(ca) };
    const access = { url: `rediss://${host}:${port}`, tls };
    const onOpen = jest.fn();
    const store = new RedisStore({ access, clock, random, log }, onOpen);
    while (!message.test(store.lastProblem)) await settle();
    expect(onOpen).not.toHaveBeenCalled();
    await store.close();
  });
});

/** An authority, a server's certificate for `localhost` and a client's. */
function certify(folder: string): void {
  const run = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  run(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
    '-subj',
    '/CN=ca',
  );
  for (const name of ['server', 'client']) {
    const subject = name === 'server' ? 'localhost' : 'agentpool';
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '2'];
    const names = ['-addext', `subjectAltName=DNS:${subject}`];
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
    run('req', '-x509', ...key, ...signed, ...files, ...names, '-subj', `/CN=${subject}`);
  }
}
