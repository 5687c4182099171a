/**
 * Two ends of an in-memory connection: two ordered streams each way, like the real one, frames delivered later and never in the sender's
 * stack. A test may delay, hold and cut it, and make it small, so that senders feel a full transport.
 */
import type { Clock } from '../../platform/clock.ts';
import { isDataFrame } from '../../platform/link/frame-stream.ts';
import type {
  FrameChannel,
  FrameListener,
  FromRuntime,
  ToRuntime,
} from '../../platform/link/frames.ts';

export interface FramePairOptions {
  /** With a delay: frames take `delayMs()` each, order within a stream is kept. */
  readonly clock?: Clock;
  readonly delayMs?: () => number;
  /** Data frames that may be on their way in one direction before `send` answers false. */
  readonly framesMax?: number;
}

export interface FramePair {
  readonly gateway: FrameChannel<ToRuntime, FromRuntime>;
  readonly runtime: FrameChannel<FromRuntime, ToRuntime>;
  /** What is on its way is lost; both ends hear of it. */
  cut(reason: string): void;
  /** Nothing arrives any more (a frozen peer, a dropped route), until `release`. */
  hold(): void;
  release(): void;
  readonly isClosed: boolean;
}

type Frame = ToRuntime | FromRuntime;

export function framePair(options: FramePairOptions = {}): FramePair {
  const toRuntime = new Direction<ToRuntime>(options);
  const toGateway = new Direction<FromRuntime>(options);
  let isClosed = false;
  const end = (reason: string, lost: boolean): void => {
    if (isClosed) return;
    isClosed = true;
    toRuntime.end(reason, lost);
    toGateway.end(reason, lost);
  };
  const channel = <Out extends Frame, In extends Frame>(
    out: Direction<Out>,
    into: Direction<In>,
  ): FrameChannel<Out, In> => ({
    send: (frame) => out.send(frame),
    close: (reason) => {
      into.deafen();
      end(reason, false);
    },
    listen(listener) {
      into.listener = listener;
      out.onDrain = () => listener.drain();
    },
  });
  return {
    gateway: channel(toRuntime, toGateway),
    runtime: channel(toGateway, toRuntime),
    cut(reason) {
      toRuntime.isHeld = false;
      toGateway.isHeld = false;
      end(reason, true);
    },
    hold() {
      toRuntime.isHeld = true;
      toGateway.isHeld = true;
    },
    release() {
      toRuntime.release();
      toGateway.release();
    },
    get isClosed() {
      return isClosed;
    },
  };
}

class Direction<F extends Frame> {
  listener: FrameListener<F> | undefined;
  onDrain: () => void = () => undefined;
  isHeld = false;
  readonly #options: FramePairOptions;
  readonly #streams: Record<
    'control' | 'data',
    { frames: { readonly frame: F; ready: boolean }[] }
  > = { control: { frames: [] }, data: { frames: [] } };
  #isFull = false;
  #ended: { readonly reason: string } | undefined;
  #isDeaf = false;

  constructor(options: FramePairOptions) {
    this.#options = options;
  }

  send(frame: F): boolean {
    if (this.#ended !== undefined) return true;
    const isData = isDataFrame(frame);
    const entry = { frame, ready: false };
    this.#streams[isData ? 'data' : 'control'].frames.push(entry);
    this.#later(() => {
      entry.ready = true;
      this.#deliver();
    });
    if (!isData) return true;
    this.#isFull = this.#streams.data.frames.length >= (this.#options.framesMax ?? Infinity);
    return !this.#isFull;
  }

  end(reason: string, lost: boolean): void {
    this.#ended = { reason };
    if (lost) this.#clear();
    this.#later(() => this.#deliver());
  }

  /** Its receiver has closed: it hears nothing more, not even the end. */
  deafen(): void {
    this.#isDeaf = true;
    this.#clear();
  }

  release(): void {
    this.isHeld = false;
    this.#later(() => this.#deliver());
  }

  #clear(): void {
    this.#streams.control.frames = [];
    this.#streams.data.frames = [];
  }

  #later(fn: () => void): void {
    const { clock, delayMs } = this.#options;
    if (clock === undefined || delayMs === undefined) queueMicrotask(fn);
    else clock.after(delayMs(), fn);
  }

  #deliver(): void {
    if (this.isHeld || this.#isDeaf) return;
    for (const stream of [this.#streams.control, this.#streams.data]) {
      while (stream.frames[0]?.ready === true) {
        const entry = stream.frames.shift();
        if (entry !== undefined) this.listener?.frame(entry.frame);
        if (this.#isFull && this.#streams.data.frames.length === 0) this.#drained();
      }
    }
    if (this.#ended !== undefined && this.#isEmpty()) this.#close(this.#ended.reason);
  }

  #drained(): void {
    this.#isFull = false;
    this.onDrain();
  }

  #isEmpty(): boolean {
    return this.#streams.control.frames.length + this.#streams.data.frames.length === 0;
  }

  #close(reason: string): void {
    this.#isDeaf = true;
    this.listener?.closed({ reason, refused: false });
  }
}
