/** The users that the operator makes in a real Redis: what one pool's may not, that Redis forgets none for long, and what happens where it refuses. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { systemClock as clock } from '../../platform/clock.ts';
import { silentLog as log } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { PoolUsers } from '../../platform/store/redis/pool-users.ts';
import { KEY_PREFIX, RedisKeys } from '../../platform/store/redis/redis-keys.ts';
import {
  installationRights,
  POOL_COMMANDS,
  USER_COMMANDS,
} from '../../platform/store/redis/redis-rights.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import { poolStorePassword } from '../../platform/tls/pool-key.ts';
import { claimed, committed, join as joined, POOL } from '../conformance/store-builders.ts';
import { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

const OTHER = 'default~demo-2';
const OWNER = { username: 'owner', password: 'correct-horse' };
const keys = new RedisKeys(KEY_PREFIX);
/** The last one is of scripts. */
const REFUSED = /NOPERM|ACL failure|permission|user executing the script can't/i;

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function newUsers(): PoolUsers {
  const passwordOf = (pool: string): string => poolStorePassword('k'.repeat(32), pool);
  const users = new PoolUsers({ keys, passwordOf, clock, log });
  ends.push(async () => users.close());
  return users;
}

/** As the operator's, which keeps the users. */
async function openAsOwner(server: RedisServer, users: PoolUsers, user = {}): Promise<RedisStore> {
  const onConnection = users.connected.bind(users);
  const access = { url: server.url, ...user };
  const store = await openRedisStore({ access, clock, random, log, onConnection });
  ends.push(() => store.close());
  return store;
}

async function openAsRuntime(
  server: RedisServer,
  users: PoolUsers,
  pool = POOL,
): Promise<RedisStore> {
  const access = { url: server.url, ...users.of(pool) };
  const store = await openRedisStore({ access, pool, clock, random, log });
  ends.push(() => store.close());
  return store;
}

/** What agents' code could send with what it finds in its pod. */
async function connectAs(server: RedisServer, users: PoolUsers, pool: string): Promise<Redis> {
  const redis = new Redis({ path: server.socketPath, ...users.of(pool), protocol: 2 });
  ends.push(async () => redis.disconnect());
  await redis.ping();
  return redis;
}

const usersIn = (server: RedisServer): Promise<readonly string[]> =>
  server.admin(async (redis) => {
    const all = (await redis.call('ACL', 'USERS')) as readonly string[];
    return all.filter((name) => name.startsWith(KEY_PREFIX)).toSorted();
  });

describe("the user of one pool's runtimes", () => {
  let server: RedisServer;
  let users: PoolUsers;
  let own: Redis;

  beforeEach(async () => {
    server = await RedisServer.start();
    ends.push(() => server.stop());
    users = newUsers();
    const store = await openAsOwner(server, users);
    await users.ensure([POOL, OTHER]);
    for (const pool of [POOL, OTHER]) {
      await store.putPool({ key: pool, generation: 1, spec: {}, status: {}, revision: 'r' });
      const { incarnation } = await joined(store, { pool });
      const { claim } = await claimed(store, `${pool}~acme~1`, incarnation);
      await committed(store, claim);
    }
    own = await connectAs(server, users, POOL);
  });

  it('serves its pool', async () => {
    const runtime = await openAsRuntime(server, users);
    const heard = Promise.withResolvers<undefined>();
    runtime.subscribe('runtimes', () => heard.resolve(undefined));
    const { incarnation } = await joined(runtime);
    await heard.promise;
    const { claim } = await claimed(runtime, `${POOL}~acme~2`, incarnation);
    await committed(runtime, claim);
    expect(await runtime.readTurns(claim.key, 'c1', { limit: 5 })).toHaveLength(2);
    expect(await own.hget(keys.project(`${POOL}~acme~1`).record, 'seq')).toBe('1');
  });

  const record = keys.project(`${OTHER}~acme~1`).record;
  const channel = keys.channel(OTHER, 'runtimes');
  const DECLARED = "return redis.call('HGET', KEYS[1], 'seq')";
  const WRITTEN = `return redis.call('HSET', '${record}', 'seq', 9)`;
  const LOUD = `return redis.call('PUBLISH', '${channel}', 'x')`;

  it.each<[string, ...string[]]>([
    ['HGETALL', record],
    ['GET', keys.pool(OTHER).record],
    ['MGET', keys.pool(OTHER).record],
    ['HSET', record, 'seq', '9'],
    ['DEL', record],
    ['EVAL', DECLARED, '1', record],
    ['EVAL', WRITTEN, '0'],
    ['EVAL', LOUD, '0'],
    ['PUBLISH', channel, 'x'],
    ['PUBLISH', keys.tierChannel(`${OTHER}~acme~1`), ''],
    ['SUBSCRIBE', channel],
    ['SUBSCRIBE', keys.tierChannel(`${OTHER}~acme~1`)],
    ['PSUBSCRIBE', keys.channels],
    ['SADD', keys.pools, 'default~mine'],
    ['SMEMBERS', keys.pools],
    ['KEYS', '*'],
    ['SCAN', '0'],
    ['CONFIG', 'GET', 'requirepass'],
    ['ACL', 'LIST'],
    ['ACL', 'SETUSER', keys.userOf(POOL), 'allkeys'],
    ['CLIENT', 'LIST'],
    ['MONITOR'],
    ['SLOWLOG', 'GET'],
    ['FLUSHALL'],
    ['COPY', record, keys.project(`${POOL}~acme~1`).record],
  ])('may not %s %s %s', async (command, ...args) => {
    const before = await server.admin((redis) => redis.hgetall(record));
    await expect(own.call(command, ...args)).rejects.toThrow(REFUSED);
    expect(await server.admin((redis) => redis.hgetall(record))).toEqual(before);
  });

  it('may not run a script that another pool has loaded on the keys of that pool', async () => {
    const other = await connectAs(server, users, OTHER);
    expect(await other.eval(DECLARED, 1, record)).toBe('1');
    const sha = String(await server.admin((redis) => redis.script('LOAD', DECLARED)));
    await expect(own.evalsha(sha, 1, record)).rejects.toThrow(REFUSED);
  });

  it('is not let in with the password of another pool', async () => {
    const { username } = users.of(POOL);
    const { password } = users.of(OTHER);
    await expect(own.auth(username, password)).rejects.toThrow(/WRONGPASS/);
  });

  it('goes with its pool, and nobody is in Redis as it any more', async () => {
    await users.remove(POOL);
    expect(await usersIn(server)).toEqual([keys.userOf(OTHER)]);
    const left = await server.admin((redis) => redis.call('CLIENT', 'LIST'));
    expect(String(left)).not.toContain(`user=${keys.userOf(POOL)}`);
    await users.remove(POOL);
  });

  it('is the same when it is made again, and keeps its subscriptions', async () => {
    const connected = (): Promise<string | undefined> =>
      server.admin(async (redis) => {
        const lines = String(await redis.call('CLIENT', 'LIST')).split('\n');
        const line = lines.find((one) => one.includes(`user=${keys.userOf(POOL)} `));
        return line && /^id=\d+/.exec(line)?.[0];
      });
    await own.subscribe(keys.channel(POOL, 'pools'));
    const before = await connected();
    const again = newUsers();
    await openAsOwner(server, again);
    await again.ensure([POOL]);
    expect(before).toBeDefined();
    expect(await connected()).toBe(before);
  });
});

describe('users of pools', () => {
  const start = async (settings: Parameters<typeof RedisServer.start>[0] = {}) => {
    const server = await RedisServer.start(settings);
    ends.push(() => server.stop());
    return server;
  };

  it('are made again when Redis has forgotten them, and runtimes go on by themselves', async () => {
    const server = await start();
    const users = newUsers();
    await openAsOwner(server, users);
    await users.ensure([POOL, OTHER]);
    const runtime = await openAsRuntime(server, users);
    await server.kill();
    await server.start();
    await until('both are there again', async () => (await usersIn(server)).length === 2);
    const { incarnation } = await until('the runtime serves', () => joined(runtime));
    await claimed(runtime, `${POOL}~acme~1`, incarnation);
  });

  it('that runtimes wait for at their start are made while they wait', async () => {
    const server = await start();
    const users = newUsers();
    const opening = openAsRuntime(server, users);
    await until('it was refused', () =>
      server.admin(async (redis) => String(await redis.call('ACL', 'LOG')).includes(POOL)),
    );
    await openAsOwner(server, users);
    await users.ensure([POOL]);
    await (await opening).listPools();
  });

  it('that were asked for while Redis was away are there before anything else is done', async () => {
    const server = await start();
    const users = newUsers();
    const store = await openAsOwner(server, users);
    await server.kill();
    // A connection that has just been lost is told as such.
    await until('it is asked for', () => users.ensure([POOL]).then(() => true));
    const seen = Promise.withResolvers<readonly string[]>();
    store.subscribe('pools', () => void usersIn(server).then(seen.resolve));
    await server.start();
    expect(await seen.promise).toEqual([keys.userOf(POOL)]);
  });

  it('of a thousand pools are made at once', async () => {
    const server = await start();
    const users = newUsers();
    await openAsOwner(server, users);
    await users.ensure(Array.from({ length: 1_000 }, (_, index) => `default~pool-${index}`));
    expect(await usersIn(server)).toHaveLength(1_000);
    const calls = await callsOf(server);
    await users.ensure([`default~pool-7`]);
    expect(await callsOf(server)).toBe(calls);
  });

  it('are in the file of users where Redis has one', async () => {
    const server = await start((folder) => {
      const aclfile = join(folder, 'users.acl');
      writeFileSync(aclfile, 'user default on nopass ~* &* +@all\n');
      return { aclfile };
    });
    const users = newUsers();
    const store = await openAsOwner(server, users);
    await users.ensure([POOL, OTHER]);
    await users.remove(OTHER);
    await until('it was saved', async () => (await callsOf(server, 'acl|save')) > 0);
    await store.close();
    await server.kill();
    await server.start();
    expect(await usersIn(server)).toEqual([keys.userOf(POOL)]);
    await (await openAsRuntime(server, users)).listPools();
  });

  it('are made and taken away with the rights of the manual, and refused without', async () => {
    const server = await start();
    const rights = installationRights(keys, `>${OWNER.password}`);
    const grant = (...more: readonly string[]): Promise<unknown> =>
      server.admin((redis) => redis.call('ACL', 'SETUSER', OWNER.username, ...rights, ...more));
    await grant();
    const users = newUsers();
    await openAsOwner(server, users, OWNER);
    await expect(users.ensure([POOL])).rejects.toMatchObject({
      name: 'PoolUsersRefused',
      message: expect.stringMatching(/NOPERM.*[+]acl[|]setuser.*redis[.]poolUsers/),
    });
    // It is no reason to hold a pool that is being deleted.
    await users.remove(OTHER);
    await grant(...USER_COMMANDS.map((command) => `+${command}`));
    await users.ensure([POOL]);
    expect(await usersIn(server)).toEqual([keys.userOf(POOL)]);
    await users.remove(POOL);
    expect(await usersIn(server)).toEqual([]);
  });

  it('may do nothing that this Redis does not know', async () => {
    const server = await start();
    const known = (await server.admin((redis) => redis.call('COMMAND', 'LIST'))) as string[];
    const names = POOL_COMMANDS.map((command) => command.split('|')[0]);
    expect(known).toEqual(expect.arrayContaining(names));
  });
});

/** How often a subcommand of ACL was called. */
function callsOf(server: RedisServer, command = 'acl|setuser'): Promise<number> {
  return server.admin(async (redis) => {
    const text = await redis.info('commandstats');
    const [, calls = '0'] =
      new RegExp(`cmdstat_${command.replace('|', '[|]')}:calls=(\\d+)`).exec(text) ?? [];
    return Number(calls);
  });
}
