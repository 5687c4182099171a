/** Callers of one project that wait for its instance: bounded, in order, holding no credit. */
import { AppError } from '../../core/errors.ts';
import { queueTimeout } from '../../core/time-up.ts';
import type { TaskHeader } from '../../platform/link/frames.ts';
import type { Caller, Holder } from './caller.ts';

export class Parking implements Holder {
  #callers: Caller[] = [];
  readonly #max: () => number;
  #mode: 'queue' | 'activation' = 'activation';

  /** @param max `queue.parkedPerProjectMax`. */
  constructor(max: () => number) {
    this.#max = max;
  }

  get size(): number {
    return this.#callers.length;
  }

  get takeover(): TaskHeader['takeover'] {
    return this.#callers.find(({ header }) => header.takeover !== undefined)?.header.takeover;
  }

  add(caller: Caller): void {
    const max = this.#max();
    if (this.#callers.length >= max) {
      caller.fail(projectQueueFull(max));
      return;
    }
    this.#callers.push(caller);
    caller.heldBy(this);
    this.#wait(caller);
  }

  /** What they wait for from now on; only waiting in a queue uses up their queue time. */
  waitFor(mode: 'queue' | 'activation'): void {
    if (mode === this.#mode) return;
    this.#mode = mode;
    for (const caller of this.#callers) this.#wait(caller);
  }

  /** All of them, in order; nobody is parked afterwards. */
  takeAll(): readonly Caller[] {
    return this.#callers.splice(0);
  }

  failAll(error: AppError): void {
    for (const caller of this.takeAll()) caller.fail(error);
  }

  left(caller: Caller, reason: AppError): void {
    this.#remove(caller);
    caller.fail(reason);
  }

  waitedTooLong(caller: Caller): void {
    this.#remove(caller);
    caller.fail(queueTimeout());
  }

  #wait(caller: Caller): void {
    if (this.#mode === 'queue') caller.waitInQueue();
    else caller.waitForActivation();
  }

  #remove(caller: Caller): void {
    this.#callers = this.#callers.filter((other) => other !== caller);
  }
}

/** Before its instance is there, and in it. */
export function projectQueueFull(max: number): AppError {
  return new AppError(
    'QUEUE_FULL',
    `${max} tasks of the project wait in its runtime already (queue.parkedPerProjectMax): try again later`,
    { retryAfterMs: 1_000 },
  );
}
