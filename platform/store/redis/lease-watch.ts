/** Says when a lease has ended: nobody writes then, so somebody must look. One look per lease time while nothing happens. */
import type { PoolKey } from '../../../core/identifiers.ts';
import type { Clock, Timer } from '../../clock.ts';
import type { RedisLeases } from './redis-leases.ts';

/** After a look that failed; a new connection looks at once. */
const RETRY_MS = 1_000;

export class LeaseWatch {
  readonly #leases: RedisLeases;
  readonly #clock: Clock;
  /** When a lease of the pool ends at the earliest, by our clock. */
  readonly #dueMs = new Map<PoolKey, number>();
  #timer: Timer | undefined;
  #isWanted = false;
  #stopped = false;

  constructor(leases: RedisLeases, clock: Clock) {
    this.#leases = leases;
    this.#clock = clock;
  }

  /** Somebody wants to hear of runtimes from now on. */
  start(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.lookAtAll();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  lookAtAll(): void {
    if (!this.#isWanted || this.#stopped) return;
    this.#leases.pools().then(
      (pools) => pools.forEach((pool) => this.lookAt(pool)),
      // Without a connection; the next one looks.
      () => undefined,
    );
  }

  lookAt(pool: PoolKey): void {
    if (!this.#isWanted || this.#stopped) return;
    this.#dueMs.delete(pool);
    // Before it was asked: rather look too early than too late.
    const askedAtMs = this.#clock.nowMs();
    this.#leases.expire(pool).then(
      (inMs) => {
        if (inMs !== undefined) this.#expect(pool, askedAtMs + Math.max(1, inMs));
      },
      () => this.#expect(pool, this.#clock.nowMs() + RETRY_MS),
    );
  }

  #expect(pool: PoolKey, dueMs: number): void {
    if (dueMs <= this.#clock.nowMs()) {
      this.lookAt(pool);
      return;
    }
    this.#dueMs.set(pool, dueMs);
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#stopped || this.#dueMs.size === 0) return;
    const earliestMs = Math.min(...this.#dueMs.values());
    this.#timer = this.#clock.after(earliestMs - this.#clock.nowMs(), () => {
      const nowMs = this.#clock.nowMs();
      for (const [pool, dueMs] of this.#dueMs) if (dueMs <= nowMs) this.lookAt(pool);
      this.#arm();
    });
  }
}
