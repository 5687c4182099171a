/** "Something changed": wakes all who wait; they look themselves at what it was. */
import type { Clock } from '../../platform/clock.ts';

export class Signal {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves with the next notice, or after `withinMs`. */
  wait(withinMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        timer?.cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = withinMs === undefined ? undefined : this.#clock.after(withinMs, wake);
      this.#waiting.add(wake);
    });
  }

  notify(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
