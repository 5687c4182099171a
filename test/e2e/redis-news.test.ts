/** What the news of runtimes costs on a real Redis: who follows them asks for nothing, and for everything where it may have missed something. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { agentPoolSpecSchema } from '../../api/agent-pool.ts';
import { PoolView } from '../../agent-runtime/host/pool-view.ts';
import { Membership } from '../../gateway/membership.ts';
import { systemClock as clock } from '../../platform/clock.ts';
import { silentLog as log } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import type { RuntimeRecord } from '../../platform/store/store.ts';
import { POOL, runtimeRecord } from '../conformance/store-builders.ts';
import { RedisServer } from './redis-server.ts';

const STANDBYS = 40;
/** No lease ends here, however slow the machine is. */
const TTL_MS = 60_000;
const projectOf = (standby: RuntimeRecord): string => `${POOL}~acme~${standby.name}`;

describe('news of runtimes on Redis', () => {
  let server: RedisServer;
  let writer: RedisStore;
  let stores: RedisStore[];
  let gateways: readonly Membership[];
  let shared: PoolView;
  const standbys = Array.from({ length: STANDBYS }, () =>
    runtimeRecord({ role: 'dedicated', ready: true }),
  );

  const open = async (pool?: string): Promise<RedisStore> => {
    const scope = pool === undefined ? {} : { pool };
    const store = await openRedisStore({
      access: { url: server.url },
      clock,
      random,
      log,
      ...scope,
    });
    stores.push(store);
    return store;
  };

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    stores = [];
    await server.admin((redis) => redis.flushall());
    writer = await open();
    const spec = agentPoolSpecSchema.parse({});
    await writer.putPool({ key: POOL, generation: 1, spec, status: {}, revision: 'r1' });
    for (const standby of standbys) await writer.heartbeat(standby, TTL_MS);
    gateways = await Promise.all(
      [await open(), await open()].map(async (store) => {
        const gateway = new Membership({ store, clock, log, defaultNamespace: 'default' });
        await gateway.start();
        return gateway;
      }),
    );
    const ports = { clock, log, store: await open(POOL), onChange: () => undefined };
    shared = new PoolView(ports, POOL, 'shared');
    await shared.start();
    // What the connections told at their beginning has been read.
    for (let before = -1; before !== (await calls('hmget'));) before = await calls('hmget');
    await server.admin((redis) => redis.config('RESETSTAT'));
  });
  afterEach(async () => {
    for (const gateway of gateways) gateway.stop();
    shared.stop();
    for (const store of stores) await store.close();
  });

  /** How often each command ran since the beginning, those in scripts included. */
  async function calls(command: string): Promise<number> {
    const stats = await server.admin((redis) => redis.info('commandstats'));
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  }

  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => clock.after(5, resolve));
  }

  const boundAt = (gateway: Membership): number =>
    gateway.runtimesOf(POOL).filter(({ bound }) => bound !== undefined).length;

  it('of forty promotions makes nobody read, and nobody look for leases that end', async () => {
    await Promise.all(
      standbys.map((standby) =>
        writer.heartbeat({ ...standby, bound: projectOf(standby) }, TTL_MS),
      ),
    );
    await until(() => shared.hotProjects === STANDBYS);
    await until(() => gateways.every((gateway) => boundAt(gateway) === STANDBYS));
    expect(standbys.every((standby) => shared.dedicatedOf(projectOf(standby)))).toBe(true);
    // LIVE_RUNTIMES alone asks with HMGET, EXPIRE alone with ZRANGE.
    expect(await calls('hmget')).toBe(0);
    expect(await calls('zrange')).toBeLessThanOrEqual(stores.length);
    expect(await calls('publish')).toBe(STANDBYS);
  });

  it('of those that go names them', async () => {
    await Promise.all(standbys.map(({ incarnation }) => writer.deregister(incarnation)));
    await until(() => gateways.every((gateway) => gateway.runtimesOf(POOL).length === 0));
    expect(await calls('hmget')).toBe(0);
  });

  it.each([
    ['empty, as of older versions', ''],
    ['of a kind that nobody knows', '{"version":9}'],
  ])('that is %s makes all read', async (_, message) => {
    const [first] = standbys;
    const record = JSON.stringify({ ...first, bound: `${POOL}~acme~old` });
    await server.admin(async (redis) => {
      await redis.hset(`agentpool:{${POOL}}:runtimes`, first?.incarnation ?? '', record);
      await redis.publish(`agentpool:changed:${POOL}:runtimes`, message);
    });
    await until(() => shared.hotProjects === 1);
    await until(() => gateways.every((gateway) => boundAt(gateway) === 1));
    expect(await calls('hmget')).toBe(gateways.length + 1);
  });
});
