/** A clock that stands still until the test moves it; timers fire in order of their time, then of their making. */
import { sleepOn, type Clock, type Timer } from '../../platform/clock.ts';

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

export class FakeClock implements Clock {
  #nowMs: number;
  #wallOffsetMs: number;
  #order = 0;
  #pending: Pending[] = [];

  constructor(nowMs = 1_000_000, wallMs = 1_750_000_000_000) {
    this.#nowMs = nowMs;
    this.#wallOffsetMs = wallMs - nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  after(delayMs: number, fn: () => void): Timer {
    const entry: Pending = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn };
    this.#pending.push(entry);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== entry);
      },
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  get pendingTimers(): number {
    return this.#pending.length;
  }

  /** Time of the earliest timer, if any. */
  get nextAtMs(): number | undefined {
    return this.#earliest()?.atMs;
  }

  /** Moves time on and runs what falls due, letting promises settle after each timer. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    for (
      let due = this.#earliest();
      due !== undefined && due.atMs <= untilMs;
      due = this.#earliest()
    ) {
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      this.#pending = this.#pending.filter((other) => other !== due);
      due.fn();
      await settle();
    }
    this.#nowMs = untilMs;
    await settle();
  }

  /** The process stands still (a pause, SIGSTOP): time goes on, no timer runs until the next `advance`. */
  stall(byMs: number): void {
    this.#nowMs += byMs;
  }

  /** Time goes on and no timer fires, as for a process that is stopped; the next `advance` fires what was due. */
  freeze(forMs: number): void {
    this.#nowMs += forMs;
  }

  /** The wall clock alone jumps (NTP, suspend). */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  #earliest(): Pending | undefined {
    let best: Pending | undefined;
    for (const entry of this.#pending) {
      if (
        best === undefined ||
        entry.atMs < best.atMs ||
        (entry.atMs === best.atMs && entry.order < best.order)
      )
        best = entry;
    }
    return best;
  }
}

/** Lets every promise that can settle without time or I/O do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
