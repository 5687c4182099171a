/** One timer per task that was asked to end: what happens when it has not by then. */
import type { Clock, Timer } from '../../platform/clock.ts';
import type { HostTask } from './host-task.ts';

export class GraceTimers {
  readonly #clock: Clock;
  readonly #timers = new Map<HostTask, Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Replaces the timer that the task had. */
  start(task: HostTask, graceMs: number, over: () => void): void {
    this.cancel(task);
    this.#timers.set(task, this.#clock.after(graceMs, over));
  }

  cancel(task: HostTask): void {
    this.#timers.get(task)?.cancel();
    this.#timers.delete(task);
  }
}
