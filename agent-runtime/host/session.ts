/** One instance's agents and state in a worker: the protocol of one session as methods and callbacks. Keeps no task. */
import type { ChunkKind } from '../../platform/link/frames.ts';
import type { Payload, StateEntry, Turn } from '../../platform/store/store.ts';
import type {
  FromWorker,
  RunNumber,
  RunOutcome,
  SessionNumber,
  SessionStart,
  TaskStart,
  ToWorker,
} from '../worker/protocol.ts';
import type { WorkerEnd, WorkerHandle } from './worker-handle.ts';

export interface SessionEvents {
  chunk(run: RunNumber, kind: ChunkKind, payload: Payload): void;
  needTurns(run: RunNumber, conversationId: string): void;
  finished(run: RunNumber, outcome: RunOutcome): void;
  log(line: Extract<FromWorker, { readonly type: 'log' }>): void;
  /** The worker is gone; nothing follows. */
  ended(end: WorkerEnd): void;
}

export type Opened =
  | { readonly type: 'opened' }
  | {
      readonly type: 'openFailed';
      readonly agent: string;
      readonly message: string;
      readonly stack?: string;
    }
  | { readonly type: 'ended'; readonly end: WorkerEnd };

/** Before somebody listens, only `opened`, `openFailed` and the worker's end can come. */
const DEAF: SessionEvents = {
  chunk: () => undefined,
  needTurns: () => undefined,
  finished: () => undefined,
  log: () => undefined,
  ended: () => undefined,
};

export class Session {
  readonly worker: WorkerHandle;
  readonly #number: SessionNumber;
  #events: SessionEvents = DEAF;
  #nextRun = 1;
  #end: WorkerEnd | undefined;
  #onOpened: (opened: Opened) => void = () => undefined;
  #onClosed: () => void = () => undefined;

  constructor(worker: WorkerHandle) {
    this.worker = worker;
    this.#number = worker.attach({
      message: (message) => {
        this.#take(message);
      },
      ended: (end) => {
        this.#ended(end);
      },
    });
  }

  get alive(): boolean {
    return this.#end === undefined;
  }

  listen(events: SessionEvents): void {
    this.#events = events;
  }

  /** Builds the agents' context and runs `initialize`. */
  open(start: SessionStart): Promise<Opened> {
    if (this.#end !== undefined) return Promise.resolve({ type: 'ended', end: this.#end });
    return new Promise((resolve) => {
      this.#onOpened = resolve;
      this.#post({ type: 'open', session: this.#number, start });
    });
  }

  restore(state: readonly StateEntry[]): void {
    this.#post({ type: 'restore', session: this.#number, state });
  }

  run(task: TaskStart): RunNumber {
    const run = this.#nextRun++;
    this.#post({ type: 'run', session: this.#number, run, task });
    return run;
  }

  turns(run: RunNumber, turns: readonly Turn[]): void {
    this.#post({ type: 'turns', session: this.#number, run, turns });
  }

  window(run: RunNumber, bytes: number): void {
    this.#post({ type: 'window', session: this.#number, run, bytes });
  }

  cancel(run: RunNumber, reason: 'CANCELLED' | 'DEADLINE' | 'SLOW_CONSUMER'): void {
    this.#post({ type: 'cancel', session: this.#number, run, reason });
  }

  forget(conversationId: string): void {
    this.#post({ type: 'forget', session: this.#number, conversationId });
  }

  /** Runs `dispose`; resolves when it has ended or the worker has. */
  close(): Promise<void> {
    this.#events = DEAF;
    if (this.#end !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onClosed = resolve;
      this.#post({ type: 'close', session: this.#number });
    });
  }

  /** Nothing of it is heard any more. */
  detach(): void {
    this.#events = DEAF;
    this.worker.detach(this.#number);
  }

  #post(message: ToWorker): void {
    this.worker.post(message);
  }

  #take(message: Extract<FromWorker, { readonly session: SessionNumber }>): void {
    switch (message.type) {
      case 'opened':
      case 'openFailed':
        this.#onOpened(message);
        return;
      case 'closed':
        this.detach();
        this.#onClosed();
        return;
      case 'chunk':
        this.#events.chunk(message.run, message.kind, message.payload);
        return;
      case 'needTurns':
        this.#events.needTurns(message.run, message.conversationId);
        return;
      case 'finished':
        this.#events.finished(message.run, message.outcome);
        return;
      case 'log':
        this.#events.log(message);
    }
  }

  #ended(end: WorkerEnd): void {
    this.#end = end;
    this.#onOpened({ type: 'ended', end });
    this.#onClosed();
    this.#events.ended(end);
  }
}
