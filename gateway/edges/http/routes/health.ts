/** What the gateway can serve, as a list of checks. */
import type { PoolHealth, Pools } from '../../../service/pools.ts';
import type { PoolHealthMessage } from '../messages/pools.ts';

export type PoolsHealth = Pick<Pools, 'health' | 'isReady' | 'isLeaving'>;

export function healthOf(pools: PoolsHealth): PoolHealthMessage {
  const found = pools.health();
  // Without pools a gateway is ready as soon as it has read the store, unless it is to have some.
  const isStoreKnown = found.length > 0 || pools.isReady || pools.isLeaving;
  const unserved = found.filter((pool) => statusOf(pool) === 'unavailable').length;
  const checks = [
    { name: 'store', ok: isStoreKnown, message: isStoreKnown ? 'read' : 'no pool was read yet' },
    {
      name: 'pools',
      ok: unserved === 0,
      message: unserved === 0 ? 'served' : `${unserved} of ${found.length} have no ready runtime`,
    },
    ...(pools.isLeaving ? [{ name: 'gateway', ok: false, message: 'stops' }] : []),
  ];
  return {
    status: checks.every(({ ok }) => ok) ? 'ok' : 'unavailable',
    pools: found.map((pool) => ({
      name: pool.name,
      status: statusOf(pool),
      ready_runtimes: pool.readyRuntimes,
    })),
    checks,
  };
}

export function isHealthy({ status }: PoolHealthMessage): boolean {
  return status === 'ok';
}

function statusOf({ isSuspended, readyRuntimes }: PoolHealth): 'ok' | 'unavailable' | 'suspended' {
  if (isSuspended) return 'suspended';
  return readyRuntimes > 0 ? 'ok' : 'unavailable';
}
