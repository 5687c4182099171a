/** What every part of the Redis store works with. */
import type { PoolKey } from '../../../core/identifiers.ts';
import type { AnswerRoom } from './answer-room.ts';
import type { BrokenValues } from './broken-values.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';

export interface RedisContext {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  /** Absent: all pools. */
  readonly pool: PoolKey | undefined;
  /** Who asks for much asks here first. */
  readonly answers: AnswerRoom;
  /** Who reads or writes keys of several pools asks within it. */
  readonly broken: BrokenValues;
  /** The first argument of every script: empty, but in tests. */
  readonly time: () => string;
}

/** One command that only reads. */
export function read(
  { connection }: RedisContext,
  name: string,
  command: readonly [string, ...(string | number)[]],
  answerBytes = 0,
): Promise<unknown> {
  const [first, ...args] = command;
  return connection.call({ name, writes: false, command: first, args, answerBytes });
}
