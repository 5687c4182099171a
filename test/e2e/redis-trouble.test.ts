/** Redis that answers, but in trouble: full, without its disk, busy, loading, or ending connections. Service resumes by itself, nothing acknowledged is lost, and no storm comes of it. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { systemClock as clock } from '../../platform/clock.ts';
import { silentLog, type Log } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import type { RedisStoreOptions } from '../../platform/store/redis/redis-options.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import { type Claim, TAKEOVER_INTERVAL_MS } from '../../platform/store/store.ts';
import {
  claimed,
  claimRequest,
  commitOf,
  committed,
  join as joined,
  newKey,
  POOL,
  taskCommit,
} from '../conformance/store-builders.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

let warnings = 0;
const log: Log = { ...silentLog, warn: () => (warnings += 1) };

async function redisServer(settings = {}): Promise<RedisServer> {
  const server = await RedisServer.start(settings);
  ends.push(() => server.stop());
  return server;
}

async function open(url: string, more: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  warnings = 0;
  const store = await openRedisStore({ access: { url }, clock, random, log, ...more });
  ends.push(() => store.close());
  return store;
}

interface Scene {
  readonly server: RedisServer;
  readonly store: RedisStore;
  readonly claim: Claim;
}

/** One project with a commit, and its runtime. */
async function scene(server: RedisServer, more: Partial<RedisStoreOptions> = {}): Promise<Scene> {
  const store = await open(server.url, more);
  const { incarnation } = await joined(store);
  const { claim } = await claimed(store, newKey(), incarnation);
  return { server, store, claim: await committed(store, claim) };
}

const statOf = async (server: RedisServer, section: string, name: string): Promise<number> => {
  const info = await server.admin((redis) => redis.info(section));
  return Number(new RegExp(`${name}[:=](\\d+)`).exec(info)?.[1] ?? 0);
};
const connectionsMade = (server: RedisServer): Promise<number> =>
  statOf(server, 'stats', 'total_connections_received');
const endConnections = async (redis: Redis): Promise<void> => {
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal');
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
};

/** What Redis refuses of writes, how it comes to that, and how it ends. */
const troubles: readonly (readonly [
  string,
  (server: RedisServer) => Promise<unknown>,
  (server: RedisServer) => Promise<unknown>,
])[] = [
  [
    'OOM',
    (server) => server.admin((redis) => redis.config('SET', 'maxmemory', '1mb')),
    (server) => server.admin((redis) => redis.config('SET', 'maxmemory', '0')),
  ],
  [
    'MISCONF',
    async (server) => {
      // In place of the file that it would write.
      mkdirSync(join(server.folder, 'dump.rdb', 'taken'), { recursive: true });
      await saved(server, 'err');
    },
    async (server) => {
      rmSync(join(server.folder, 'dump.rdb'), { recursive: true });
      await saved(server, 'ok');
    },
  ],
];

async function saved(server: RedisServer, status: 'ok' | 'err'): Promise<void> {
  await server.admin(async (redis) => {
    await redis.bgsave();
    await until(`the save is ${status}`, async () =>
      (await redis.info('persistence')).includes(`rdb_last_bgsave_status:${status}`),
    );
  });
}

describe.each(troubles)('Redis that says %s', (says, begin, end) => {
  it('refuses writes and answers reads, also on new connections, which are few', async () => {
    const server = await redisServer({ save: '3600 1' });
    const { store, claim } = await scene(server);
    const [runtime] = await store.listRuntimes();
    await store.heartbeat(runtime!, 3_000);
    const leases = `agentpool:{${POOL}}:leases`;
    const leaseOf = () => server.admin((redis) => redis.zscore(leases, claim.incarnation));
    const lease = Number(await leaseOf());
    await begin(server);
    const refused = expect.objectContaining({
      outcome: 'not-applied',
      message: expect.stringContaining(says),
    });
    await expect(store.commit(commitOf(claim))).rejects.toEqual(refused);
    const before = await connectionsMade(server);
    await server.admin(endConnections);
    await until('reads are answered', () => store.readProject(claim.key));
    for (let reads = 0; reads < 40; reads += 1) {
      expect(await store.readProject(claim.key)).toMatchObject({ seq: 1 });
      await clock.sleep(50);
    }
    await expect(store.commit(commitOf(claim))).rejects.toEqual(refused);
    // Each look at Redis here makes one, too.
    expect((await connectionsMade(server)) - before).toBeLessThan(10);
    expect(warnings).toBeLessThan(6);
    await end(server);
    expect(await store.commit(commitOf(claim))).toMatchObject({ type: 'committed', seq: 2 });
    await until('the lease was forgiven', async () => Number(await leaseOf()) > lease);
  });
});

describe('Redis without memory left', () => {
  it('lets runtimes live and go, and is given back what nobody wants', async () => {
    const server = await redisServer();
    const { store, claim } = await scene(server);
    const { key, incarnation } = claim;
    const record = (await store.listRuntimes()).find((one) => one.incarnation === incarnation)!;
    const other = await claimed(store, newKey(), incarnation);
    await server.admin((redis) => redis.config('SET', 'maxmemory', '1mb'));
    await store.heartbeat(record, 10_000);
    await store.release(other.claim);
    expect(await store.eraseProject(key)).toBe(true);
    expect(await store.readProject(key)).toBeUndefined();
    await store.deregister(incarnation);
    expect(await store.listRuntimes()).toEqual([]);
    await store.deletePool(POOL);
    await expect(claimed(store, newKey(), incarnation)).rejects.toThrow('OOM');
  });
});

describe("Redis' clock, set back by an hour", () => {
  it('holds up no takeover for longer than always', async () => {
    const server = await redisServer();
    let nowMs = 7_200_000;
    const store = await open(server.url, { serverTimeMs: () => nowMs });
    const [first, second] = [await joined(store), await joined(store)];
    const key = newKey();
    await claimed(store, key, first.incarnation);
    const takeOver = (by: string, from: string, epoch: number) =>
      store.claim(
        claimRequest(key, by, { takeover: { incarnation: from, epoch, refused: false } }),
      );
    await takeOver(second.incarnation, first.incarnation, 1);
    nowMs -= 3_600_000;
    const back = () => takeOver(first.incarnation, second.incarnation, 2);
    expect(await back()).toEqual({ type: 'limited', retryAfterMs: TAKEOVER_INTERVAL_MS });
    nowMs += TAKEOVER_INTERVAL_MS;
    expect(await back()).toMatchObject({ type: 'claimed' });
  });
});

describe('Redis that is busy with a script', () => {
  const busy = (server: RedisServer, ms: number): Promise<unknown> =>
    server.admin((redis) =>
      redis.eval(
        `local function now() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end
         local from = now() while now() - from < ${ms} do end return 1`,
        0,
      ),
    );

  it('refuses, serves when it has ended, and is asked on whether it lives', async () => {
    const server = await redisServer({ 'busy-reply-threshold': '20' });
    const time = new FakeClock();
    const { store, claim } = await scene(server, { clock: time });
    const pings = () => statOf(server, 'commandstats', 'cmdstat_ping:calls');
    const refusedPings = () => statOf(server, 'errorstats', 'errorstat_BUSY:count');
    await time.advance(5_000);
    await until('both were asked', async () => (await pings()) === 2);
    const done = busy(server, 600);
    await expect(
      (async () => {
        for (;;) await store.readProject(claim.key);
      })(),
    ).rejects.toMatchObject({ outcome: 'not-applied', message: expect.stringContaining('BUSY') });
    await time.advance(5_000);
    await done;
    await until('they were refused', async () => (await refusedPings()) > 0);
    expect(await store.commit(commitOf(claim))).toMatchObject({ seq: 2 });
    const before = await pings();
    await time.advance(5_000);
    await until('they are asked again', async () => (await pings()) === before + 2);
  });
});

describe('Redis that loads its file', () => {
  it('is waited for, and has all that was acknowledged', async () => {
    const server = await redisServer({
      ...{ appendonly: 'yes', appendfsync: 'always', 'key-load-delay': '5000' },
      'loading-process-events-interval-bytes': '1024',
    });
    const { store, claim: first } = await scene(server);
    let claim = first;
    for (let at = 0; at < 200; at += 1) claim = await committed(store, claim);
    await server.kill();
    const started = server.start();
    await until('it is not there yet', async () =>
      store.readProject(claim.key).then(
        () => false,
        (error: unknown) => (error as { outcome?: unknown }).outcome === 'not-applied',
      ),
    );
    await started;
    const record = await until('it has loaded', () => store.readProject(claim.key));
    expect(record).toMatchObject({ seq: 201, owner: { claimId: claim.claimId } });
    expect(await store.commit(commitOf(claim))).toMatchObject({ seq: 202 });
  });
});

describe('connections that end as soon as they are there', () => {
  it('are made with growing pauses, and serve when that has ended', async () => {
    const server = await redisServer();
    const { store, claim } = await scene(server);
    const before = await connectionsMade(server);
    await server.admin(async (redis) => {
      const endMs = clock.nowMs() + 3_000;
      while (clock.nowMs() < endMs) {
        await endConnections(redis);
        await clock.sleep(5);
      }
    });
    // Both together; 25 ms after each would be more than a hundred.
    expect((await connectionsMade(server)) - before).toBeLessThan(30);
    await until('it is served', () => store.readProject(claim.key));
    expect(await store.commit(commitOf(claim))).toMatchObject({ seq: 2 });
  });
});

describe('a call in flight when its connection ends', () => {
  it('says so, and nothing of the client', async () => {
    const server = await redisServer();
    const { store, claim } = await scene(server);
    server.signal('SIGSTOP');
    const asked = [store.readProject(claim.key), store.readProjects([claim.key, claim.key])];
    const settled = Promise.allSettled(asked);
    server.signal('SIGKILL');
    for (const answer of await settled)
      expect(answer).toMatchObject({
        reason: { message: expect.stringMatching(/: the connection to Redis was lost: /) },
      });
  });
});

describe('a way to Redis that stands still with a large commit on it', () => {
  const STILL_MS = 1_500;

  /** Carries nothing more for a while, once, when something large comes. */
  async function slow(server: RedisServer): Promise<string> {
    const path = join(server.folder, 'slow');
    let isStill = false;
    const proxy = createServer((client) => {
      const redis = connect(server.socketPath);
      const end = (): void => {
        client.destroy();
        redis.destroy();
      };
      for (const socket of [client, redis]) socket.on('error', end).on('close', end);
      redis.pipe(client);
      client.on('data', (chunk) => {
        redis.write(chunk);
        if (isStill || chunk.length < 60_000) return;
        isStill = true;
        client.pause();
        clock.after(STILL_MS, () => client.resume());
      });
      ends.push(async () => end());
    });
    proxy.listen(path);
    await once(proxy, 'listening');
    ends.push(async () => proxy.close());
    return `unix:${path}`;
  }

  it('has the time that this takes, beside the time for an answer', async () => {
    const server = await redisServer();
    const store = await open(await slow(server), { timeoutMs: 1_000 });
    const { incarnation } = await joined(store);
    const { claim } = await claimed(store, newKey(), incarnation);
    const output = { arm: 'text' as const, body: Buffer.alloc(40 * 1024 * 1024, 'x') };
    const commit = commitOf(claim, { tasks: [taskCommit({ output })] });
    expect(await store.commit(commit)).toMatchObject({ type: 'committed', seq: 1 });
    server.signal('SIGSTOP');
    await expect(store.readProject(claim.key)).rejects.toThrow(/no answer for 100\d ms/);
  });
});
