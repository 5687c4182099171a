/** Who is alive and which pools there are, as Redis remembers it: nothing stays for ever, whatever connections, clocks and late writers do. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Lease } from '../../agent-runtime/host/lease.ts';
import { silentLog as log } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { KEY_PREFIX, RedisKeys } from '../../platform/store/redis/redis-keys.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import { LEASE_RENEW_MS, LEASE_TTL_MS, type PoolRecord } from '../../platform/store/store.ts';
import { join as joined, POOL, runtimeRecord, unique } from '../conformance/store-builders.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

const TIMEOUT_MS = 1_000;
const HOUR_MS = 3_600_000;

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

/** That of the clients; Redis' own is ahead of it. */
let clock: FakeClock;
let aheadMs: number;
const stores: RedisStore[] = [];
beforeEach(async () => {
  await server.admin((redis) => redis.flushall());
  [clock, aheadMs] = [new FakeClock(), 0];
});
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

async function open(): Promise<RedisStore> {
  const serverTimeMs = (): number => clock.nowMs() + aheadMs;
  const ports = { clock, random, log, serverTimeMs, timeoutMs: TIMEOUT_MS };
  const store = await openRedisStore({ access: { url: server.url }, ...ports });
  stores.push(store);
  return store;
}

const listed = async (store: RedisStore): Promise<readonly string[]> =>
  (await store.listRuntimes(POOL)).map(({ incarnation }) => incarnation);

const answers = (): Promise<unknown> =>
  Promise.all(stores.map((store) => until('Redis answers', () => store.listRuntimes(POOL))));

/** All that ask notice. */
async function outage(ms: number): Promise<void> {
  server.signal('SIGSTOP');
  await Promise.allSettled(stores.map((store) => store.listRuntimes(POOL)));
  await clock.advance(ms);
  server.signal('SIGCONT');
  await answers();
}

/** Connections end, and nothing is wrong with Redis. */
async function reconnect(): Promise<void> {
  await server.admin((redis) => redis.call('CLIENT', 'KILL', 'TYPE', 'normal'));
  await answers();
}

describe('the lease of a runtime', () => {
  it('lives for one time to live more after each outage in which it could not be renewed', async () => {
    const store = await open();
    await open();
    const record = await joined(store);
    for (let outages = 0; outages < 3; outages += 1) {
      await outage(60_000);
      await clock.advance(LEASE_TTL_MS - 1);
      expect(await listed(store)).toEqual([record.incarnation]);
      await store.heartbeat(record, LEASE_TTL_MS);
    }
  });

  it('loses nothing by a short loss of connections: it is forgiven the outage that follows', async () => {
    const store = await open();
    const { incarnation } = await joined(store);
    await clock.advance(LEASE_RENEW_MS);
    await reconnect();
    await outage(60_000);
    expect(await listed(store)).toEqual([incarnation]);
  });

  it('lives through an outage that comes sooner after another than its next renewal', async () => {
    const store = await open();
    const record = runtimeRecord();
    const { incarnation } = record;
    const lease = new Lease({
      ...{ clock, store, log, record: () => record, verify: async () => undefined },
      ...{ onFenced: () => undefined, onRestored: () => undefined },
    });
    await lease.start();
    const { leases } = new RedisKeys(KEY_PREFIX).pool(POOL);
    const end = (): Promise<unknown> => server.admin((redis) => redis.zscore(leases, incarnation));
    for (let outages = 0; outages < 2; outages += 1) {
      await outage(60_000);
      expect(await listed(store)).toEqual([incarnation]);
      const renewed = String(clock.nowMs() + LEASE_TTL_MS);
      await until('it renewed, not only was forgiven', async () => (await end()) === renewed);
    }
    lease.stop();
  });

  it('ends though somebody loses the connection again and again', async () => {
    const store = await open();
    const [dead, lives] = [await joined(store), await joined(store)];
    for (let losses = 0; losses < 3; losses += 1) {
      expect(await listed(store)).toContain(dead.incarnation);
      await clock.advance(5_000);
      await store.heartbeat(lives, LEASE_TTL_MS);
      await reconnect();
    }
    expect(await listed(store)).toEqual([lives.incarnation]);
  });

  it("ends within twice its time after Redis' clock was set back by an hour", async () => {
    const store = await open();
    store.subscribe('runtimes', () => undefined);
    const [dead, long] = [await joined(store), await joined(store)];
    await store.heartbeat(long, HOUR_MS);
    aheadMs -= HOUR_MS;
    const lives = await joined(store);
    await clock.advance(LEASE_TTL_MS);
    await store.heartbeat(lives, LEASE_TTL_MS);
    expect(await listed(store)).toContain(dead.incarnation);
    await clock.advance(LEASE_TTL_MS - 1);
    await store.heartbeat(lives, LEASE_TTL_MS);
    await clock.advance(1);
    expect([...(await listed(store))].sort()).toEqual([lives.incarnation, long.incarnation].sort());
  });
});

describe('the name of a pool', () => {
  const poolRecord = (key: string): PoolRecord => ({
    ...{ key, generation: 1, spec: {}, status: {}, revision: 'r' },
  });
  const names = (): Promise<readonly string[]> =>
    server.admin((redis) => redis.smembers('agentpool:pools'));
  const unlisted = (): Promise<unknown> =>
    until('it has gone', async () => (await names()).length === 0);

  it('goes with the last lease of a pool that was deleted before', async () => {
    const store = await open();
    store.subscribe('runtimes', () => undefined);
    await store.putPool(poolRecord(POOL));
    await joined(store);
    await store.deletePool(POOL);
    expect(await names()).toEqual([POOL]);
    await clock.advance(LEASE_TTL_MS);
    await unlisted();
  });

  it('goes again when a runtime of a deleted pool was late', async () => {
    const store = await open();
    store.subscribe('runtimes', () => undefined);
    await store.putPool(poolRecord(POOL));
    await store.deletePool(POOL);
    const { incarnation } = await joined(store);
    expect(await names()).toEqual([POOL]);
    await store.deregister(incarnation);
    await clock.advance(LEASE_TTL_MS);
    await unlisted();
  });

  it('goes when somebody looks who was not there at the end', async () => {
    const store = await open();
    await joined(store);
    await clock.advance(LEASE_TTL_MS);
    expect(await names()).toEqual([POOL]);
    (await open()).subscribe('runtimes', () => undefined);
    await unlisted();
  });

  it('stays for who makes the pool, or a runtime of it, while it is taken off the list', async () => {
    const [one, other] = [await open(), await open()];
    const made: string[] = [];
    for (let tries = 0; tries < 100; tries += 1) {
      const pool = unique('default~again-');
      await one.putPool(poolRecord(pool));
      const come = tries % 2 === 0 ? other.putPool(poolRecord(pool)) : joined(other, { pool });
      await Promise.all([one.deletePool(pool), come]);
      const [record] = await one.listPools(pool);
      const runtimes = await one.listRuntimes(pool);
      if (record !== undefined || runtimes.length > 0) made.push(pool);
    }
    expect(made.length).toBeGreaterThan(0);
    expect(await names()).toEqual(expect.arrayContaining(made));
  });
});
