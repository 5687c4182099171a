/** What one pool's user can do to the others with what it may write: its own keys, in which there may stand anything. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { silentLog } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { PoolUsers } from '../../platform/store/redis/pool-users.ts';
import { KEY_PREFIX, RedisKeys } from '../../platform/store/redis/redis-keys.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import { LEASE_TTL_MS, type RuntimeRecord } from '../../platform/store/store.ts';
import { poolStorePassword } from '../../platform/tls/pool-key.ts';
import {
  claimed,
  committed,
  join as joined,
  runtimeRecord,
} from '../conformance/store-builders.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

const [GOOD, BAD] = ['default~good', 'default~bad'];
const PROJECT = `${GOOD}~acme~1`;
const keys = new RedisKeys(KEY_PREFIX);
const own = keys.pool(BAD);

let server: RedisServer;
let users: PoolUsers;
let store: RedisStore;
let clock: FakeClock;
/** Agents of the bad pool. */
let agents: Redis;
/** Of which pool something was said. */
let warned: unknown[];
let good: RuntimeRecord;
let bad: RuntimeRecord;

const poolRecord = (key: string) => ({
  ...{ key, generation: 1, spec: {}, status: {}, revision: 'r' },
});

beforeEach(async () => {
  [server, clock, warned] = [await RedisServer.start(), new FakeClock(), []];
  const passwordOf = (pool: string): string => poolStorePassword('k'.repeat(32), pool);
  users = new PoolUsers({ keys, passwordOf, clock, log: silentLog });
  const log = {
    ...silentLog,
    warn: (_: string, fields: { detail?: { pool?: unknown } } = {}) => {
      if (fields.detail?.pool !== undefined) warned.push(fields.detail.pool);
    },
  };
  store = await openRedisStore({
    access: { url: server.url },
    onConnection: users.connected.bind(users),
    ...{ clock, random, log, serverTimeMs: () => clock.nowMs(), timeoutMs: 200 },
  });
  await users.ensure([GOOD, BAD]);
  for (const pool of [GOOD, BAD]) await store.putPool(poolRecord(pool));
  good = await joined(store, { pool: GOOD });
  bad = await joined(store, { pool: BAD });
  const { claim } = await claimed(store, PROJECT, good.incarnation);
  await committed(store, claim);
  agents = new Redis({ path: server.socketPath, ...users.of(BAD), protocol: 2 });
});
afterEach(async () => {
  agents.disconnect();
  users.close();
  await store.close();
  await server.stop();
});

const write = (...command: readonly [string, ...string[]]): Promise<unknown> =>
  agents.call(...(command as [string, ...string[]]));
const spoil = async (key: string): Promise<void> => {
  await write('DEL', key);
  await write('RPUSH', key, 'x');
};
const says = (record: unknown): string => `10000 ${JSON.stringify(record)}`;

describe('a pool whose keys hold what nobody writes there', () => {
  const RUNTIMES: readonly [string, () => Promise<unknown>][] = [
    ['no record', () => write('HSET', own.runtimes, bad.incarnation, 'x')],
    ['half a record', () => write('HSET', own.runtimes, bad.incarnation, says({ pool: BAD }))],
    [
      'agents without names',
      () => write('HSET', own.runtimes, bad.incarnation, says({ ...bad, agents: [null] })),
    ],
    [
      'a runtime of another pool',
      () =>
        write(
          'HSET',
          own.runtimes,
          bad.incarnation,
          says(runtimeRecord({ pool: GOOD, address: 'evil:1' })),
        ),
    ],
    ['records of another type', () => spoil(own.runtimes)],
    ['leases of another type', () => spoil(own.leases)],
  ];

  it.each(RUNTIMES)('has no runtimes, the others have theirs: %s', async (_, spoilIt) => {
    await spoilIt();
    for (let reads = 0; reads < 3; reads += 1) {
      expect(await store.listRuntimes()).toEqual([good]);
      expect(await store.listRuntimes(BAD)).toEqual([]);
    }
    expect(warned).toEqual([BAD]);
  });

  it('owns by no record that says something else', async () => {
    const key = `${BAD}~acme~1`;
    await claimed(store, key, bad.incarnation);
    expect(await store.readOwner(key)).toMatchObject({ address: bad.address });
    for (const record of ['x', says(good), says({ ...bad, incarnation: 'else' })]) {
      await write('HSET', own.runtimes, bad.incarnation, record);
      expect(await store.readOwner(key)).toBeUndefined();
    }
  });

  it('is the pool that the operator has written, or none', async () => {
    for (const key of [own.record, own.told])
      await expect(write('SET', key, JSON.stringify(poolRecord(GOOD)))).rejects.toThrow('NOPERM');
    await spoil(own.record);
    expect(await store.listPools()).toEqual([poolRecord(GOOD)]);
  });

  it('names only its own projects: those of others are not erased', async () => {
    await write('SADD', own.erasing, PROJECT, `${BAD}~acme~2`);
    await write('ZADD', own.projects, '0', `${GOOD}~acme~3`);
    const record = await store.readProject(PROJECT);
    expect(await store.endErasures(BAD, 'listed')).toBe(false);
    expect(record).toBeDefined();
    expect(await store.readProject(PROJECT)).toEqual(record);
    const left = await server.admin((redis) => redis.smembers(own.erasing));
    expect(left).toEqual([PROJECT]);
  });

  it('overrides only its own tiers, and without what cannot be read', async () => {
    const override = JSON.stringify({ tier: 'HOT', sinceMs: 1 });
    await write('HSET', own.overrides, PROJECT, `1 ${override}`, `${BAD}~acme~2`, 'x');
    await write('HSET', own.overrides, `${BAD}~acme~3`, `2 ${override}`);
    const found = [{ key: `${BAD}~acme~3`, override: { tier: 'HOT', sinceMs: 1, generation: 2 } }];
    expect(await store.listTierOverrides(BAD)).toEqual(found);
    expect(await store.readTierOverride(`${BAD}~acme~2`)).toBeUndefined();
    await spoil(own.overrides);
    expect(await store.listTierOverrides(BAD)).toEqual([]);
  });

  it('keeps no runtime of another that has gone', async () => {
    const other = await openRedisStore({
      access: { url: server.url },
      ...{ clock, random, log: silentLog },
    });
    await spoil(own.leases);
    await other.deregister(good.incarnation);
    await other.close();
    expect(await store.listRuntimes()).toEqual([]);
  });

  it('keeps no dead runtime of another alive when a connection was lost', async () => {
    store.subscribe('runtimes', () => undefined);
    await spoil(own.leases);
    await server.admin((redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'normal'));
    await until('Redis answers', () => store.listRuntimes(GOOD));
    await clock.advance(2 * LEASE_TTL_MS);
    const left = (): Promise<number> =>
      server.admin((redis) => redis.hlen(keys.pool(GOOD).runtimes));
    await until('it was taken away', async () => (await left()) === 0);
  });
});
