/**
 * What crosses the link between a gateway and a runtime, as plain data. The gRPC adapter maps it to
 * proto/agentpool/internal/v1/runtime.proto; the simulation carries it as it is. Control frames travel on their own
 * stream, so a large payload never delays a ping or a cancel; within one stream order is kept, between the two it is not.
 */
import type { GrpcCode, Reason } from '../../core/errors.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { Tier } from '../../core/tier.ts';
import type { Owner, PayloadArm } from '../store/store.ts';

export const PROTOCOL_MIN = 1;
export const PROTOCOL_MAX = 1;
/** Most payload bytes in one data frame. */
export const FRAME_BYTES_MAX = 32 * 1024;
/** Credit that each side starts with, per task and direction. */
export const WINDOW_BYTES = 256 * 1024;
/** What each chunk takes of the window beside its bytes: a million chunks of one byte take memory too, wherever they wait. */
export const CHUNK_OVERHEAD_BYTES = 256;

export const PRIORITIES = ['CRITICAL', 'HIGH', 'NORMAL', 'LOW'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Who the gateway says is calling; `context.user` of the agent. */
export interface PrincipalFrame {
  readonly subject: string;
  readonly role: 'caller' | 'operator' | 'admin';
}

/** Numbers a task on one link; never reused on that link. */
export type TaskNumber = number;

export interface TaskHeader {
  readonly project: ProjectKey;
  readonly requestId: string;
  readonly agent: string;
  readonly conversationId: string;
  /** The gateway made the conversation id just now: there is no history to read. */
  readonly newConversation: boolean;
  /** 1, or 2 for the one retry. */
  readonly attempt: number;
  readonly priority: Priority;
  /** Time left for the whole task when the frame was written. */
  readonly remainingMs: number;
  /** Time that the task may still wait in queues. */
  readonly queueMs: number;
  /** Time it has waited at the gateway, for the answer's timings. */
  readonly queuedMs: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly principal: PrincipalFrame;
  readonly arm: PayloadArm;
  /** Digest of agent, conversation_id as sent and input. */
  readonly digest: string;
  readonly leaseId?: string;
  /** The caller takes chunks as they come; else the runtime sends the result only. */
  readonly stream: boolean;
  /** When the last caller leaves: cancel, or run on to the end. */
  readonly onDisconnect: 'CANCEL' | 'CONTINUE';
  /** The gateway cannot reach this owner: activate and take the project over. */
  readonly takeover?: {
    readonly incarnation: string;
    readonly epoch: number;
    readonly refused: boolean;
  };
  readonly traceparent?: string;
  /** A runtime has sent it on already: whoever gets it now serves it, unless another one owns the project. */
  readonly sentOn?: true;
}

export interface Timings {
  readonly queueMs: number;
  readonly activateMs: number;
  readonly runMs: number;
}

export interface ResultHeader {
  readonly conversationId: string;
  readonly instanceId: string;
  readonly agent: string;
  readonly tier: Tier;
  readonly arm: PayloadArm;
  readonly timings: Timings;
  /** The recorded answer of an earlier task with this request id. */
  readonly replayed: boolean;
  /** The task found a live instance. */
  readonly hit: boolean;
}

export interface ErrorFrame {
  readonly reason: Reason;
  readonly code: GrpcCode;
  readonly message: string;
  readonly field?: string;
  readonly retryAfterMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

export type ChunkKind = 'TEXT' | 'REASONING' | 'DATA';

/** Gateway → runtime. */
export type ToRuntime =
  | {
      readonly type: 'hello';
      readonly gateway: string;
      readonly protocolMin: number;
      readonly protocolMax: number;
    }
  /** `demand`: tasks running here or waiting for this runtime at the gateway; credit is split by it. */
  | { readonly type: 'ping'; readonly nonce: number; readonly demand: number }
  /** Data stream. `more`: `input` frames follow. */
  | {
      readonly type: 'task';
      readonly task: TaskNumber;
      readonly header: TaskHeader;
      readonly body: Uint8Array;
      readonly more: boolean;
    }
  | {
      readonly type: 'input';
      readonly task: TaskNumber;
      readonly body: Uint8Array;
      readonly more: boolean;
    }
  /** May overtake its `task` frame. Answered by `failed` or `result`, whichever won. */
  | {
      readonly type: 'cancel';
      readonly task: TaskNumber;
      readonly reason: 'CANCELLED' | 'DEADLINE' | 'SLOW_CONSUMER';
    }
  /** More answer bytes may be sent for this task. */
  | { readonly type: 'window'; readonly task: TaskNumber; readonly bytes: number }
  | { readonly type: 'call'; readonly call: number; readonly request: RuntimeCall };

/** Runtime → gateway. */
export type FromRuntime =
  | {
      readonly type: 'welcome';
      readonly incarnation: string;
      readonly revision: string;
      readonly protocol: number;
    }
  | { readonly type: 'pong'; readonly nonce: number }
  /** Most tasks that this link may have unfinished, parked ones not counted; replaces the last grant. */
  | { readonly type: 'grant'; readonly tasks: number }
  | { readonly type: 'window'; readonly task: TaskNumber; readonly bytes: number }
  /** The task waits for an activation or a slot and holds no credit; ends with `started` or the task's end. */
  | { readonly type: 'parked'; readonly task: TaskNumber }
  /** Data stream, like all below until `moved`. The agent runs now (or the task joined one that runs). */
  | {
      readonly type: 'started';
      readonly task: TaskNumber;
      readonly conversationId: string;
      readonly instanceId: string;
      readonly agent: string;
      readonly tier: Tier;
      readonly wallMs: number;
    }
  | {
      readonly type: 'chunk';
      readonly task: TaskNumber;
      readonly arm: PayloadArm;
      readonly kind: ChunkKind;
      readonly body: Uint8Array;
      readonly more: boolean;
    }
  | {
      readonly type: 'result';
      readonly task: TaskNumber;
      readonly header: ResultHeader;
      readonly body: Uint8Array;
      readonly more: boolean;
    }
  /** The rest of a chunk or result. */
  | {
      readonly type: 'output';
      readonly task: TaskNumber;
      readonly body: Uint8Array;
      readonly more: boolean;
    }
  | { readonly type: 'failed'; readonly task: TaskNumber; readonly error: ErrorFrame }
  /** The project is not here: the task never started; go to the owner (none: to any, it is free). */
  | {
      readonly type: 'elsewhere';
      readonly task: TaskNumber;
      readonly owner?: Owner;
      readonly epoch: number;
    }
  /** Pushed on every link when a project leaves; `to` when it is known who serves it next. */
  | {
      readonly type: 'moved';
      readonly project: ProjectKey;
      readonly epoch: number;
      readonly to?: { readonly incarnation: string; readonly address: string };
    }
  | {
      readonly type: 'reply';
      readonly call: number;
      readonly answer: unknown;
      readonly error?: ErrorFrame;
    }
  /** The runtime drains: new projects go elsewhere; what it owns it serves until quiescence. */
  | { readonly type: 'draining' };

/** Everything a gateway or a peer asks of a runtime that is no task. Bodies are JSON. */
export type RuntimeCall =
  | { readonly method: 'listInstances'; readonly tenant?: string }
  | { readonly method: 'getInstance'; readonly project: ProjectKey }
  /** Activates without a task; answers an InstanceView. `elsewhere` comes as UNAVAILABLE / OWNER_UNREACHABLE with metadata. */
  | { readonly method: 'activate'; readonly project: ProjectKey }
  /** Ends the instance, keeps the state. `force`: running tasks are failed, not awaited. */
  | { readonly method: 'remove'; readonly project: ProjectKey; readonly force: boolean }
  | { readonly method: 'pause'; readonly project: ProjectKey; readonly force: boolean }
  | { readonly method: 'resume'; readonly project: ProjectKey }
  | { readonly method: 'acquire'; readonly project: ProjectKey; readonly ttlMs: number }
  | {
      readonly method: 'renew';
      readonly project: ProjectKey;
      readonly leaseId: string;
      readonly ttlMs: number;
    }
  | { readonly method: 'releaseLease'; readonly project: ProjectKey; readonly leaseId: string }
  | {
      readonly method: 'forgetConversation';
      readonly project: ProjectKey;
      readonly conversationId: string;
    }
  /** Discards instance and claim: the project is about to be erased. */
  | { readonly method: 'discard'; readonly project: ProjectKey }
  /** What this runtime counted: a MetricSnapshot. */
  | { readonly method: 'metrics' }
  /** Release the project at quiescence, within `withinMs`; answers {released: boolean}. Asked by a runtime that wants to take over. */
  | { readonly method: 'yieldProject'; readonly project: ProjectKey; readonly withinMs: number };

export interface InstanceView {
  readonly id: string;
  readonly tier: Tier;
  readonly state: string;
  readonly createdMs: number;
  readonly lastUsedMs: number;
  readonly requests: number;
  readonly memoryBytes: number;
  readonly cpuPercent: number;
  readonly message: string;
  readonly epoch: number;
  readonly queued: number;
}

/** An answer `{created: true}` next to the view tells 201 from 200. */
export interface LeaseView {
  readonly leaseId: string;
  readonly instanceId: string;
  readonly tier: Tier;
  readonly expiresAtMs: number;
}

/** One open connection's frames, in order per stream; made by an adapter, closed once. */
export interface FrameChannel<Out, In> {
  /** Queues a frame. False: the transport is full, wait for `onDrain` (control frames are always taken). */
  send(frame: Out): boolean;
  close(reason: string): void;
  /** Set once by the owner, before any frame is delivered. */
  listen(listener: FrameListener<In>): void;
}

export interface FrameListener<In> {
  frame(frame: In): void;
  drain(): void;
  /** Once; nothing follows. `refused`: nobody listens at the address. */
  closed(cause: { readonly reason: string; readonly refused: boolean }): void;
}

/** Gateway side: opens a channel to a runtime's address. Never throws: a failure comes as `closed`. */
export type Dial = (address: string) => FrameChannel<ToRuntime, FromRuntime>;
