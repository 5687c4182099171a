/**
 * Messages between a runtime's host thread and a worker thread that runs agents. One worker carries one session with
 * `isolation: WorkerThread`, many with `Shared`; a session is one instance's agents and state for one activation.
 */
import type { GrpcCode } from '../../core/errors.ts';
import type { Tier } from '../../core/tier.ts';
import type { ChunkKind, Priority, PrincipalFrame } from '../../platform/link/frames.ts';
import type {
  AgentInfo,
  Payload,
  StateEntry,
  StateWrite,
  Turn,
} from '../../platform/store/store.ts';

/** Numbers sessions and runs of one worker; never reused in it. */
export type SessionNumber = number;
export type RunNumber = number;

/** `workerData` of the thread. */
export interface WorkerStart {
  /** Absolute path of the bundled agent module (ESM). */
  readonly modulePath: string;
  readonly limits: WorkerLimits;
}

export interface WorkerLimits {
  readonly stateBytesMax: number;
  readonly answerBytesMax: number;
  /** Conversations whose turns a session keeps in memory. */
  readonly conversationsCachedMax: number;
  readonly conversationWindowTurns: number;
  /** Chunk bytes that an agent may have emitted and nobody taken yet; `yield` waits, `emit` beyond it fails the task. */
  readonly chunkBytesUntakenMax: number;
}

export interface SessionStart {
  readonly namespace: string;
  readonly pool: string;
  readonly tenant: string;
  readonly project: string;
  readonly tier: Tier;
  /** Pool config, overlaid by the tenant's and the project's. */
  readonly config: unknown;
  /** Of the tenant, as they were when the instance was activated. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly instanceId: string;
}

export interface TaskStart {
  readonly requestId: string;
  readonly attempt: number;
  readonly agent: string;
  readonly conversationId: string;
  readonly input: Payload;
  readonly metadata: Readonly<Record<string, string>>;
  readonly priority: Priority;
  readonly remainingMs: number;
  readonly user: PrincipalFrame;
  readonly traceparent?: string;
  /** Set when this conversation has no history yet; else the worker asks for the window it does not have. */
  readonly newConversation: boolean;
}

export type ToWorker =
  /** First half of an activation: build the agents' context, run `initialize`. */
  | { readonly type: 'open'; readonly session: SessionNumber; readonly start: SessionStart }
  /** Second half, after the claim: state is there, tasks may come. */
  | {
      readonly type: 'restore';
      readonly session: SessionNumber;
      readonly state: readonly StateEntry[];
    }
  | {
      readonly type: 'run';
      readonly session: SessionNumber;
      readonly run: RunNumber;
      readonly task: TaskStart;
    }
  | {
      readonly type: 'turns';
      readonly session: SessionNumber;
      readonly run: RunNumber;
      readonly turns: readonly Turn[];
    }
  /** Chunk bytes have left: the agent may emit as many again. */
  | {
      readonly type: 'window';
      readonly session: SessionNumber;
      readonly run: RunNumber;
      readonly bytes: number;
    }
  /** Answered by `finished`: `cancelled`, or `success` when the task had ended already and so won. */
  | {
      readonly type: 'cancel';
      readonly session: SessionNumber;
      readonly run: RunNumber;
      readonly reason: 'CANCELLED' | 'DEADLINE' | 'SLOW_CONSUMER';
    }
  /** The conversation is being erased: forget its window and state. */
  | { readonly type: 'forget'; readonly session: SessionNumber; readonly conversationId: string }
  | { readonly type: 'close'; readonly session: SessionNumber }
  /** The pool's limits have changed, for all sessions. */
  | { readonly type: 'limits'; readonly limits: WorkerLimits }
  | { readonly type: 'probe'; readonly nonce: number };

export type FromWorker =
  /** The module is imported; the worker is blank. */
  | { readonly type: 'ready'; readonly agents: readonly WorkerAgent[] }
  /** The module cannot be used; the worker exits. */
  | { readonly type: 'broken'; readonly message: string; readonly stack?: string }
  | { readonly type: 'opened'; readonly session: SessionNumber }
  | {
      readonly type: 'openFailed';
      readonly session: SessionNumber;
      readonly agent: string;
      readonly message: string;
      readonly stack?: string;
    }
  | {
      readonly type: 'needTurns';
      readonly session: SessionNumber;
      readonly run: RunNumber;
      readonly conversationId: string;
    }
  | {
      readonly type: 'chunk';
      readonly session: SessionNumber;
      readonly run: RunNumber;
      readonly kind: ChunkKind;
      readonly payload: Payload;
    }
  | {
      readonly type: 'finished';
      readonly session: SessionNumber;
      readonly run: RunNumber;
      readonly outcome: RunOutcome;
    }
  | { readonly type: 'closed'; readonly session: SessionNumber }
  /** Session 0: nobody can tell whose it is (raw output, the import, the console of a worker with several sessions). */
  | {
      readonly type: 'log';
      readonly session: SessionNumber;
      readonly run?: RunNumber;
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  | {
      readonly type: 'probed';
      readonly nonce: number;
      readonly heapUsedBytes: number;
      readonly externalBytes: number;
      readonly cpuMicros: number;
    };

export interface WorkerAgent extends AgentInfo {
  readonly concurrency: 'conversation' | 'project' | 'none';
}

/**
 * `success` means staged: the session's own state already shows the writes, so a task that ends later sees them; when the
 * commit is refused the whole session is thrown away.
 */
export type RunOutcome =
  | {
      readonly type: 'success';
      readonly output: Payload;
      readonly writes: readonly StateWrite[];
      readonly turns: readonly Omit<Turn, 'index'>[];
      readonly reran: boolean;
    }
  | {
      readonly type: 'error';
      readonly reason:
        | 'AGENT_ERROR'
        | 'STATE_CONFLICT'
        | 'INVALID_FIELD'
        | 'PAYLOAD_TOO_LARGE'
        | 'SLOW_CONSUMER'
        | 'UNKNOWN_AGENT';
      readonly code?: GrpcCode;
      readonly message: string;
      readonly stack?: string;
      readonly field?: string;
    }
  | { readonly type: 'cancelled' };

/** The host's end of a worker; the simulation has one without threads. */
export interface WorkerChannel {
  /** `threadId` in production: for logs and the watchdog. */
  readonly id: number;
  post(message: ToWorker): void;
  /** Set once, before any message is delivered. */
  listen(listener: WorkerListener): void;
  /** Ends the thread now, whatever it does. `exited` follows. */
  terminate(): void;
}

export interface WorkerListener {
  message(message: FromWorker): void;
  /** Once; nothing follows. `why`: `memory` when the heap limit was hit, `exit` when an agent called process.exit, `error` when it could not start or died of an unhandled error, `terminated` by us. */
  exited(why: {
    readonly type: 'memory' | 'exit' | 'error' | 'terminated';
    readonly message: string;
  }): void;
}

/** Starts a worker with a heap limit; never throws, a failure comes as `exited`. */
export type StartWorker = (options: {
  readonly start: WorkerStart;
  readonly heapMb: number;
}) => WorkerChannel;
