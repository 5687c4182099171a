/** What AgentPool leaves in Redis: only keys that the manual names, nothing after a deletion, and no writes of somebody who is idle. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { erasePool } from '../../operator/pool/erase-pool.ts';
import { silentLog as log } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import {
  claimed,
  claimRequest,
  committed,
  join as joined,
  newKey,
  POOL,
  taskCommit,
} from '../conformance/store-builders.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { RedisServer } from './redis-server.ts';

const { signal } = new AbortController();

/** The keys of the table, as patterns. */
function documentedKeys(): readonly RegExp[] {
  const page = readFileSync(new URL('../../docs/redis.md', import.meta.url), 'utf8');
  const rows = page.slice(page.indexOf('## Every key')).matchAll(/^\| `([^`]+)` +\|/gm);
  return [...rows].map(([, row = '']) => {
    const key = row.replace('…', 'P:{ns~pool~tenant~project}');
    const pattern = key
      .replace(/[{}~]/g, (sign) => `\\${sign}`)
      .replace(/\b(ns|pool(?=[~\\])|tenant|project(?=\\))/g, '[^~:{}]+')
      .replace('NAME', '.+');
    return new RegExp(`^${pattern.replace(/^P:/, 'agentpool:')}$`);
  });
}

describe('the keys of the store on Redis', () => {
  let server: RedisServer;
  let store: RedisStore;
  let clock: FakeClock;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    await server.admin((redis) => redis.flushall());
    clock = new FakeClock();
    const serverTimeMs = (): number => clock.nowMs();
    store = await openRedisStore({
      access: { url: server.url },
      clock,
      random,
      log,
      serverTimeMs,
    });
  });
  afterEach(() => store.close());
  const keys = (): Promise<readonly string[]> => server.admin((redis) => redis.keys('*'));

  /** A pool with everything that a pool can have. */
  async function live(): Promise<{ readonly incarnation: string }> {
    await store.putPool({ key: POOL, generation: 1, spec: {}, status: {}, revision: 'r' });
    const runtime = await joined(store);
    const other = await joined(store);
    for (const key of [newKey(), newKey('other')]) {
      const { claim } = await claimed(store, key, other.incarnation);
      const takeover = { incarnation: other.incarnation, epoch: 1, refused: false };
      const taken = await store.claim(claimRequest(key, runtime.incarnation, { takeover }));
      if (taken.type !== 'claimed') throw new Error(taken.type);
      const again = taskCommit({ requestId: 'again' });
      const writes = [{ agent: 'a', key: 'k', json: '1' }];
      await committed(store, taken.activation.claim, {
        tasks: [again, again, taskCommit({}, { writes })],
        leases: [{ id: 'l', expiresAtMs: 1 }],
        rate: { tokens: 1, atMs: 1 },
        paused: true,
      });
      await store.setTierOverride(key, { tier: 'HOT', sinceMs: 1 }, 0);
      expect(await store.commit({ ...COMMIT, claim })).toEqual({ type: 'refused' });
    }
    await store.deregister(other.incarnation);
    return runtime;
  }
  const COMMIT = {
    tasks: [],
    retention: { resultMs: 1, resultsMax: 1, resultBytesMax: 1, turnsMaxPerConversation: 1 },
    flush: false,
    wallMs: 1,
  } as const;

  it('are those of the manual, each of them', async () => {
    await live();
    const documented = documentedKeys();
    const found = await keys();
    const strange = found.filter((key) => !documented.some((pattern) => pattern.test(key)));
    expect(strange).toEqual([]);
    const unseen = documented.filter((pattern) => !found.some((key) => pattern.test(key)));
    expect(unseen.map(String)).toEqual([expect.stringContaining('erasing')]);
  });

  it('vanish with their pool under deletionPolicy Delete, but for the short memory of who has left', async () => {
    const { incarnation } = await live();
    await store.deregister(incarnation);
    await erasePool(store, POOL, 'Delete', signal);
    const gone = `agentpool:{${POOL}}:gone`;
    expect(await keys()).toEqual([gone]);
    expect(await server.admin((redis) => redis.pttl(gone))).toBeGreaterThan(0);
  });

  it('stay with their projects under deletionPolicy Retain, and serve a pool of the same name', async () => {
    const { incarnation } = await live();
    await store.deregister(incarnation);
    await erasePool(store, POOL, 'Retain', signal);
    expect(await store.listPools()).toEqual([]);
    await store.putPool({ key: POOL, generation: 2, spec: {}, status: {}, revision: 'r' });
    const projects = await store.listProjects(POOL, { limit: 10 });
    expect(projects).toHaveLength(2);
    expect(await store.listTierOverrides(POOL)).toHaveLength(2);
    const next = await joined(store);
    expect((await claimed(store, projects[0]!.key, next.incarnation)).results).toHaveLength(3);
  });

  it('are erased to the end by who claims a project whose erasure was interrupted', async () => {
    const { incarnation } = await live();
    const [project] = await store.listProjects(POOL, { limit: 1 });
    const record = `agentpool:{${project!.key}}:record`;
    await server.admin((redis) => redis.hset(record, 'erased', '1'));
    expect(await store.readProject(project!.key)).toBeUndefined();
    const { state, results, known } = await claimed(store, project!.key, incarnation);
    expect({ state, results, known }).toEqual({ state: [], results: [], known: false });
  });

  it('are not written by who is idle, and hardly read', async () => {
    await live();
    for (const topic of ['pools', 'runtimes', 'tiers'] as const)
      store.subscribe(topic, () => undefined);
    await store.listPools();
    const minute = async (): Promise<void> => {
      for (let second = 0; second < 60; second += 1) {
        await clock.advance(1_000);
        await store.listPools();
      }
    };
    // What is left to be said (the lease that ends) is said in the first one.
    await minute();
    const before = await server.admin(commandCounts);
    await minute();
    const after = await server.admin(commandCounts);
    const calls = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    // Each of the two connections every five seconds.
    expect(calls('ping')).toBeLessThanOrEqual(24);
    expect(calls('evalsha')).toBeLessThanOrEqual(5);
    for (const write of ['set', 'hset', 'hdel', 'zadd', 'zrem', 'publish', 'del', 'unlink'])
      expect([write, calls(write)]).toEqual([write, 0]);
  });
});

async function commandCounts(redis: Redis): Promise<ReadonlyMap<string, number>> {
  const lines = (await redis.info('commandstats')).matchAll(/^cmdstat_([a-z|]+):calls=(\d+)/gm);
  return new Map([...lines].map(([, name = '', calls]) => [name, Number(calls)]));
}
