/**
 * One task inside an instance, shared by all callers that sent the same request id: where it stands, who waits for it, and what
 * each of them is told. Decides nothing about when it runs.
 */
import type { AppError } from '../../core/errors.ts';
import { deadlinePassed, queueTimeout } from '../../core/time-up.ts';
import type { Tier } from '../../core/tier.ts';
import type { Clock, Timer } from '../../platform/clock.ts';
import type { ChunkKind, Priority, TaskHeader } from '../../platform/link/frames.ts';
import type { Payload } from '../../platform/store/store.ts';
import { CHUNK_OVERHEAD_BYTES } from '../worker/chunk-window.ts';
import type { RunNumber } from '../worker/protocol.ts';
import type { Caller, Holder } from './caller.ts';
import type { Queued } from './task-queue.ts';

export type CancelReason = 'CANCELLED' | 'DEADLINE' | 'SLOW_CONSUMER';

export type TaskPhase =
  | { readonly type: 'queued' }
  | {
      readonly type: 'running';
      readonly run: RunNumber;
      readonly startedMs: number;
      readonly cancelled?: AppError;
    }
  /** The agent succeeded; the commit decides. */
  | { readonly type: 'staged'; readonly startedMs: number; readonly runMs: number }
  | { readonly type: 'ended' };

export interface TaskEvents {
  /** The last caller left and nobody wants it to run on. */
  abandoned(task: HostTask, reason: AppError): void;
  /** All callers of a queued task waited too long. */
  unwanted(task: HostTask): void;
  /** Chunk bytes have left. */
  taken(task: HostTask, bytes: number): void;
}

export interface Served {
  readonly instanceId: string;
  readonly tier: Tier;
}

export class HostTask implements Queued, Holder {
  readonly header: TaskHeader;
  readonly input: Payload;
  readonly agent: string;
  readonly locks: readonly string[];
  phase: TaskPhase = { type: 'queued' };
  readonly #clock: Clock;
  readonly #events: TaskEvents;
  readonly #callers = new Set<Caller>();
  /** Callers that came when it was already being cancelled: they start anew when it has ended. */
  readonly #successors: Caller[] = [];
  #deadlineMs: number;
  #untakenBytes = 0;
  #untakenCost = 0;
  /** Told in steps of this cost, well below what makes the agent wait. */
  readonly #costStep: number;
  #timer: Timer | undefined;

  constructor(
    clock: Clock,
    events: TaskEvents,
    first: Caller,
    options: {
      readonly agent: string;
      readonly locks: readonly string[];
      readonly chunkBytesUntakenMax: number;
    },
  ) {
    this.#clock = clock;
    this.#events = events;
    this.header = first.header;
    this.input = first.incoming.input;
    this.agent = options.agent;
    this.locks = options.locks;
    this.#costStep = options.chunkBytesUntakenMax / 4;
    this.#deadlineMs = first.incoming.deadlineMs;
    this.#attach(first);
  }

  get requestId(): string {
    return this.header.requestId;
  }

  get priority(): Priority {
    return this.header.priority;
  }

  get remainingMs(): number {
    return this.#deadlineMs - this.#clock.nowMs();
  }

  get callers(): ReadonlySet<Caller> {
    return this.#callers;
  }

  /** Another caller with the same request id and digest. */
  join(caller: Caller, served: Served): void {
    const { phase } = this;
    const doomed = phase.type === 'running' && phase.cancelled !== undefined;
    if (doomed || phase.type === 'ended') {
      this.#successors.push(caller);
      caller.heldBy(NO_TASK_YET);
      return;
    }
    this.#deadlineMs = Math.max(this.#deadlineMs, caller.incoming.deadlineMs);
    this.#timer?.cancel();
    this.#attach(caller);
    if (phase.type === 'queued') caller.waitInQueue();
    else this.#tellStarted(caller, served);
  }

  started(run: RunNumber, served: Served): void {
    this.phase = { type: 'running', run, startedMs: this.#clock.nowMs() };
    for (const caller of this.#callers) this.#tellStarted(caller, served);
  }

  cancelled(reason: AppError): void {
    if (this.phase.type === 'running') this.phase = { ...this.phase, cancelled: reason };
  }

  staged(): void {
    if (this.phase.type !== 'running') return;
    const { startedMs } = this.phase;
    this.phase = { type: 'staged', startedMs, runMs: this.#clock.nowMs() - startedMs };
  }

  chunk(kind: ChunkKind, payload: Payload): void {
    this.#untakenBytes += payload.body.length;
    this.#untakenCost += payload.body.length + CHUNK_OVERHEAD_BYTES;
    for (const caller of this.#callers) {
      if (!caller.header.stream || caller.answered) continue;
      const roomy = caller.incoming.chunk({ arm: payload.arm, kind, body: payload.body });
      if (!roomy) caller.blocked = true;
    }
    this.#release();
  }

  /** Ends it for everybody. Returns the callers that came too late to share its fate. */
  succeeded(output: Payload, served: Served): readonly Caller[] {
    const { phase } = this;
    const nowMs = this.#clock.nowMs();
    const startedMs = phase.type === 'staged' ? phase.startedMs : nowMs;
    for (const caller of [...this.#callers]) {
      const { hit, header } = caller;
      const timings = {
        queueMs: header.queuedMs + caller.queueMs,
        activateMs: caller.activateMs,
        runMs: Math.max(0, nowMs - startedMs),
      };
      const { conversationId } = this.header;
      caller.finish(
        {
          conversationId,
          ...served,
          agent: this.agent,
          arm: output.arm,
          timings,
          replayed: false,
          hit,
        },
        output.body,
      );
    }
    return this.#over();
  }

  failed(error: AppError): readonly Caller[] {
    this.failCallers(error);
    return this.#over();
  }

  /** Callers are answered; the task itself goes on to its end. */
  failCallers(error: AppError): void {
    for (const caller of [...this.#callers]) caller.fail(error);
    this.#callers.clear();
  }

  /** Ends it unstarted; its callers go wherever the next instance is. */
  handOver(): readonly Caller[] {
    const callers = [...this.#callers];
    this.#callers.clear();
    return [...callers, ...this.#over()];
  }

  left(caller: Caller, reason: AppError): void {
    const last = this.#callers.size === 1;
    // A caller of CONTINUE whose connection broke is never told to have left; one that takes nothing is as good as gone.
    const runsOn = caller.header.onDisconnect === 'CONTINUE' && reason.reason === 'SLOW_CONSUMER';
    if (last && !runsOn) {
      this.#events.abandoned(this, reason);
      return;
    }
    this.#callers.delete(caller);
    caller.fail(reason);
    this.#release();
    if (last) this.#watchDeadline();
  }

  waitedTooLong(caller: Caller): void {
    if (this.phase.type !== 'queued') return;
    this.#callers.delete(caller);
    caller.fail(queueTimeout());
    if (this.#callers.size === 0) this.#events.unwanted(this);
  }

  #attach(caller: Caller): void {
    this.#callers.add(caller);
    caller.heldBy(this);
    if (caller.header.stream) {
      caller.incoming.onWindow(() => {
        caller.blocked = false;
        this.#release();
      });
    }
  }

  #tellStarted(caller: Caller, served: Served): void {
    caller.proceed();
    const { conversationId } = this.header;
    caller.incoming.started({ conversationId, agent: this.agent, ...served });
  }

  /** The agent may emit more when the slowest caller has room. */
  #release(): void {
    if (this.#untakenCost < this.#costStep || this.phase.type !== 'running') return;
    for (const caller of this.#callers) if (caller.blocked) return;
    const bytes = this.#untakenBytes;
    this.#untakenBytes = 0;
    this.#untakenCost = 0;
    this.#events.taken(this, bytes);
  }

  /** Nobody is there whose signal would tell. */
  #watchDeadline(): void {
    this.#timer = this.#clock.after(this.remainingMs, () => {
      if (this.phase.type !== 'ended') {
        this.#events.abandoned(this, deadlinePassed());
      }
    });
  }

  #over(): readonly Caller[] {
    this.phase = { type: 'ended' };
    this.#timer?.cancel();
    this.#callers.clear();
    return this.#successors.splice(0);
  }
}

const NO_TASK_YET: Holder = {
  left: (caller, reason) => {
    caller.fail(reason);
  },
  waitedTooLong: (caller) => {
    caller.fail(queueTimeout());
  },
};

export function cancelReasonOf(error: AppError): CancelReason {
  if (error.reason === 'DEADLINE' || error.reason === 'SLOW_CONSUMER') return error.reason;
  return 'CANCELLED';
}
