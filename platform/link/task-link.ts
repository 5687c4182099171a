/**
 * The two ends of a link as gateway and runtime see them, above frames: tasks with back-pressure, calls, connection state.
 * link-client.ts (gateway) and link-server.ts (runtime) implement them over a FrameChannel.
 */
import type { AppError } from '../../core/errors.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { Tier } from '../../core/tier.ts';
import type { Owner, Payload, PayloadArm } from '../store/store.ts';
import type { ChunkKind, ResultHeader, RuntimeCall, TaskHeader } from './frames.ts';
import type { LinkTimes } from './link-limits.ts';

export type LinkState = 'connecting' | 'ready' | 'backoff' | 'closed';

/** Gateway side: one per runtime, reconnects by itself until closed. */
export interface RuntimeLink {
  readonly incarnation: string;
  readonly address: string;
  readonly state: LinkState;
  /** Tasks sent over this link since it was made. */
  readonly requests: number;
  /** Wall-clock ms of the last change of state. */
  readonly sinceMs: number;
  /** Tasks that may be sent now: the grant less what is unfinished and not parked. */
  readonly credit: number;
  /** Starts a task. Exactly one of `elsewhere`, `finished`, `failed`, `lost` ends it. */
  run(header: TaskHeader, body: Uint8Array, listener: TaskListener): RunningTask;
  /** Rejects with the runtime's AppError, or OWNER_UNREACHABLE when the link is not ready or breaks. */
  call(request: RuntimeCall, timeoutMs: number): Promise<unknown>;
  /** What the gateway has for this runtime, running and waiting: sent with the next ping. */
  setDemand(tasks: number): void;
  /** These hold from now on, also for what waits already. */
  retime(times: LinkTimes): void;
  close(): void;
}

export interface TaskListener {
  parked(): void;
  started(start: {
    readonly conversationId: string;
    readonly instanceId: string;
    readonly agent: string;
    readonly tier: Tier;
    readonly wallMs: number;
  }): void;
  /** The listener calls `RunningTask.consumed` when the bytes have left; without it the window closes after 256 KiB. */
  chunk(chunk: {
    readonly arm: PayloadArm;
    readonly kind: ChunkKind;
    readonly body: Uint8Array;
  }): void;
  finished(header: ResultHeader, body: Uint8Array): void;
  failed(error: AppError): void;
  elsewhere(owner: Owner | undefined, epoch: number): void;
  /** The link broke. `ran`: `started` had been received; `refused`: the address refused the connection. */
  lost(cause: { readonly ran: boolean; readonly refused: boolean; readonly reason: string }): void;
}

export interface RunningTask {
  /** First task on this connection: the answer's `connection_reused` is false. */
  readonly firstOnConnection: boolean;
  cancel(reason: 'CANCELLED' | 'DEADLINE' | 'SLOW_CONSUMER'): void;
  /** Once per chunk, with the length of its body. */
  consumed(bytes: number): void;
}

/** What a link tells its gateway beside tasks. */
export interface LinkEvents {
  stateChanged(link: RuntimeLink): void;
  creditChanged(link: RuntimeLink): void;
  moved(
    project: ProjectKey,
    epoch: number,
    to: { readonly incarnation: string; readonly address: string } | undefined,
  ): void;
  draining(link: RuntimeLink): void;
}

/** Runtime side: what the link server hands every task and call to. */
export interface TaskHandler {
  /** The whole input is there. Ends by exactly one of `finish`, `fail`, `elsewhere`. */
  task(task: IncomingTask): void;
  call(request: RuntimeCall): Promise<unknown>;
}

export interface IncomingTask {
  readonly header: TaskHeader;
  readonly input: Payload;
  /** Monotonic ms on this runtime's clock, from `remainingMs` at arrival. */
  readonly deadlineMs: number;
  /** Aborted when the caller cancels, its deadline passes, it is too slow, or the link breaks (reason is an AppError). */
  readonly signal: AbortSignal;
  parked(): void;
  started(start: {
    readonly conversationId: string;
    readonly instanceId: string;
    readonly agent: string;
    readonly tier: Tier;
  }): void;
  /** False: the window is used up; `onWindow` is called when there is room again. Bytes are queued all the same. */
  chunk(chunk: {
    readonly arm: PayloadArm;
    readonly kind: ChunkKind;
    readonly body: Uint8Array;
  }): boolean;
  onWindow(callback: () => void): void;
  finish(header: ResultHeader, body: Uint8Array): void;
  fail(error: AppError): void;
  elsewhere(owner: Owner | undefined, epoch: number): void;
}

/** Runtime side: all open links. */
export interface LinkHub {
  /** Pushes to every gateway. */
  moved(
    project: ProjectKey,
    epoch: number,
    to?: { readonly incarnation: string; readonly address: string },
  ): void;
  draining(): void;
  readonly links: number;
}

/** A runtime's way to another runtime: only to find out whether an owner lives, and to ask it to let go. */
export interface PeerClient {
  /** `refused`: nobody listens; `silent`: no answer of its event loop in time. */
  ping(address: string, timeoutMs: number): Promise<'alive' | 'refused' | 'silent'>;
  /** True: released. Never rejects. */
  yieldProject(address: string, project: ProjectKey, withinMs: number): Promise<boolean>;
}
