/** A task's listener that writes down what it hears, and fails the test when a task ends twice or speaks after its end. */
import type { AppError } from '../../core/errors.ts';
import type { ResultHeader, TaskHeader } from '../../platform/link/frames.ts';
import type { Owner } from '../../platform/store/store.ts';
import type { RunningTask, RuntimeLink, TaskListener } from '../../platform/link/task-link.ts';

export type TaskEnd =
  | { readonly type: 'finished'; readonly header: ResultHeader; readonly body: Uint8Array }
  | { readonly type: 'failed'; readonly error: AppError }
  | { readonly type: 'elsewhere'; readonly owner: Owner | undefined; readonly epoch: number }
  | {
      readonly type: 'lost';
      readonly ran: boolean;
      readonly refused: boolean;
      readonly reason: string;
    };

export class TaskRecorder implements TaskListener {
  readonly events: string[] = [];
  readonly chunks: Uint8Array[] = [];
  end: TaskEnd | undefined;
  readonly done: Promise<TaskEnd>;
  /** Consumes chunks as they come; false: the window is left to shut. */
  consumes = true;
  task: RunningTask | undefined;
  readonly #resolve: (end: TaskEnd) => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<TaskEnd>();
    this.done = promise;
    this.#resolve = resolve;
  }

  parked(): void {
    this.#hear('parked');
  }

  started(): void {
    this.#hear('started');
  }

  chunk({ body }: { readonly body: Uint8Array }): void {
    this.#hear('chunk');
    this.chunks.push(body);
    if (this.consumes) this.task?.consumed(body.length);
  }

  finished(header: ResultHeader, body: Uint8Array): void {
    this.#finish({ type: 'finished', header, body });
  }

  failed(error: AppError): void {
    this.#finish({ type: 'failed', error });
  }

  elsewhere(owner: Owner | undefined, epoch: number): void {
    this.#finish({ type: 'elsewhere', owner, epoch });
  }

  lost(cause: { readonly ran: boolean; readonly refused: boolean; readonly reason: string }): void {
    this.#finish({ type: 'lost', ...cause });
  }

  #hear(event: string): void {
    if (this.end !== undefined) throw new Error(`${event} after the end (${this.end.type})`);
    this.events.push(event);
  }

  #finish(end: TaskEnd): void {
    this.#hear(end.type);
    this.end = end;
    this.#resolve(end);
  }
}

export const TASK_HEADER: TaskHeader = {
  project: 'default~pool~tenant~project',
  requestId: 'request',
  agent: 'guide',
  conversationId: 'conversation',
  newConversation: false,
  attempt: 1,
  priority: 'NORMAL',
  remainingMs: 60_000,
  queueMs: 30_000,
  queuedMs: 0,
  metadata: {},
  principal: { subject: 'ann', role: 'caller' },
  arm: 'text',
  digest: 'digest',
  stream: true,
  onDisconnect: 'CANCEL',
};

export const RESULT_HEADER: ResultHeader = {
  conversationId: 'conversation',
  instanceId: 'default~pool~tenant~project',
  agent: 'guide',
  tier: 'WARM',
  arm: 'text',
  timings: { queueMs: 0, activateMs: 0, runMs: 1 },
  replayed: false,
  hit: true,
};

/** Runs a task and records it. */
export function record(
  link: RuntimeLink,
  body: Uint8Array = new Uint8Array(),
  header: Partial<TaskHeader> = {},
  recorder = new TaskRecorder(),
): TaskRecorder {
  recorder.task = link.run({ ...TASK_HEADER, ...header }, body, recorder);
  return recorder;
}
