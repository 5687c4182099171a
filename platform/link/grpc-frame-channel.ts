/** A FrameChannel over the two gRPC streams of a link, the same for both ends; opening and pairing the streams is the caller's. */
import { isDataFrame } from './frame-stream.ts';
import type { FrameChannel, FrameListener, FromRuntime, ToRuntime } from './frames.ts';
import { GrpcFrameStream, type MessageWriter } from './grpc-frame-stream.ts';

/** What this uses of a grpc-js duplex stream. */
export interface DuplexCall<Out, In> extends MessageWriter<Out> {
  on(event: 'data', listener: (message: In) => void): unknown;
  on(event: 'end' | 'cancelled', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface FrameCodec<OutFrame, OutMessage, InFrame, InMessage> {
  readonly pack: (frames: readonly OutFrame[]) => OutMessage;
  /** Throws when the message is malformed: the link is closed. */
  readonly unpack: (message: InMessage) => readonly InFrame[];
}

export interface ChannelEnd<Out, In, OutFrame, InFrame> {
  readonly control: DuplexCall<Out, In>;
  readonly data: DuplexCall<Out, In>;
  readonly codec: FrameCodec<OutFrame, Out, InFrame, In>;
  /** Ends both streams; `reason` is for the other side. */
  hangUp(reason: string): void;
  /** What a stream's error means. */
  causeOf(error: Error): { readonly reason: string; readonly refused: boolean };
}

type Frame = ToRuntime | FromRuntime;

export class GrpcFrameChannel<
  Out,
  In,
  OutFrame extends Frame,
  InFrame extends Frame,
> implements FrameChannel<OutFrame, InFrame> {
  readonly #end: ChannelEnd<Out, In, OutFrame, InFrame>;
  readonly #control: GrpcFrameStream<OutFrame, Out>;
  readonly #data: GrpcFrameStream<OutFrame, Out>;
  #listener: FrameListener<InFrame> | undefined;
  #isClosed = false;

  constructor(end: ChannelEnd<Out, In, OutFrame, InFrame>) {
    this.#end = end;
    const { codec } = end;
    this.#control = new GrpcFrameStream(end.control, codec.pack, () => undefined);
    this.#data = new GrpcFrameStream(end.data, codec.pack, () => this.#listener?.drain());
  }

  listen(listener: FrameListener<InFrame>): void {
    this.#listener = listener;
    for (const call of [this.#end.control, this.#end.data]) {
      call.on('data', (message) => this.#receive(message));
      call.on('end', () =>
        this.#closed({ reason: 'the other side closed the link', refused: false }),
      );
      call.on('cancelled', () =>
        this.#closed({ reason: 'the other side closed the link', refused: false }),
      );
      call.on('error', (error) => this.#closed(this.#end.causeOf(error)));
    }
  }

  send(frame: OutFrame): boolean {
    if (this.#isClosed) return true;
    if (isDataFrame(frame)) return this.#data.send(frame);
    this.#control.send(frame);
    return true;
  }

  close(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#control.close();
    this.#data.close();
    this.#end.hangUp(reason);
  }

  #receive(message: In): void {
    if (this.#isClosed) return;
    let frames: readonly InFrame[];
    try {
      frames = this.#end.codec.unpack(message);
    } catch (error) {
      this.#closed({
        reason: `a malformed frame: ${error instanceof Error ? error.message : String(error)}`,
        refused: false,
      });
      return;
    }
    for (const frame of frames) this.#listener?.frame(frame);
  }

  #closed(cause: { readonly reason: string; readonly refused: boolean }): void {
    if (this.#isClosed) return;
    this.close(cause.reason);
    this.#listener?.closed(cause);
  }
}
