/** Redis killed, stopped, cut off and short of replicas: nothing acknowledged is lost or doubled, nothing is sent twice, service resumes by itself. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { systemClock as clock } from '../../platform/clock.ts';
import { silentLog as log } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { COMMIT } from '../../platform/store/redis/commit-script.ts';
import { DEREGISTER, HEARTBEAT } from '../../platform/store/redis/lease-scripts.ts';
import { BEGIN, LEAVE, MARK, SWEEP } from '../../platform/store/redis/erasure-scripts.ts';
import { CLAIM, PAUSE, RELEASE } from '../../platform/store/redis/ownership-scripts.ts';
import {
  DELETE_POOL,
  ENTER,
  PUT_POOL,
  SET_OVERRIDE,
} from '../../platform/store/redis/pool-scripts.ts';
import type { RedisScript } from '../../platform/store/redis/redis-script.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import type { RedisStoreOptions } from '../../platform/store/redis/redis-options.ts';
import { StoreError, type Claim, type Store } from '../../platform/store/store.ts';
import {
  claimed,
  claimRequest,
  commitOf,
  committed,
  join as joined,
  newKey,
  POOL,
  runtimeRecord,
  taskCommit,
  unique,
} from '../conformance/store-builders.ts';
import { CuttingProxy, type Cut } from './cutting-proxy.ts';
import { freePort, RedisServer } from './redis-server.ts';
import { until } from './until.ts';

const ALWAYS = { appendonly: 'yes', appendfsync: 'always' };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function redisServer(settings = {}): Promise<RedisServer> {
  const server = await RedisServer.start(settings);
  ends.push(() => server.stop());
  return server;
}

async function open(url: string, more: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  const store = await openRedisStore({ access: { url }, clock, random, log, ...more });
  ends.push(() => store.close());
  return store;
}

/** Asks until Redis answers: what a caller does who has been told "not applied". */
async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      await clock.sleep(10);
    }
  }
}

/** One project, one commit after the other, as a runtime's committer does it; unknown outcomes are settled by reading back. */
async function writer(store: Store, isDone: () => boolean): Promise<Ledger> {
  const key = newKey();
  const { incarnation } = runtimeRecord();
  const request = claimRequest(key, incarnation);
  const answer = await untilAnswered(() => store.claim(request));
  if (answer.type !== 'claimed') throw new Error(answer.type);
  let { claim } = answer.activation;
  const requests: string[] = [];
  let unknown = 0;
  while (!isDone()) {
    const requestId = unique('request-');
    const commit = commitOf(claim, { tasks: [taskCommit({ requestId })] });
    const seq = await store.commit(commit).then(
      (done) => (done.type === 'committed' ? done.seq : -1),
      async (error: unknown) => {
        if (!(error instanceof StoreError)) throw error;
        if (error.outcome === 'unknown') unknown += 1;
        const record = await untilAnswered(() => store.readProject(key));
        return record?.owner?.claimId === claim.claimId ? record.seq : -1;
      },
    );
    if (seq < claim.seq || seq > claim.seq + 1) throw new Error(`seq ${seq} after ${claim.seq}`);
    if (seq === claim.seq + 1) requests.push(requestId);
    claim = { ...claim, seq };
  }
  return { key, requests, unknown };
}

interface Ledger {
  readonly key: string;
  readonly requests: readonly string[];
  readonly unknown: number;
}

describe('Redis with appendfsync always', () => {
  it('loses and doubles nothing that was acknowledged when it is killed between commits', async () => {
    const server = await redisServer(ALWAYS);
    const store = await open(server.url);
    expect(store.durability).toMatchObject({ durable: true, reason: 'RedisFsyncAlways' });
    let isDone = false;
    const writers = Array.from({ length: 20 }, () => writer(store, () => isDone));
    for (let kills = 0; kills < 4; kills += 1) {
      await clock.sleep(150 + random.float() * 100);
      await server.kill('SIGKILL');
      await server.start();
    }
    await clock.sleep(200);
    isDone = true;
    const ledgers = await Promise.all(writers);
    expect(ledgers.reduce((sum, { unknown }) => sum + unknown, 0)).toBeGreaterThan(0);
    for (const { key, requests } of ledgers) {
      expect(requests.length).toBeGreaterThan(0);
      expect(await store.readProject(key)).toMatchObject({
        seq: requests.length,
        requests: requests.length,
      });
      const { results } = await claimed(store, key, 'reader');
      expect(results.map(({ requestId }) => requestId)).toEqual(requests.slice(-1_000));
      const turns = await store.readTurns(key, 'c1', { limit: 1_000 });
      expect(turns.map((turn) => turn.requestId)).toEqual(
        requests.flatMap((id) => [id, id]).slice(-1_000),
      );
    }
  });
});

describe('a connection that is cut', () => {
  const LEASES = [{ id: 'l', expiresAtMs: 1 }];
  interface Scene {
    readonly store: Store;
    readonly claim: Claim;
    readonly incarnation: string;
  }
  type Case = readonly [
    string,
    RedisScript,
    (scene: Scene) => Promise<unknown>,
    (scene: Scene) => Promise<unknown>,
  ];
  const fresh = newKey();
  const cases: readonly Case[] = [
    [
      'commit',
      COMMIT,
      ({ store, claim }) => store.commit(commitOf(claim, { leases: LEASES })),
      async ({ store, claim }) => (await store.readProject(claim.key))?.seq === claim.seq + 1,
    ],
    [
      'claim',
      CLAIM,
      ({ store, claim, incarnation }) => store.claim(claimRequest(claim.key, incarnation)),
      async ({ store, claim }) => (await store.readProject(claim.key))?.epoch === 2,
    ],
    [
      'release',
      RELEASE,
      ({ store, claim }) => store.release(claim),
      async ({ store, claim }) => (await store.readProject(claim.key))?.owner === undefined,
    ],
    [
      'setPaused',
      PAUSE,
      async ({ store, claim }) => {
        await store.release(claim);
        return store.setPaused(claim.key, true, 1);
      },
      async ({ store, claim }) => (await store.readProject(claim.key))?.paused === true,
    ],
    [
      'a first claim',
      ENTER,
      ({ store, incarnation }) => store.claim(claimRequest(fresh, incarnation)),
      // The name is on the list, the record not made: nobody sees it.
      async ({ store }) => (await store.readProject(fresh)) !== undefined,
    ],
    [
      'heartbeat',
      HEARTBEAT,
      ({ store }) => store.heartbeat(runtimeRecord({ incarnation: 'late' }), 10_000),
      async ({ store }) =>
        (await store.listRuntimes()).some(({ incarnation }) => incarnation === 'late'),
    ],
    [
      'deregister',
      DEREGISTER,
      ({ store, incarnation }) => store.deregister(incarnation),
      async ({ store }) => (await store.listRuntimes()).length === 0,
    ],
    [
      'putPool',
      PUT_POOL,
      ({ store }) =>
        store.putPool({ key: POOL, generation: 2, spec: {}, status: {}, revision: 'r' }),
      async ({ store }) => (await store.listPools())[0]?.generation === 2,
    ],
    [
      'deletePool',
      DELETE_POOL,
      ({ store }) => store.deletePool(POOL),
      async ({ store }) => (await store.listPools()).length === 0,
    ],
    [
      'setTierOverride',
      SET_OVERRIDE,
      ({ store, claim }) => store.setTierOverride(claim.key, { tier: 'HOT', sinceMs: 1 }, 0),
      async ({ store, claim }) => (await store.readTierOverride(claim.key))?.generation === 1,
    ],
    ...[BEGIN, MARK, LEAVE, SWEEP].map((script): Case => [
      script.name,
      script,
      ({ store, claim }) => store.eraseProject(claim.key),
      async ({ store, claim }) => (await store.readProject(claim.key)) === undefined,
    ]),
  ];

  async function scene(): Promise<Scene & { readonly proxy: CuttingProxy }> {
    const server = await redisServer();
    // Known to Redis, so that the first answer is that of the script itself.
    await server.admin((redis) =>
      Promise.all(cases.map(([, script]) => redis.script('LOAD', script.text))),
    );
    const proxy = await CuttingProxy.start(join(server.folder, 'proxy'), server.socketPath);
    ends.push(() => proxy.stop());
    const store = await open(`unix:${proxy.path}`);
    await store.putPool({ key: POOL, generation: 1, spec: {}, status: {}, revision: 'r' });
    const { incarnation } = await joined(store);
    const { claim } = await claimed(store, newKey(), incarnation);
    return { store, proxy, incarnation, claim: await committed(store, claim) };
  }

  const both = (['before the request', 'before the answer'] as const).flatMap((cut) =>
    cases.map((row) => [row[0], cut, row] as const),
  );
  it.each(both)(
    'leaves the outcome of %s unknown when it is cut %s, and nothing is sent again',
    async (name, cut: Cut, [, script, act, isDone]) => {
      const { proxy, ...all } = await scene();
      proxy.cutAt(script.sha, cut);
      await expect(act(all)).rejects.toMatchObject({
        reason: 'STORE_UNAVAILABLE',
        outcome: 'unknown',
      });
      expect(proxy.cuts).toBe(1);
      const done = await untilAnswered(() => isDone(all));
      // Each step of an erasure before its end leaves the rest to be done, by whoever erases or claims next.
      const isErasure = name.startsWith('eraseProject');
      expect(done).toBe(
        (cut === 'before the answer' && name !== 'a first claim' && script !== BEGIN) ||
          (isErasure && script !== BEGIN && script !== MARK),
      );
      if (isErasure) {
        const again = await all.store.claim(claimRequest(all.claim.key, all.incarnation));
        const known = again.type === 'claimed' && again.activation.known;
        expect(known).toBe(!done);
      }
    },
  );
});

describe('Redis that stands still', () => {
  it('is away after the time of a call, then at once; on its return leases that lived count on', async () => {
    const server = await redisServer();
    const store = await open(server.url, { timeoutMs: 1_000 });
    const record = runtimeRecord();
    await store.heartbeat(record, 5_000);
    const { claim } = await claimed(store, newKey(), record.incarnation);
    server.signal('SIGSTOP');
    await expect(store.commit(commitOf(claim))).rejects.toMatchObject({ outcome: 'unknown' });
    const atMs = clock.nowMs();
    await expect(store.commit(commitOf(claim))).rejects.toMatchObject({ outcome: 'not-applied' });
    expect(clock.nowMs() - atMs).toBeLessThan(1_000);
    await clock.sleep(5_500);
    server.signal('SIGCONT');
    expect(await untilAnswered(() => store.readOwner(claim.key))).toMatchObject({
      incarnation: record.incarnation,
    });
    // The first one reached Redis before or after its stop: the record says which.
    const { seq } = (await store.readProject(claim.key))!;
    expect([0, 1]).toContain(seq);
    expect(await store.commit(commitOf({ ...claim, seq }))).toMatchObject({
      type: 'committed',
      seq: seq + 1,
    });
  });

  it('is noticed by who asks nothing', async () => {
    const server = await redisServer();
    const store = await open(server.url, { timeoutMs: 1_000 });
    const heard = Promise.withResolvers<undefined>();
    let isStopped = false;
    store.subscribe('pools', () => {
      if (isStopped) heard.resolve(undefined);
    });
    await store.listPools();
    await server.kill('SIGKILL');
    isStopped = true;
    await server.start();
    await heard.promise;
    expect(await store.listPools()).toEqual([]);
  });

  it('is listened to again on its return, for the tier of one project too', async () => {
    const server = await redisServer(ALWAYS);
    const key = newKey();
    const runtime = await open(server.url, { timeoutMs: 1_000, pool: POOL });
    const gateway = await open(server.url, { timeoutMs: 1_000 });
    let heard = 0;
    runtime.subscribe('tiers', () => (heard += 1), key);
    await server.kill('SIGKILL');
    await server.start();
    await untilAnswered(() => runtime.readTierOverride(key));
    await until('all was looked at once more', () => heard > 0);
    const before = heard;
    await untilAnswered(() => gateway.setTierOverride(key, { tier: 'HOT', sinceMs: 1 }, 0));
    await until('it was told of', () => heard > before);
    expect(await runtime.readTierOverride(key)).toMatchObject({ tier: 'HOT' });
  });
});

describe('a part of a Redis Cluster', () => {
  it('is refused at the start, as it holds some of the keys only', async () => {
    const node = async () => {
      const [port, bus] = [String(await freePort()), String(await freePort())];
      const server = await redisServer({ port, 'cluster-enabled': 'yes', 'cluster-port': bus });
      return { server, port, bus };
    };
    const [one, other] = [await node(), await node()];
    await other.server.admin((redis) => redis.call('CLUSTER', 'ADDSLOTSRANGE', 8_000, 16_383));
    await one.server.admin(async (redis) => {
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, 7_999);
      await redis.call('CLUSTER', 'MEET', '127.0.0.1', other.port, other.bus);
      while (!(await redis.cluster('INFO')).includes('cluster_size:2')) await clock.sleep(20);
    });
    await expect(open(one.server.url)).rejects.toThrow('one of 2 nodes of a Redis Cluster');
  });
});

describe('minReplicas', () => {
  it('makes what fewer replicas have an unknown outcome, and says so beforehand', async () => {
    const port = await freePort();
    const primary = await redisServer({
      port: String(port),
      'repl-diskless-sync-delay': '0',
      ...ALWAYS,
    });
    const alone = await open(primary.url, { minReplicas: 1 });
    expect(alone.durability).toMatchObject({ durable: false, reason: 'RedisReplicasMissing' });
    const replica = await redisServer({ replicaof: `127.0.0.1 ${port}` });
    await replica.admin(async (redis) => {
      while (!(await redis.info('replication')).includes('master_link_status:up'))
        await clock.sleep(20);
    });
    const wrong = await open(replica.url);
    expect(wrong.durability).toMatchObject({ durable: false, reason: 'RedisIsReplica' });
    const store = await open(primary.url, { minReplicas: 1 });
    expect(store.durability).toMatchObject({ durable: true, reason: 'RedisFsyncAlways' });
    const { incarnation } = await joined(store);
    const claims = await Promise.all(
      Array.from({ length: 20 }, () => claimed(store, newKey(), incarnation)),
    );
    const [first, ...rest] = await Promise.all(claims.map(({ claim }) => committed(store, claim)));
    expect(rest).toHaveLength(19);
    const copied = await replica.admin((redis) =>
      redis.hget(`agentpool:{${first!.key}}:record`, 'seq'),
    );
    expect(copied).toBe('1');
    await replica.kill();
    await expect(store.commit(commitOf(first!))).rejects.toMatchObject({
      outcome: 'unknown',
      message: expect.stringContaining('0 of 1 replicas'),
    });
    expect(await store.readProject(first!.key)).toMatchObject({ seq: 2 });
  });

  it('connects anew when its primary has become a replica', async () => {
    const server = await redisServer();
    const store = await open(server.url);
    const { incarnation } = await joined(store);
    const { claim } = await claimed(store, newKey(), incarnation);
    await server.admin((redis) => redis.replicaof('127.0.0.1', 1));
    await expect(store.commit(commitOf(claim))).rejects.toMatchObject({ outcome: 'not-applied' });
    await server.admin((redis) => redis.replicaof('NO', 'ONE'));
    expect(await untilAnswered(() => store.commit(commitOf(claim)))).toMatchObject({
      type: 'committed',
      seq: 1,
    });
  });
});
