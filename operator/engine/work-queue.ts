/**
 * A queue of keys: merges equal ones, delays them, backs off from failures, and never hands out a key that is still being
 * worked on. Knows nothing of what a key stands for.
 */
import type { Clock, Timer } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';

export interface BackoffLimits {
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

interface Delayed {
  readonly dueMs: number;
  readonly timer: Timer;
}

/** Bounded by the number of different keys: each waits at most once, is delayed at most once and runs at most once. */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: BackoffLimits;
  readonly #waiting = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #running = new Set<string>();
  /** Asked for while they ran: they wait again as soon as they are done. */
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(clock: Clock, random: Random, limits: BackoffLimits) {
    this.#clock = clock;
    this.#random = random;
    this.#limits = limits;
  }

  /** As soon as possible; ends a delay of the same key. */
  add(key: string): void {
    if (this.#closed) return;
    this.#cancelDelay(key);
    if (this.#running.has(key)) {
      this.#again.add(key);
      return;
    }
    const taker = this.#waiting.has(key) ? undefined : this.#takers.shift();
    if (taker === undefined) this.#waiting.add(key);
    else this.#handOut(key, taker);
  }

  /** Not before `delayMs`; of two times for one key the earlier one counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#closed || this.#waiting.has(key)) return;
    const dueMs = this.#clock.nowMs() + Math.max(0, delayMs);
    const delayed = this.#delayed.get(key);
    if (delayed !== undefined && delayed.dueMs <= dueMs) return;
    this.#cancelDelay(key);
    const timer = this.#clock.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, timer });
  }

  /** After a failure: each in a row doubles the wait, half of which is chance, so that keys that failed together part. */
  addAfterFailure(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const { backoffMinMs, backoffMaxMs } = this.#limits;
    const fullMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(failures, 30));
    const delayMs = fullMs / 2 + (fullMs / 2) * this.#random.float();
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** The key succeeded: its next failure starts at the shortest wait. */
  forgetFailures(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, as soon as there is one; undefined once the queue is closed. The caller says `done` exactly once. */
  take(): Promise<string | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const [key] = this.#waiting;
      if (key === undefined) {
        this.#takers.push(resolve);
        return;
      }
      this.#waiting.delete(key);
      this.#handOut(key, resolve);
    });
  }

  done(key: string): void {
    this.#running.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Nothing is handed out any more; what runs may still say `done`. */
  close(): void {
    this.#closed = true;
    for (const key of [...this.#delayed.keys()]) this.#cancelDelay(key);
    this.#waiting.clear();
    this.#again.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #handOut(key: string, taker: (key: string) => void): void {
    this.#running.add(key);
    taker(key);
  }

  #cancelDelay(key: string): void {
    this.#delayed.get(key)?.timer.cancel();
    this.#delayed.delete(key);
  }
}
