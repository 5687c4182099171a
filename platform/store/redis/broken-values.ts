/**
 * What stands in a pool's keys and is not as we write it. Whoever may write those keys may write anything there: that is the pool's own loss, no
 * failure for others, and one line of log now and then, however often it is read.
 */
import type { PoolKey } from '../../../core/identifiers.ts';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { BrokenValueError } from './redis-failure.ts';

/** Of each pool one line in this time. */
const TELL_AGAIN_MS = 600_000;

export class BrokenValues {
  readonly #clock: Clock;
  readonly #log: Log;
  /** When a pool was told of, the longest ago first. */
  readonly #toldAtMs = new Map<PoolKey, number>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** What is answered, or `instead` where the pool's own keys are why nothing is. @throws StoreError: of any other cause */
  async within<Answer>(
    pool: PoolKey,
    instead: Answer,
    ask: () => Promise<Answer>,
  ): Promise<Answer> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof BrokenValueError)) throw error;
      this.tell(pool, error.message);
      return instead;
    }
  }

  tell(pool: PoolKey, what: string): void {
    const nowMs = this.#clock.nowMs();
    for (const [told, atMs] of this.#toldAtMs) {
      if (nowMs - atMs < TELL_AGAIN_MS) break;
      this.#toldAtMs.delete(told);
    }
    if (this.#toldAtMs.has(pool)) return;
    this.#toldAtMs.set(pool, nowMs);
    const detail = { pool, what };
    this.#log.warn('a key of the pool in Redis holds what nobody here writes: left out', {
      detail,
    });
  }
}
