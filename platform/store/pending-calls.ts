/** Calls that wait for an answer: each ends exactly once, by answer, lost connection or time; none is ever sent twice. */
import type { Clock, Timer } from '../clock.ts';
import { StoreError } from './store-error.ts';
import { STORE_METHODS, type StoreMethod } from './store-methods.ts';

export interface Call {
  readonly id: number;
  readonly method: StoreMethod;
  readonly frame: Buffer;
  readonly deadlineMs: number;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Entry {
  readonly call: Call;
  sent: boolean;
}

export class PendingCalls {
  readonly #clock: Clock;
  /** In the order of their ids, so of their deadlines too: all have the same time. */
  readonly #entries = new Map<number, Entry>();
  #timer: Timer | undefined;
  #frameBytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  get frameBytes(): number {
    return this.#frameBytes;
  }

  add(call: Call): void {
    this.#entries.set(call.id, { call, sent: false });
    this.#frameBytes += call.frame.length;
    this.#timer ??= this.#clock.after(call.deadlineMs - this.#clock.nowMs(), this.#onTime);
  }

  /** From here on nobody knows whether it was applied, until it is answered. */
  markSent(id: number): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.sent = true;
  }

  unsent(): readonly Call[] {
    return [...this.#entries.values()].filter((entry) => !entry.sent).map((entry) => entry.call);
  }

  take(id: number): Call | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    this.#frameBytes -= entry.call.frame.length;
    return entry.call;
  }

  /** The connection they were sent on is gone. */
  failSent(why: string): void {
    for (const entry of [...this.#entries.values()]) if (entry.sent) this.#fail(entry, why);
  }

  failAll(why: string): void {
    for (const entry of [...this.#entries.values()]) this.#fail(entry, why);
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #fail(entry: Entry, why: string): void {
    const { id, method, reject } = entry.call;
    this.take(id);
    const unknown = entry.sent && STORE_METHODS[method].writes;
    reject(new StoreError(`${method}: ${why}`, unknown ? 'unknown' : 'not-applied'));
  }

  readonly #onTime = (): void => {
    this.#timer = undefined;
    const nowMs = this.#clock.nowMs();
    for (const entry of [...this.#entries.values()]) {
      const leftMs = entry.call.deadlineMs - nowMs;
      if (leftMs > 0) {
        this.#timer = this.#clock.after(leftMs, this.#onTime);
        return;
      }
      this.#fail(entry, 'the store did not answer in time');
    }
  };
}
