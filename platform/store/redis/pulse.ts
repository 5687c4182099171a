/** Asks every few seconds, whatever became of the last time; what is asked and whether anybody answers is its owner's. */
import type { Clock, Timer } from '../../clock.ts';

/** How often an idle connection is asked whether it lives. */
const EVERY_MS = 5_000;

export class Pulse {
  readonly #clock: Clock;
  readonly #beat: () => void;
  #timer: Timer | undefined;

  constructor(clock: Clock, beat: () => void) {
    this.#clock = clock;
    this.#beat = beat;
  }

  start(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(EVERY_MS, () => {
      this.start();
      this.#beat();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
