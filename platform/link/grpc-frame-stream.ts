/** Writes frames of one gRPC stream: those ready in the same turn of the event loop travel in one message. Tells when the transport is full. */

/** Payload bytes per message; a larger batch would make a small frame wait for a large message. */
const BATCH_BYTES_MAX = 64 * 1024;
const BATCH_FRAMES_MAX = 256;
/** Handed to gRPC and not written to the socket yet: from here the sender waits, and goes on below half of it. */
const UNWRITTEN_BYTES_MAX = 256 * 1024;
/** What a frame costs beside its body, roughly. */
const FRAME_OVERHEAD_BYTES = 128;

/** The writing half of a grpc-js stream. */
export interface MessageWriter<Message> {
  write(message: Message, callback: (error?: Error | null) => void): boolean;
}

export class GrpcFrameStream<Frame extends object, Message> {
  readonly #writer: MessageWriter<Message>;
  readonly #pack: (frames: readonly Frame[]) => Message;
  readonly #drained: () => void;
  #frames: Frame[] = [];
  #bytes = 0;
  #unwritten = 0;
  #isFull = false;
  #isScheduled = false;
  #isClosed = false;

  constructor(
    writer: MessageWriter<Message>,
    pack: (frames: readonly Frame[]) => Message,
    drained: () => void,
  ) {
    this.#writer = writer;
    this.#pack = pack;
    this.#drained = drained;
  }

  /** False: full; `drained` is called when there is room. The frame is taken all the same. */
  send(frame: Frame): boolean {
    if (this.#isClosed) return true;
    this.#frames.push(frame);
    this.#bytes +=
      FRAME_OVERHEAD_BYTES +
      ('body' in frame && frame.body instanceof Uint8Array ? frame.body.length : 0);
    if (this.#bytes >= BATCH_BYTES_MAX || this.#frames.length >= BATCH_FRAMES_MAX) this.#flush();
    else if (!this.#isScheduled) this.#schedule();
    if (this.#unwritten + this.#bytes >= UNWRITTEN_BYTES_MAX) this.#isFull = true;
    return !this.#isFull;
  }

  /** Writes what waits; nothing is taken any more. */
  close(): void {
    if (this.#isClosed) return;
    this.#flush();
    this.#isClosed = true;
  }

  /** An idle stream writes as soon as the running callback is done; a busy one waits for the end of the turn, so that more travels together. */
  #schedule(): void {
    this.#isScheduled = true;
    const flush = (): void => {
      this.#isScheduled = false;
      if (!this.#isClosed) this.#flush();
    };
    if (this.#unwritten === 0) process.nextTick(flush);
    // eslint-disable-next-line no-restricted-syntax -- no timer: what was read in this turn of the event loop has then been worked through
    else setImmediate(flush);
  }

  #flush(): void {
    if (this.#frames.length === 0) return;
    const message = this.#pack(this.#frames);
    const bytes = this.#bytes;
    this.#frames = [];
    this.#bytes = 0;
    this.#unwritten += bytes;
    this.#writer.write(message, () => this.#written(bytes));
  }

  #written(bytes: number): void {
    this.#unwritten -= bytes;
    if (!this.#isFull || this.#unwritten + this.#bytes > UNWRITTEN_BYTES_MAX / 2) return;
    this.#isFull = false;
    if (!this.#isClosed) this.#drained();
  }
}
