/**
 * This runtime's lease in the store: renews it, and says at any moment whether it may still be trusted (architecture, "Ownership and
 * fencing"). Knows nothing of projects: what is to be done when it is lost or comes back is told by callbacks.
 */
import type { Clock, Timer } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import {
  LEASE_FENCE_MS,
  LEASE_RENEW_MS,
  LEASE_TTL_MS,
  type RuntimeRecord,
  type Store,
} from '../../platform/store/store.ts';

/** Renewals without an answer; more are not sent until one returns. */
const RENEWALS_IN_FLIGHT_MAX = 3;

export interface LeasePorts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'heartbeat' | 'deregister' | 'subscribe'>;
  readonly log: Log;
  /** What to write with the next renewal. */
  record(lease: { readonly held: boolean }): RuntimeRecord;
  /** Called once per loss, before anything else can be acknowledged. */
  onFenced(): void;
  /** The store answers again: compares what this runtime owns with the store. Rejects: stay fenced, ask again. */
  verify(): Promise<void>;
  /** After `verify`, when the lease is trusted again. */
  onRestored(): void;
}

type LeaseState =
  | { readonly type: 'starting' }
  | { readonly type: 'held' }
  | { readonly type: 'fenced' }
  /** Renewed, but not yet compared with the store. */
  | { readonly type: 'verifying' }
  | { readonly type: 'stopped' };

export class Lease {
  readonly #ports: LeasePorts;
  #state: LeaseState = { type: 'starting' };
  /** When the last renewal that succeeded was sent. */
  #renewedAtMs = -Infinity;
  #inFlight = 0;
  /** A change that could not be sent, as too many were under way. */
  #isOwed = false;
  #renewTimer: Timer | undefined;
  #fenceTimer: Timer | undefined;
  #waiting: (() => void)[] = [];
  #unsubscribe: (() => void) | undefined;

  constructor(ports: LeasePorts) {
    this.#ports = ports;
  }

  /**
   * Whether this runtime may start and acknowledge work now. Looks at the clock each time: a process that was frozen learns it
   * here even when its timers have not fired yet.
   */
  get held(): boolean {
    if (this.#is('held')) this.#fenceIfStale();
    return this.#is('held');
  }

  get stopped(): boolean {
    return this.#state.type === 'stopped';
  }

  /** Resolves when the lease is held, or at once when it never will be again (`stopped`). */
  async whenHeld(): Promise<void> {
    while (!this.held && !this.stopped) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
  }

  /** Registers and keeps renewing; resolves when the store has answered for the first time. */
  async start(): Promise<void> {
    // Said of no pool it is what a store says that can be reached again. It forgives a lease once until it is renewed, and may soon be gone again.
    this.#unsubscribe = this.#ports.store.subscribe('pools', (pool) => {
      if (pool === undefined) this.publish();
    });
    this.#tick();
    await this.whenHeld();
  }

  /** Writes a changed record now instead of with the next renewal. */
  publish(): void {
    if (this.#state.type !== 'stopped') void this.#renew();
  }

  /** Nothing is renewed or trusted after this. */
  stop(): void {
    this.#renewTimer?.cancel();
    this.#fenceTimer?.cancel();
    this.#unsubscribe?.();
    this.#state = { type: 'stopped' };
    this.#wake();
  }

  #is(type: LeaseState['type']): boolean {
    return this.#state.type === type;
  }

  #isFresh(): boolean {
    return this.#ports.clock.nowMs() - this.#renewedAtMs < LEASE_FENCE_MS;
  }

  readonly #tick = (): void => {
    this.#renewTimer = this.#ports.clock.after(LEASE_RENEW_MS, this.#tick);
    void this.#renew();
  };

  async #renew(): Promise<void> {
    if (this.#inFlight >= RENEWALS_IN_FLIGHT_MAX) {
      this.#isOwed = true;
      return;
    }
    const { clock, store, log } = this.#ports;
    const sentAtMs = clock.nowMs();
    this.#inFlight += 1;
    try {
      await store.heartbeat(this.#ports.record({ held: this.held }), LEASE_TTL_MS);
      this.#renewed(sentAtMs);
    } catch (error) {
      log.debug('lease not renewed', { err: error });
    } finally {
      this.#inFlight -= 1;
    }
    if (!this.#isOwed) return;
    this.#isOwed = false;
    this.publish();
  }

  #renewed(sentAtMs: number): void {
    if (this.#state.type === 'stopped') return;
    // Looked at before the answer counts: an answer that comes late must not hide that the lease had lapsed in between.
    this.#fenceIfStale();
    this.#renewedAtMs = Math.max(this.#renewedAtMs, sentAtMs);
    if (!this.#isFresh()) return;
    this.#armFence();
    if (this.#state.type === 'fenced') void this.#verify();
    else if (this.#state.type === 'starting') this.#hold();
  }

  #fenceIfStale(): void {
    if (!this.#isFresh()) this.#fence();
  }

  #armFence(): void {
    const { clock } = this.#ports;
    this.#fenceTimer?.cancel();
    const leftMs = this.#renewedAtMs + LEASE_FENCE_MS - clock.nowMs();
    this.#fenceTimer = clock.after(leftMs, () => {
      this.#fenceIfStale();
    });
  }

  #fence(): void {
    if (this.#state.type !== 'held') return;
    this.#state = { type: 'fenced' };
    this.#ports.log.warn('lease lost: nothing is started or acknowledged until the store answers');
    this.#ports.onFenced();
  }

  async #verify(): Promise<void> {
    this.#state = { type: 'verifying' };
    try {
      await this.#ports.verify();
    } catch (error) {
      this.#ports.log.debug('owned projects not compared', { err: error });
      if (this.#is('verifying')) this.#state = { type: 'fenced' };
      return;
    }
    if (!this.#is('verifying')) return;
    if (this.#isFresh()) this.#hold();
    else this.#state = { type: 'fenced' };
  }

  #hold(): void {
    const restored = this.#state.type === 'verifying';
    this.#state = { type: 'held' };
    if (restored) {
      this.#ports.log.info('lease restored');
      this.#ports.onRestored();
    }
    this.publish();
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
