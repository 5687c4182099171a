/**
 * The leases of runtimes: in the memory of whoever owns the store, never on the disk, so a restarted owner knows nobody alive and
 * everything is claimable (claim ids fence anyway). Judged by the monotonic clock.
 */
import { isDeepStrictEqual } from 'node:util';
import type { PoolKey } from '../../core/identifiers.ts';
import { StoreError } from './store-error.ts';
import type { RuntimeChange, RuntimeRecord } from './store.ts';
import type { Clock, Timer } from '../clock.ts';

const TICK_MS = 250;
/** Not having looked for longer than this (and a tick) means that this process itself stood still. */
const OWN_PAUSE_MS = 1_000;
/** Incarnations that said goodbye and must not come back by a late heartbeat. */
const GONE_MAX = 1_000;

interface Lease {
  readonly record: RuntimeRecord;
  readonly ttlMs: number;
  readonly expiresAtMs: number;
}

type OnLeases = (pool: PoolKey, changes: readonly RuntimeChange[]) => void;

export class LeaseTable {
  readonly #clock: Clock;
  readonly #onChange: OnLeases;
  readonly #leases = new Map<string, Lease>();
  readonly #gone = new Set<string>();
  #lookedAtMs = 0;
  #tick: Timer | undefined;

  /** @param onChange after any change of what `list` answers for the pool. */
  constructor(clock: Clock, onChange: OnLeases) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  heartbeat(record: RuntimeRecord, ttlMs: number): void {
    if (this.#gone.has(record.incarnation)) {
      throw new StoreError(
        `runtime ${record.incarnation} was deregistered and cannot come back`,
        'not-applied',
      );
    }
    const nowMs = this.#look();
    const known = this.#leases.get(record.incarnation);
    this.#leases.set(record.incarnation, { record, ttlMs, expiresAtMs: nowMs + ttlMs });
    this.#tick ??= this.#clock.after(TICK_MS, this.#onTick);
    if (known === undefined || !isDeepStrictEqual(known.record, record))
      this.#onChange(record.pool, [{ type: 'lives', record }]);
  }

  deregister(incarnation: string): void {
    this.#gone.add(incarnation);
    if (this.#gone.size > GONE_MAX) {
      for (const oldest of this.#gone) {
        this.#gone.delete(oldest);
        break;
      }
    }
    const known = this.#leases.get(incarnation);
    if (known === undefined) return;
    this.#leases.delete(incarnation);
    this.#onChange(known.record.pool, [{ type: 'gone', incarnation }]);
  }

  /** The record of a runtime whose lease lives. */
  find(incarnation: string): RuntimeRecord | undefined {
    this.#look();
    return this.#leases.get(incarnation)?.record;
  }

  /** @param pool left out: all. */
  list(pool?: PoolKey): readonly RuntimeRecord[] {
    this.#look();
    const all = [...this.#leases.values()].map((lease) => lease.record);
    return pool === undefined ? all : all.filter((record) => record.pool === pool);
  }

  close(): void {
    this.#tick?.cancel();
    this.#tick = undefined;
    this.#leases.clear();
  }

  readonly #onTick = (): void => {
    this.#look();
    this.#tick = this.#leases.size > 0 ? this.#clock.after(TICK_MS, this.#onTick) : undefined;
  };

  /** Ends what has expired, after forgiving everybody the time in which nobody could have been heard. */
  #look(): number {
    const nowMs = this.#clock.nowMs();
    const paused = nowMs - this.#lookedAtMs > OWN_PAUSE_MS + TICK_MS;
    if (paused && this.#tick !== undefined) this.#extendAll(nowMs);
    this.#lookedAtMs = nowMs;
    for (const [incarnation, lease] of this.#leases) {
      if (lease.expiresAtMs > nowMs) continue;
      this.#leases.delete(incarnation);
      this.#onChange(lease.record.pool, [{ type: 'gone', incarnation }]);
    }
    return nowMs;
  }

  #extendAll(nowMs: number): void {
    for (const [incarnation, lease] of this.#leases) {
      this.#leases.set(incarnation, { ...lease, expiresAtMs: nowMs + lease.ttlMs });
    }
  }
}
