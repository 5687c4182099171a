/**
 * One caller of one task on its way through this runtime: parked, queued, attached to a running task. Answers it exactly once, and
 * measures how long it waited for what. Whoever holds it is told when it leaves or has waited too long.
 */
import { AppError } from '../../core/errors.ts';
import { queueTimeout } from '../../core/time-up.ts';
import type { Clock, Timer } from '../../platform/clock.ts';
import type { ResultHeader, TaskHeader } from '../../platform/link/frames.ts';
import type { IncomingTask } from '../../platform/link/task-link.ts';
import type { Owner } from '../../platform/store/store.ts';

export interface Holder {
  /** The caller cancelled, its deadline passed, it is too slow, or its link broke. It is not answered yet. */
  left(caller: Caller, reason: AppError): void;
  /** Its time for queues is used up. It is not answered yet. */
  waitedTooLong(caller: Caller): void;
}

const NOBODY: Holder = {
  left: (caller, reason) => {
    caller.fail(reason);
  },
  waitedTooLong: (caller) => {
    caller.fail(queueTimeout());
  },
};

/** What the clock is running for. Only waiting in a queue uses up the task's queue time; an activation has a bound of its own. */
type Waiting = 'nothing' | 'queue' | 'activation';

export class Caller {
  readonly incoming: IncomingTask;
  /** The task found a live instance. */
  hit = true;
  /** Epoch under which the project left this runtime while the caller waited; 0: it was not here. */
  leftEpoch = 0;
  /** Bytes of chunks that its window has no room for. */
  blocked = false;
  readonly #clock: Clock;
  #holder: Holder = NOBODY;
  #answered = false;
  #parked = false;
  #waiting: Waiting = 'nothing';
  #sinceMs = 0;
  #queueMs = 0;
  #activateMs = 0;
  #timer: Timer | undefined;
  readonly #onAbort = (): void => {
    this.#holder.left(this, abortReason(this.incoming.signal));
  };

  constructor(clock: Clock, incoming: IncomingTask) {
    this.#clock = clock;
    this.incoming = incoming;
    incoming.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  get header(): TaskHeader {
    return this.incoming.header;
  }

  get answered(): boolean {
    return this.#answered;
  }

  /** Undefined: still there. */
  get leftBecause(): AppError | undefined {
    const { signal } = this.incoming;
    return signal.aborted ? abortReason(signal) : undefined;
  }

  /** Ms in queues of this runtime until now. */
  get queueMs(): number {
    return this.#queueMs + (this.#waiting === 'queue' ? this.#elapsedMs() : 0);
  }

  get activateMs(): number {
    return this.#activateMs + (this.#waiting === 'activation' ? this.#elapsedMs() : 0);
  }

  get queueLeftMs(): number {
    return Math.max(0, this.header.queueMs - this.queueMs);
  }

  heldBy(holder: Holder): void {
    this.#holder = holder;
  }

  /** From here on its queue time runs; it holds no credit. */
  waitInQueue(): void {
    this.#wait('queue');
    this.#timer = this.#clock.after(this.queueLeftMs, () => {
      if (!this.#answered) this.#holder.waitedTooLong(this);
    });
    this.#park();
  }

  waitForActivation(): void {
    this.#wait('activation');
    this.#park();
  }

  /** Waits for nothing any more: its task runs. */
  proceed(): void {
    this.#wait('nothing');
  }

  finish(header: ResultHeader, body: Uint8Array): void {
    if (this.#end()) this.incoming.finish(header, body);
  }

  fail(error: AppError): void {
    if (this.#end()) this.incoming.fail(error);
  }

  elsewhere(owner: Owner | undefined, epoch: number): void {
    if (this.#end()) this.incoming.elsewhere(owner, epoch);
  }

  #wait(next: Waiting): void {
    this.#timer?.cancel();
    if (this.#waiting === 'queue') this.#queueMs += this.#elapsedMs();
    if (this.#waiting === 'activation') this.#activateMs += this.#elapsedMs();
    this.#waiting = next;
    this.#sinceMs = this.#clock.nowMs();
  }

  #park(): void {
    if (this.#parked) return;
    this.#parked = true;
    this.incoming.parked();
  }

  #elapsedMs(): number {
    return this.#clock.nowMs() - this.#sinceMs;
  }

  /** True for the first answer only. */
  #end(): boolean {
    if (this.#answered) return false;
    this.#answered = true;
    this.#wait('nothing');
    this.incoming.signal.removeEventListener('abort', this.#onAbort);
    return true;
  }
}

function abortReason(signal: AbortSignal): AppError {
  return AppError.from(signal.reason);
}
