/** Runs the conformance suite of the store over a real Redis: alone, and as a node of a cluster, which refuses whatever crosses slots. */
import { afterAll, beforeAll, describe } from '@jest/globals';
import type { Redis } from 'ioredis';
import { silentLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { openRedisStore } from '../../platform/store/redis/redis-store.ts';
import { countRows } from '../e2e/redis-rows.ts';
import { freePort, RedisServer, type RedisSettings } from '../e2e/redis-server.ts';
import { FakeClock, settle } from '../fakes/fake-clock.ts';
import { describeStore, type StoreFixture } from './store.ts';

async function open(server: RedisServer): Promise<StoreFixture> {
  await server.admin((redis) => redis.flushall());
  const clock = new FakeClock();
  const store = await openRedisStore({
    access: { url: server.url },
    clock,
    random: systemRandom,
    log: silentLog,
    serverTimeMs: () => clock.nowMs(),
  });
  const keyCount = (): Promise<number> => server.admin((redis) => countRows(redis));
  return { store, clock, keyCount, close: () => store.close() };
}

async function formCluster(redis: Redis): Promise<void> {
  await redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
  while (!(await redis.cluster('INFO')).includes('cluster_state:ok')) await settle();
}

describe.each<[string, RedisSettings]>([
  ['Redis', {}],
  ['a node of a Redis cluster', { 'cluster-enabled': 'yes' }],
])('on %s', (name, settings) => {
  let server: RedisServer;
  beforeAll(async () => {
    const isCluster = settings['cluster-enabled'] === 'yes';
    // Without one of its own every node of this machine would want the same port.
    const bus = isCluster ? { 'cluster-port': String(await freePort()) } : {};
    server = await RedisServer.start({ ...settings, ...bus });
    if (isCluster) await server.admin(formCluster);
  });
  afterAll(() => server.stop());
  describeStore(name, () => open(server));
});
