/** The runtime's end of a link to nobody: messages are written and read as over gRPC, but never leave the process. */
import type { DataRequest, DataResponse, Init } from '../../proto/generated/internal-messages.ts';
import { agentRuntimeService } from '../../proto/internal-service.ts';
import { toRuntimeMessage } from './frame-codec.ts';
import { isDataFrame } from './frame-stream.ts';
import type { FrameChannel, FromRuntime, ToRuntime } from './frames.ts';
import { type DuplexCall, GrpcFrameChannel } from './grpc-frame-channel.ts';
import { RUNTIME_CODEC } from './grpc-link-listen.ts';

export interface LinkInMemory {
  /** For the link server. */
  readonly channel: FrameChannel<FromRuntime, ToRuntime>;
  /** As a gateway does. */
  send(frame: ToRuntime): void;
}

/** @param heard what the runtime says, when it is about to be written. */
export function linkInMemory(heard: (frame: FromRuntime) => void): LinkInMemory {
  const control = new CallInMemory('Control');
  const data = new CallInMemory('Data');
  const { pack, unpack } = RUNTIME_CODEC;
  return {
    channel: new GrpcFrameChannel({
      control,
      data,
      codec: {
        pack(frames) {
          frames.forEach(heard);
          return pack(frames);
        },
        unpack,
      },
      hangUp: () => undefined,
      causeOf: ({ message }) => ({ reason: message, refused: false }),
    }),
    send(frame) {
      const half = isDataFrame(frame) ? data : control;
      half.receive({ frames: [toRuntimeMessage(frame)] });
    },
  };
}

/** What is written to it is forgotten. */
class CallInMemory implements DuplexCall<Init<DataResponse>, DataRequest> {
  readonly #method: (typeof agentRuntimeService)['Control' | 'Data'];
  #take: (message: DataRequest) => void = () => undefined;

  constructor(half: 'Control' | 'Data') {
    this.#method = agentRuntimeService[half];
  }

  on(event: string, listener: (value: never) => void): void {
    if (event === 'data') this.#take = listener as (message: DataRequest) => void;
  }

  write(message: Init<DataResponse>, written: () => void): boolean {
    this.#method.responseSerialize(message as DataResponse);
    queueMicrotask(written);
    return true;
  }

  receive(message: Init<DataRequest>): void {
    const bytes = this.#method.requestSerialize(message);
    this.#take(this.#method.requestDeserialize(bytes) as DataRequest);
  }
}
