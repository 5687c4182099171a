/** Counts what AgentPool keeps in a Redis as the ordered map would: one row per element, what only indexes it not counted twice. */
import type { Redis } from 'ioredis';

/** Leases stay in memory elsewhere; the set of pools and a pool's counters are there once for good. */
const UNCOUNTED = /:(leases|runtimes|gone|pools|projects|counters)$/;

export async function countRows(redis: Redis, prefix = 'agentpool'): Promise<number> {
  const keys = (await redis.keys(`${prefix}:*`)).filter((key) => !UNCOUNTED.test(key));
  const sizes = new Map(
    await Promise.all(keys.map(async (key) => [key, await size(redis, key)] as const)),
  );
  let rows = 0;
  for (const [key, count] of sizes) {
    // An index of `conversations`: as long as that.
    const indexed = key.replace(/:names$/, ':conversations');
    if (indexed === key) rows += count;
    else rows += Math.abs(count - (sizes.get(indexed) ?? 0));
  }
  return rows;
}

async function size(redis: Redis, key: string): Promise<number> {
  // A record is one row, whatever its fields.
  if (key.endsWith(':record')) return 1;
  switch (await redis.type(key)) {
    case 'hash':
      return redis.hlen(key);
    case 'list':
      return redis.llen(key);
    case 'zset':
      return redis.zcard(key);
    case 'set':
      return redis.scard(key);
    default:
      return 1;
  }
}
