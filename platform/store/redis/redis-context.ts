/** What every part of the Redis store works with. */
import type { PoolKey } from '../../../core/identifiers.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';

export interface RedisContext {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  /** Absent: all pools. */
  readonly pool: PoolKey | undefined;
  /** The first argument of every script: empty, but in tests. */
  readonly time: () => string;
}

/** One command that only reads. */
export function read(
  { connection }: RedisContext,
  name: string,
  command: readonly [string, ...(string | number)[]],
): Promise<unknown> {
  const [first, ...args] = command;
  return connection.call({ name, writes: false, command: first, args });
}
