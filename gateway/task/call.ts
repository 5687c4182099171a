/** One task on its way through the stages: what was asked, what the stages found out, the one signal that ends it. */
import { createHash } from 'node:crypto';
import { AppError } from '../../core/errors.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { Tier } from '../../core/tier.ts';
import type { TaskListener } from '../../platform/link/task-link.ts';
import type { Priority, ResultHeader } from '../../platform/link/frames.ts';
import type { Random } from '../../platform/random.ts';
import type { Payload } from '../../platform/store/store.ts';
import type { Principal } from '../access/principal.ts';
import type { Grant } from './grant.ts';
import type { PoolView } from '../pool-view.ts';

/** A task as any edge hands it in: plain values, nothing checked yet. */
export interface TaskRequest {
  /** `name`, `namespace/name`, or empty where the gateway serves one pool. */
  readonly pool: string;
  readonly tenant: string;
  readonly project: string;
  /** Empty: the pool's first agent. */
  readonly agent: string;
  /** Empty: a new conversation. */
  readonly conversationId: string;
  /** Empty: made here. */
  readonly requestId: string;
  readonly priority: Priority;
  /** 0: the pool's. */
  readonly maxWaitMs: number;
  /** 0: the call's deadline, else the pool's. */
  readonly timeoutMs: number;
  /** SAFE: once, while nothing was sent to the caller. */
  readonly retry: 'SAFE' | 'NEVER';
  readonly onDisconnect: 'CANCEL' | 'CONTINUE';
  readonly metadata: Readonly<Record<string, string>>;
  /** Undefined: the caller gave none. */
  readonly input: Payload | undefined;
  /** Empty: none. */
  readonly leaseId: string;
  readonly traceparent?: string;
}

export type TaskStart = Parameters<TaskListener['started']>[0];
export type TaskChunk = Parameters<TaskListener['chunk']>[0];

/** Where a streaming caller takes events; each is called in order and must not throw. */
export interface TaskSink {
  started(start: TaskStart): void;
  /** `consumed` is called once, when the bytes have left: until then the runtime sends only one window more. */
  chunk(chunk: TaskChunk, consumed: () => void): void;
}

export interface TaskAnswer {
  readonly requestId: string;
  readonly header: ResultHeader;
  readonly body: Uint8Array;
  readonly connectionReused: boolean;
}

export interface CallOptions {
  readonly principal: Principal;
  readonly request: TaskRequest;
  /** Time left of the caller's own deadline; Infinity: none. */
  readonly remainingMs: number;
  readonly sink?: TaskSink | undefined;
}

export class Call {
  readonly principal: Principal;
  readonly request: TaskRequest;
  readonly sink: TaskSink | undefined;
  readonly callerRemainingMs: number;
  /** Monotonic ms. */
  readonly arrivedMs: number;
  /** Fixed before anything is sent, so that a repeat on another runtime is the same task. */
  readonly requestId: string;
  readonly conversationId: string;
  agent = '';
  project: ProjectKey = '';
  pool: PoolView | undefined;
  tier: Tier = 'WARM';
  /** Monotonic ms; the whole task must be over by then. */
  deadlineMs = Infinity;
  grant: Grant | undefined;
  /** Time spent waiting here so far; the wait is limited in all, not per attempt. */
  queuedMs = 0;
  /** Runtimes lost under this task. */
  losses = 0;
  /** It had a grant before: it is never turned away for a full queue. */
  wasAdmitted = false;
  hasStarted = false;
  /** Those of them that were lost while the agent was running there. */
  lossesInRun = 0;
  hasSentChunk = false;
  /** Nobody listens any more, but the task runs on (on_disconnect CONTINUE). */
  isDetached = false;
  answer: TaskAnswer | undefined;
  readonly #controller = new AbortController();
  #digest: string | undefined;

  constructor(options: CallOptions, nowMs: number, random: Random) {
    this.principal = options.principal;
    this.request = options.request;
    this.sink = options.sink;
    this.callerRemainingMs = options.remainingMs;
    this.arrivedMs = nowMs;
    const { requestId, conversationId } = options.request;
    this.requestId = requestId === '' ? random.id() : requestId;
    this.conversationId = conversationId === '' ? random.id() : conversationId;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The first reason counts. */
  abort(reason: AppError): void {
    this.#controller.abort(reason);
  }

  /** The caller's connection is gone. */
  leave(): void {
    if (this.request.onDisconnect === 'CONTINUE') this.isDetached = true;
    else this.abort(new AppError('CANCELLED', 'the caller left'));
  }

  /** Tells a repeat of the task from another one with its request_id: agent, conversation_id as sent, input. */
  get digest(): string {
    this.#digest ??= digestOf(this.request);
    return this.#digest;
  }
}

function digestOf({ agent, conversationId, input }: TaskRequest): string {
  const hash = createHash('sha256').update(`${agent}\0${conversationId}\0${input?.arm ?? ''}\0`);
  if (input !== undefined) hash.update(input.body);
  return hash.digest('base64url');
}

/** The pool that `locate` found; no later stage runs without one. */
export function poolOf(call: Call): PoolView {
  if (call.pool === undefined) throw new AppError('INTERNAL', 'the task has no pool');
  return call.pool;
}
