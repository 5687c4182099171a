/** One task as the gateway's end of a connection sees it: sends the input in slices, hands on what comes back, ends once. */
import { AppError } from '../../core/errors.ts';
import type { PayloadArm } from '../store/store.ts';
import { BodyAssembly } from './body-assembly.ts';
import { appErrorOfFrame, cancelError } from './error-frame.ts';
import {
  CHUNK_OVERHEAD_BYTES,
  type ChunkKind,
  type FromRuntime,
  type ResultHeader,
  type TaskHeader,
  type TaskNumber,
  type ToRuntime,
} from './frames.ts';
import { BODY_BYTES_MAX } from './link-limits.ts';
import type { Lane, Outbox } from './outbox.ts';
import { ReceiveWindow } from './receive-window.ts';
import type { RunningTask, TaskListener } from './task-link.ts';

type CancelReason = Parameters<RunningTask['cancel']>[0];
export type TaskFrame = Extract<FromRuntime, { readonly task: TaskNumber }>;
type FrameOf<Type extends FromRuntime['type']> = Extract<FromRuntime, { readonly type: Type }>;

/** What a task needs of its connection. */
export interface ClientTaskHost {
  readonly outbox: Outbox<ToRuntime>;
  control(frame: ToRuntime): void;
  nowMs(): number;
  /** It is not counted against the credit any more, or again. */
  parkedChanged(isParked: boolean): void;
  ended(task: ClientTask): void;
  /** After the listener has heard of the end: its credit can be used. */
  freed(): void;
}

type Incoming =
  | { readonly type: 'chunk'; readonly arm: PayloadArm; readonly kind: ChunkKind }
  | { readonly type: 'result'; readonly header: ResultHeader };

export class ClientTask implements RunningTask {
  readonly number: TaskNumber;
  readonly firstOnConnection: boolean;
  /** `started` has been received. */
  hasStarted = false;
  isParked = false;
  readonly #host: ClientTaskHost;
  readonly #listener: TaskListener;
  readonly #lane: Lane<ToRuntime>;
  readonly #window = new ReceiveWindow();
  #incoming: { readonly what: Incoming; readonly assembly: BodyAssembly } | undefined;
  #state: 'running' | 'cancelled' | 'ended' = 'running';

  constructor(host: ClientTaskHost, number: TaskNumber, listener: TaskListener) {
    this.#host = host;
    this.number = number;
    this.firstOnConnection = number === 1;
    this.#listener = listener;
    this.#lane = host.outbox.lane({ blocked: () => undefined, emptied: () => undefined });
  }

  send(header: TaskHeader, body: Uint8Array): void {
    const task = this.number;
    const queuedAtMs = this.#host.nowMs();
    this.#lane.push({
      body,
      overheadBytes: 0,
      first: (slice, more) => ({
        type: 'task',
        task,
        header: aged(header, this.#host.nowMs() - queuedAtMs),
        body: slice,
        more,
      }),
      rest: (slice, more) => ({ type: 'input', task, body: slice, more }),
    });
  }

  cancel(reason: CancelReason): void {
    if (this.#state !== 'running') return;
    this.#lane.drop();
    if (!this.#lane.hasSent) {
      this.#end(() => this.#listener.failed(cancelError(reason)));
      return;
    }
    this.#state = 'cancelled';
    this.#host.control({ type: 'cancel', task: this.number, reason });
    // Nobody consumes chunks any more: they must not hold up the end.
    this.#window.consumed(Infinity);
    this.#giveBack();
  }

  consumed(bytes: number): void {
    this.#window.consumed(bytes + CHUNK_OVERHEAD_BYTES);
    this.#giveBack();
  }

  /** Ends it before anything was sent. */
  refuse(error: AppError): void {
    this.#end(() => this.#listener.failed(error));
  }

  lost(cause: { readonly refused: boolean; readonly reason: string }): void {
    this.#end(() => this.#listener.lost({ ran: this.hasStarted, ...cause }));
  }

  /** A frame for this task. */
  receive(frame: TaskFrame): void {
    if (this.#state === 'ended') return;
    this.#receivers[frame.type](frame as never);
  }

  readonly #receivers: { readonly [Type in TaskFrame['type']]: (frame: FrameOf<Type>) => void } = {
    window: ({ bytes }) => this.#lane.open(bytes),
    parked: () => this.#parked(),
    started: (frame) => this.#started(frame),
    chunk: ({ arm, kind, body, more }) => this.#begin({ type: 'chunk', arm, kind }, body, more),
    result: ({ header, body, more }) => this.#begin({ type: 'result', header }, body, more),
    output: ({ body, more }) => this.#slice(body, more),
    failed: ({ error }) => this.#end(() => this.#listener.failed(appErrorOfFrame(error))),
    elsewhere: ({ owner, epoch }) => this.#end(() => this.#listener.elsewhere(owner, epoch)),
  };

  #parked(): void {
    // Control frames may overtake data, so this may be older than `started`.
    if (this.hasStarted || this.isParked) return;
    this.isParked = true;
    this.#host.parkedChanged(true);
    if (this.#state === 'running') this.#listener.parked();
  }

  #started(start: FrameOf<'started'>): void {
    this.hasStarted = true;
    if (this.isParked) {
      this.isParked = false;
      this.#host.parkedChanged(false);
    }
    if (this.#state === 'running') this.#listener.started(start);
  }

  #begin(what: Incoming, body: Uint8Array, more: boolean): void {
    this.#window.received(body.length + (what.type === 'chunk' ? CHUNK_OVERHEAD_BYTES : 0));
    if (!more) {
      this.#complete(what, body);
      return;
    }
    this.#incoming = { what, assembly: new BodyAssembly() };
    this.#add(body);
  }

  #slice(body: Uint8Array, more: boolean): void {
    this.#window.received(body.length);
    if (!this.#add(body) || more || this.#incoming === undefined) return;
    const { what, assembly } = this.#incoming;
    this.#incoming = undefined;
    this.#complete(what, assembly.whole());
  }

  #add(body: Uint8Array): boolean {
    const assembly = this.#incoming?.assembly;
    if (assembly === undefined) return false;
    assembly.add(body);
    // No chunk follows a result, so its slices need not wait until the chunks before it are consumed.
    if (this.#incoming?.what.type === 'result') this.#window.swallowed();
    if (assembly.bytes > BODY_BYTES_MAX) {
      this.#host.control({ type: 'cancel', task: this.number, reason: 'CANCELLED' });
      this.#end(() =>
        this.#listener.failed(
          new AppError(
            'PAYLOAD_TOO_LARGE',
            `the answer has more than ${BODY_BYTES_MAX} bytes: let the agent stream it, or answer less`,
          ),
        ),
      );
      return false;
    }
    this.#giveBack();
    return true;
  }

  #complete(what: Incoming, body: Uint8Array): void {
    if (what.type === 'result') {
      this.#end(() => this.#listener.finished(what.header, body));
      return;
    }
    if (this.#state === 'running') {
      this.#window.handedOn();
      this.#listener.chunk({ arm: what.arm, kind: what.kind, body });
    } else this.#window.swallowed();
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#state === 'ended') return;
    const bytes = this.#window.takeReturn();
    if (bytes > 0) this.#host.control({ type: 'window', task: this.number, bytes });
  }

  #end(tell: () => void): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#lane.drop();
    this.#incoming = undefined;
    this.#host.ended(this);
    tell();
    this.#host.freed();
  }
}

/** Times as they are when the frame leaves: what waited here is neither left nor unspent. */
function aged(header: TaskHeader, waitedMs: number): TaskHeader {
  if (waitedMs < 1) return header;
  const { remainingMs, queueMs, queuedMs } = header;
  return {
    ...header,
    remainingMs: Math.max(0, remainingMs - waitedMs),
    queueMs: Math.max(0, queueMs - waitedMs),
    queuedMs: queuedMs + waitedMs,
  };
}
