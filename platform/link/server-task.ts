/**
 * One task as the runtime's end of a connection sees it: given to the handler once its input is whole, aborted when the caller leaves, its
 * time is over, it is read too slowly or the link breaks; what the handler says after the end is ignored.
 */
import { AppError } from '../../core/errors.ts';
import type { Timer } from '../clock.ts';
import type { Owner, Payload } from '../store/store.ts';
import { cancelError, errorFrameOf } from './error-frame.ts';
import {
  CHUNK_OVERHEAD_BYTES,
  type FromRuntime,
  type ResultHeader,
  type TaskHeader,
  type TaskNumber,
} from './frames.ts';
import { QUEUED_BYTES_MAX } from './link-limits.ts';
import type { Lane, Outbox, Parcel } from './outbox.ts';
import type { IncomingTask } from './task-link.ts';

const NO_BYTES = new Uint8Array();

/** What a task needs of its connection. */
export interface ServerTaskHost {
  readonly outbox: Outbox<FromRuntime>;
  readonly slowConsumerMs: number;
  control(frame: FromRuntime): void;
  nowMs(): number;
  wallMs(): number;
  after(delayMs: number, fn: () => void): Timer;
  /** Its last frame has left, or the link broke: nothing more comes. */
  gone(task: ServerTask): void;
}

type Chunk = Parameters<IncomingTask['chunk']>[0];
type Start = Parameters<IncomingTask['started']>[0];

export class ServerTask implements IncomingTask {
  readonly number: TaskNumber;
  readonly header: TaskHeader;
  readonly input: Payload;
  readonly deadlineMs: number;
  readonly #host: ServerTaskHost;
  readonly #abort = new AbortController();
  readonly #lane: Lane<FromRuntime>;
  readonly #deadline: Timer;
  #slow: Timer | undefined;
  #onWindow: (() => void) | undefined;
  #isHeldUp = false;
  /** open: the handler has not ended it; ending: its last frames wait; detached: the link is gone; over: nothing more to do. */
  #state: 'open' | 'ending' | 'detached' | 'over' = 'open';

  constructor(
    host: ServerTaskHost,
    number: TaskNumber,
    task: { readonly header: TaskHeader; readonly body: Uint8Array; readonly deadlineMs: number },
  ) {
    this.#host = host;
    this.number = number;
    this.header = task.header;
    this.input = { arm: task.header.arm, body: task.body };
    this.deadlineMs = task.deadlineMs;
    this.#lane = host.outbox.lane({
      blocked: (isBlocked) => this.#blocked(isBlocked),
      emptied: () => this.#emptied(),
    });
    this.#deadline = host.after(task.deadlineMs - host.nowMs(), () =>
      this.#abortWith(cancelError('DEADLINE')),
    );
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  parked(): void {
    if (this.#state === 'open') this.#host.control({ type: 'parked', task: this.number });
  }

  started(start: Start): void {
    if (this.#state !== 'open') return;
    const { conversationId, instanceId, agent, tier } = start;
    this.#pushEmpty({
      type: 'started',
      task: this.number,
      conversationId,
      instanceId,
      agent,
      tier,
      wallMs: this.#host.wallMs(),
    });
  }

  chunk({ arm, kind, body }: Chunk): boolean {
    if (this.#state !== 'open' || !this.header.stream || this.signal.aborted) return true;
    if (this.#lane.queuedBytes + body.length > QUEUED_BYTES_MAX) {
      const error = new AppError(
        'SLOW_CONSUMER',
        `more than ${QUEUED_BYTES_MAX} bytes of the answer wait for the caller: read it as it comes`,
      );
      this.#abortWith(error);
      this.fail(error);
      return true;
    }
    const task = this.number;
    this.#push({
      body,
      overheadBytes: CHUNK_OVERHEAD_BYTES,
      first: (slice, more) => ({ type: 'chunk', task, arm, kind, body: slice, more }),
    });
    this.#isHeldUp = this.#lane.room <= 0;
    return !this.#isHeldUp;
  }

  onWindow(callback: () => void): void {
    this.#onWindow = callback;
  }

  finish(header: ResultHeader, body: Uint8Array): void {
    if (!this.#endBegins()) return;
    const task = this.number;
    this.#push({
      body,
      overheadBytes: 0,
      first: (slice, more) => ({ type: 'result', task, header, body: slice, more }),
    });
  }

  fail(error: AppError): void {
    if (this.#endBegins())
      this.#pushEmpty({ type: 'failed', task: this.number, error: errorFrameOf(error) });
  }

  elsewhere(owner: Owner | undefined, epoch: number): void {
    if (this.#endBegins())
      this.#pushEmpty({
        type: 'elsewhere',
        task: this.number,
        epoch,
        ...(owner === undefined ? {} : { owner }),
      });
  }

  /** From the connection: the caller takes more bytes. */
  opened(bytes: number): void {
    this.#lane.open(bytes);
    if (this.#isHeldUp && this.#lane.room > 0) this.#release();
  }

  /** From the connection. The handler ends the task; if it has done so already, its end has won. */
  cancelled(error: AppError): void {
    this.#abortWith(error);
  }

  /** From the connection: nobody is there to answer to. With CONTINUE the task runs on. */
  detached(error: AppError): void {
    const isOpen = this.#state === 'open';
    this.#slow?.cancel();
    this.#lane.drop();
    this.#state = isOpen ? 'detached' : 'over';
    if (isOpen && this.header.onDisconnect === 'CANCEL') this.#abortWith(error);
    this.#release();
  }

  #push(parcel: Omit<Parcel<FromRuntime>, 'rest'>): void {
    const task = this.number;
    this.#lane.push({
      ...parcel,
      rest: (slice, more) => ({ type: 'output', task, body: slice, more }),
    });
  }

  #pushEmpty(frame: FromRuntime): void {
    this.#push({ body: NO_BYTES, overheadBytes: 0, first: () => frame });
  }

  /** True for the one end that counts and can still be told. */
  #endBegins(): boolean {
    if (this.#state !== 'open' && this.#state !== 'detached') return false;
    this.#deadline.cancel();
    const isTold = this.#state === 'open';
    this.#state = isTold ? 'ending' : 'over';
    return isTold;
  }

  #abortWith(error: AppError): void {
    if (this.#state === 'ending' || this.#state === 'over' || this.signal.aborted) return;
    this.#abort.abort(error);
    this.#release();
  }

  /** Whoever waits for room goes on: there is some, or it will never be needed. */
  #release(): void {
    this.#isHeldUp = false;
    this.#onWindow?.();
  }

  #blocked(isBlocked: boolean): void {
    this.#slow?.cancel();
    if (isBlocked) this.#slow = this.#host.after(this.#host.slowConsumerMs, () => this.#tooSlow());
  }

  #tooSlow(): void {
    const error = new AppError(
      'SLOW_CONSUMER',
      `the caller has taken nothing for ${this.#host.slowConsumerMs} ms: read the answer as it comes`,
    );
    this.#lane.drop();
    this.#abortWith(error);
    // What the handler has ended or ends meanwhile cannot be told any more; a repeat of the request finds its result.
    if (this.#state === 'open') this.fail(error);
    else if (this.#state === 'ending')
      this.#pushEmpty({ type: 'failed', task: this.number, error: errorFrameOf(error) });
  }

  #emptied(): void {
    if (this.#state !== 'ending') return;
    this.#state = 'over';
    this.#slow?.cancel();
    this.#host.gone(this);
  }
}
