/**
 * Bounds what one gRPC call holds for a client that hardly takes it, in bytes and in time. grpc-js ends a call only when all of it has left,
 * so without this the bytes would stay for as long as the client likes.
 */
import { constants } from 'node:http2';
import type { Clock, Timer } from '../../platform/clock.ts';
import { sendingMsMax } from './sending-time.ts';

/** More than this was handed over and has not left: the call is cut at once. One answer is at most 64 MiB. */
export const WAITING_BYTES_MAX = 256 * 1024 * 1024;
/** After the client's own deadline nobody takes the rest; this is for the way of the status. */
const DEADLINE_GRACE_MS = 1_000;
/** What a message costs beside its payload, about. */
const MESSAGE_BYTES = 256;

interface PacedCall {
  once(event: 'cancelled', listener: () => void): unknown;
  getDeadline(): Date | number;
}

export class CallPace {
  readonly #call: PacedCall;
  readonly #clock: Clock;
  /** Monotonic ms. */
  readonly #untilMs: number;
  #waitingBytes = 0;
  /** What was left to be written when the call ended. */
  #endBytes = 0;
  /** When something left last, or began to wait. */
  #sinceMs = 0;
  #state: 'open' | 'ending' | 'over' = 'open';
  #timer: Timer | undefined;

  constructor(call: PacedCall, clock: Clock) {
    this.#call = call;
    this.#clock = clock;
    const deadline = call.getDeadline();
    const atMs = typeof deadline === 'number' ? deadline : deadline.getTime();
    this.#untilMs = atMs - clock.wallMs() + clock.nowMs() + DEADLINE_GRACE_MS;
    // It is said at every end of a call.
    call.once('cancelled', () => {
      this.#state = 'over';
      this.#timer?.cancel();
    });
  }

  /** Handed over and not left yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  waits(payloadBytes: number): void {
    if (this.#state === 'over') return;
    if (this.#waitingBytes === 0) this.#sinceMs = this.#clock.nowMs();
    this.#waitingBytes += payloadBytes + MESSAGE_BYTES;
    if (this.#waitingBytes > WAITING_BYTES_MAX) this.#cut();
    else this.#timer ??= this.#later();
  }

  left(payloadBytes: number): void {
    this.#waitingBytes -= payloadBytes + MESSAGE_BYTES;
    this.#sinceMs = this.#clock.nowMs();
  }

  /** Nothing more will be handed over. */
  ends(): void {
    if (this.#state === 'over') return;
    if (this.#waitingBytes === 0) this.#sinceMs = this.#clock.nowMs();
    this.#state = 'ending';
    this.#endBytes = streamOf(this.#call)?.writableLength ?? 0;
    this.#timer ??= this.#later();
  }

  get #dueMs(): number {
    const bytes = Math.max(this.#waitingBytes, this.#endBytes);
    return Math.min(this.#untilMs, this.#sinceMs + sendingMsMax(bytes));
  }

  #later(): Timer {
    return this.#clock.after(this.#dueMs - this.#clock.nowMs(), () => {
      this.#timer = undefined;
      if (this.#waitingBytes === 0 && this.#state !== 'ending') return;
      if (this.#clock.nowMs() < this.#dueMs) this.#timer = this.#later();
      else this.#cut();
    });
  }

  #cut(): void {
    // The client reads RESOURCE_EXHAUSTED. The call hears of it as of a client that left.
    streamOf(this.#call)?.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

/**
 * grpc-js lets a server end a call in order, not abort it, and keeps the HTTP/2 stream to itself (1.14: `call.call.stream`). Undefined: a later
 * version has it elsewhere, and nothing is cut; grpc-pace.test.ts finds out.
 */
function streamOf(call: object): Stream | undefined {
  const inner = 'call' in call ? call.call : undefined;
  const stream =
    typeof inner === 'object' && inner !== null && 'stream' in inner ? inner.stream : undefined;
  return isStream(stream) ? stream : undefined;
}

interface Stream {
  /** Bytes. */
  readonly writableLength: number;
  close(code: number): void;
}

function isStream(value: unknown): value is Stream {
  return (
    typeof value === 'object' &&
    value !== null &&
    'writableLength' in value &&
    typeof value.writableLength === 'number' &&
    'close' in value &&
    typeof value.close === 'function'
  );
}
