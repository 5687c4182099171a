/** One try of a task on one runtime: sends it, passes on what comes back, and ends in exactly one outcome. Decides nothing. */
import { AppError } from '../../core/errors.ts';
import type { Clock, Timer } from '../../platform/clock.ts';
import type { ResultHeader, TaskHeader } from '../../platform/link/frames.ts';
import type { RunningTask, TaskListener } from '../../platform/link/task-link.ts';
import type { Owner } from '../../platform/store/store.ts';
import { patienceOf } from '../admission/pool-queue.ts';
import type { Grant } from '../task/grant.ts';
import { type Call, poolOf, type TaskChunk, type TaskStart } from '../task/call.ts';

export type Outcome =
  | {
      readonly type: 'finished';
      readonly header: ResultHeader;
      readonly body: Uint8Array;
      readonly connectionReused: boolean;
    }
  | { readonly type: 'failed'; readonly error: AppError }
  | { readonly type: 'elsewhere'; readonly owner: Owner | undefined; readonly epoch: number }
  | {
      readonly type: 'lost';
      readonly ran: boolean;
      readonly refused: boolean;
      readonly reason: string;
    };

/** A runtime that was told to cancel answers within its own grace; this is added for the way there and back. */
export const CANCEL_ANSWER_MS = 1_000;
const EMPTY = new Uint8Array();

export interface AttemptOptions {
  readonly call: Call;
  readonly grant: Grant;
  readonly clock: Clock;
  /** Another runtime has sent it on. */
  readonly isSentOn: boolean;
  /** The runtime has the project. */
  readonly onServed: () => void;
  /** The link broke under the task: told of all its tasks before any of them goes on. */
  readonly onLost: (ran: boolean) => void;
}

export function attempt(options: AttemptOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    new Attempt({ ...options, resolve }).run();
  });
}

interface AttemptParts extends AttemptOptions {
  readonly resolve: (outcome: Outcome) => void;
}

class Attempt implements TaskListener {
  readonly #parts: AttemptParts;
  #running: RunningTask | undefined;
  #isOver = false;
  #grace: Timer | undefined;

  constructor(parts: AttemptParts) {
    this.#parts = parts;
  }

  run(): void {
    const { call, grant } = this.#parts;
    const { signal } = call;
    if (signal.aborted) {
      this.#end({ type: 'failed', error: AppError.from(signal.reason) });
      return;
    }
    const header = headerOf(this.#parts);
    grant.runtime.reserved -= 1;
    grant.isSent = true;
    signal.addEventListener('abort', this.#cancel, { once: true });
    this.#running = grant.runtime.link.run(header, call.request.input?.body ?? EMPTY, this);
  }

  parked(): void {
    // The link gives the credit back; the project's slot stays taken.
  }

  started(start: TaskStart): void {
    const { call, onServed } = this.#parts;
    onServed();
    if (call.hasStarted) return;
    call.hasStarted = true;
    if (!call.isDetached) call.sink?.started(start);
  }

  chunk(chunk: TaskChunk): void {
    const { call } = this.#parts;
    const consumed = (): void => {
      this.#running?.consumed(chunk.body.byteLength);
    };
    if (call.isDetached || call.sink === undefined) {
      // The link may deliver before `run` has returned.
      queueMicrotask(consumed);
      return;
    }
    call.hasSentChunk = true;
    call.sink.chunk(chunk, consumed);
  }

  finished(header: ResultHeader, body: Uint8Array): void {
    this.#end({
      type: 'finished',
      header,
      body,
      connectionReused: this.#running?.firstOnConnection !== true,
    });
  }

  failed(error: AppError): void {
    const { signal } = this.#parts.call;
    const own = signal.aborted ? AppError.from(signal.reason) : undefined;
    // The runtime knows that it was cancelled, not why.
    this.#end({ type: 'failed', error: own?.reason === error.reason ? own : error });
  }

  elsewhere(owner: Owner | undefined, epoch: number): void {
    this.#end({ type: 'elsewhere', owner, epoch });
  }

  lost(cause: { readonly ran: boolean; readonly refused: boolean; readonly reason: string }): void {
    if (!this.#isOver) this.#parts.onLost(cause.ran);
    this.#end({ type: 'lost', ...cause });
  }

  /** The runtime says who won, the cancel or the commit; if it does not say, the caller is not left waiting. */
  readonly #cancel = (): void => {
    const { call, clock } = this.#parts;
    const error = AppError.from(call.signal.reason);
    // This gateway goes: what runs on then loses its link, and nobody has cancelled it.
    if (error.reason === 'DRAINING' && call.request.onDisconnect === 'CONTINUE') {
      this.#end({ type: 'failed', error });
      return;
    }
    this.#running?.cancel(
      error.reason === 'DEADLINE' || error.reason === 'SLOW_CONSUMER' ? error.reason : 'CANCELLED',
    );
    // Who goes cannot wait for an agent that does not heed its cancellation.
    const graceMs =
      error.reason === 'DRAINING' ? 0 : poolOf(call).spec.limits.cancelGraceSeconds * 1000;
    this.#grace = clock.after(graceMs + CANCEL_ANSWER_MS, () => {
      this.#end({ type: 'failed', error });
    });
  };

  #end(outcome: Outcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#grace?.cancel();
    const { call, resolve } = this.#parts;
    call.signal.removeEventListener('abort', this.#cancel);
    resolve(outcome);
  }
}

function headerOf({ call, grant, clock, isSentOn }: AttemptParts): TaskHeader {
  const { request, principal } = call;
  const nowMs = clock.nowMs();
  return {
    project: call.project,
    requestId: call.requestId,
    agent: call.agent === '' ? (grant.runtime.record.agents[0]?.name ?? '') : call.agent,
    conversationId: call.conversationId,
    newConversation: request.conversationId === '',
    attempt: call.losses + 1,
    priority: request.priority,
    remainingMs: Math.max(0, call.deadlineMs - nowMs),
    queueMs: patienceOf(call, poolOf(call)),
    queuedMs: call.queuedMs,
    metadata: request.metadata,
    principal: principal.frame,
    arm: request.input?.arm ?? 'json_utf8',
    digest: call.digest,
    stream: call.sink !== undefined,
    onDisconnect: request.onDisconnect,
    ...(request.leaseId === '' ? {} : { leaseId: request.leaseId }),
    ...(grant.takeover === undefined ? {} : { takeover: grant.takeover }),
    ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
    ...(isSentOn ? { sentOn: true } : {}),
  };
}
