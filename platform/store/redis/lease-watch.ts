/** Says when a lease has ended: nobody writes then, so somebody must look. One look per lease time while nothing happens. */
import type { PoolKey } from '../../../core/identifiers.ts';
import type { Clock, Timer } from '../../clock.ts';
import { LEASE_TTL_MS } from '../lease-times.ts';
import type { RedisLeases } from './redis-leases.ts';

/** After a look that failed; a new connection looks at once. */
const RETRY_MS = 1_000;

export class LeaseWatch {
  readonly #leases: Pick<RedisLeases, 'pools' | 'expire'>;
  readonly #clock: Clock;
  /** When a lease of the pool ends at the earliest, by our clock. */
  readonly #dueMs = new Map<PoolKey, number>();
  /** Pools at which a look is under way, and whether something has changed there since. */
  readonly #looking = new Map<PoolKey, { hasChanged: boolean }>();
  #timer: Timer | undefined;
  #isWanted = false;
  #stopped = false;

  constructor(leases: Pick<RedisLeases, 'pools' | 'expire'>, clock: Clock) {
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

  /** Leases only ever get longer, and all are of one time: the look that is due comes early enough for a new one, too. */
  changed(pool: PoolKey): void {
    if (!this.#dueMs.has(pool)) this.lookAt(pool);
  }

  lookAt(pool: PoolKey): void {
    if (!this.#isWanted || this.#stopped) return;
    const looking = this.#looking.get(pool);
    if (looking !== undefined) {
      looking.hasChanged = true;
      return;
    }
    this.#looking.set(pool, { hasChanged: false });
    this.#dueMs.delete(pool);
    // Before it was asked: rather look too early than too late.
    const askedAtMs = this.#clock.nowMs();
    this.#leases.expire(pool).then(
      (inMs) => this.#looked(pool, askedAtMs, inMs),
      () => {
        this.#looking.delete(pool);
        this.#expect(pool, this.#clock.nowMs() + RETRY_MS);
      },
    );
  }

  /** @param inMs undefined: there was no lease. */
  #looked(pool: PoolKey, askedAtMs: number, inMs: number | undefined): void {
    const hasChanged = this.#looking.get(pool)?.hasChanged === true;
    this.#looking.delete(pool);
    // A clock of Redis that was set back would have us wait for as long as it was set back; what is no number, for no time at all.
    if (inMs !== undefined) this.#expect(pool, askedAtMs + clamp(inMs, 1, LEASE_TTL_MS));
    else if (hasChanged) this.lookAt(pool);
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

const clamp = (value: number, low: number, high: number): number =>
  Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : high;
