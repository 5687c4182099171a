/** Serves AgentRuntimeService: checks the key, pairs the two streams of each link, hands the channel to the link server, and the unary calls on. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Metadata } from '@grpc/grpc-js';
import {
  type Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { AppError } from '../../core/errors.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type {
  AgentRuntimeServiceHandlers,
  DataRequest,
  DataResponse,
  Init,
} from '../../proto/generated/internal-messages.ts';
import { agentRuntimeService, compileInternalMessages } from '../../proto/internal-service.ts';
import { statusOf } from '../../proto/status.ts';
import type { Clock, Timer } from '../clock.ts';
import { fromRuntimeMessage, toRuntimeFrame } from './frame-codec.ts';
import type { FrameChannel, FromRuntime, ToRuntime } from './frames.ts';
import { type FrameCodec, GrpcFrameChannel } from './grpc-frame-channel.ts';
import { LINK_METADATA } from './grpc-link-dial.ts';
import { KEY_METADATA } from './grpc-runtime-client.ts';

/** Links of which one stream has come and the other has not. */
const HALF_OPEN_MAX = 256;
const HALF_OPEN_MS_MAX = 5_000;

export interface RuntimeService {
  /** The pool's runtime key: what callers must present. */
  readonly key: string;
  readonly incarnation: string;
  readonly accept: (channel: FrameChannel<FromRuntime, ToRuntime>) => void;
  /** Once for life; rejects with an AppError. */
  bind(project: ProjectKey): Promise<void>;
  /** True: released. */
  yieldProject(project: ProjectKey, withinMs: number): Promise<boolean>;
}

/** Frames as the runtime's end writes and reads them. */
export const RUNTIME_CODEC: FrameCodec<FromRuntime, Init<DataResponse>, ToRuntime, DataRequest> = {
  pack: (frames) => ({ frames: frames.map(fromRuntimeMessage) }),
  unpack: ({ frames }) => frames.map(toRuntimeFrame).filter((frame) => frame !== undefined),
};

type Stream = ServerDuplexStream<DataRequest, Init<DataResponse>>;

/** Ready for its first call: what reads and writes messages is compiled here, not while somebody waits. */
export function addRuntimeService(server: Server, service: RuntimeService, clock: Clock): void {
  compileInternalMessages();
  const isAllowed = keyCheck(service.key);
  const pairing = new Pairing(service.accept, clock);
  const opened = (half: 'control' | 'data') => (stream: Stream) => {
    const link = textIn(stream.metadata, LINK_METADATA);
    if (!isAllowed(stream.metadata)) refuse(stream, wrongKey());
    else if (link === '')
      refuse(stream, new AppError('INVALID_FIELD', `no ${LINK_METADATA} in the metadata`));
    else pairing.add(link, half, stream);
  };
  const unary =
    <Request, Response>(answer: (request: Request) => Promise<Init<Response>>) =>
    (
      call: ServerUnaryCall<Request, Init<Response>>,
      callback: sendUnaryData<Init<Response>>,
    ): void => {
      const running = isAllowed(call.metadata) ? answer(call.request) : Promise.reject(wrongKey());
      running.then(
        (response) => callback(null, response),
        (error: unknown) => callback(statusOf(AppError.from(error))),
      );
    };
  const handlers: AgentRuntimeServiceHandlers = {
    Control: opened('control'),
    Data: opened('data'),
    Bind: unary(async ({ project }) => {
      await service.bind(project);
      return {};
    }),
    Ping: unary(async () => ({ incarnation: service.incarnation })),
    YieldProject: unary(async ({ project, withinMs }) => ({
      released: await service.yieldProject(project, withinMs),
    })),
  };
  server.addService(agentRuntimeService, handlers);
}

/** Digests are compared, so the time says nothing of the key, its length included. */
function keyCheck(key: string): (metadata: Metadata) => boolean {
  const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();
  const expected = digestOf(key);
  return (metadata) => timingSafeEqual(digestOf(textIn(metadata, KEY_METADATA)), expected);
}

function textIn(metadata: Metadata, name: string): string {
  const value = metadata.get(name)[0];
  return typeof value === 'string' ? value : '';
}

function wrongKey(): AppError {
  return new AppError(
    'TOKEN_INVALID',
    `${KEY_METADATA} is missing or not this pool's: runtimes are for gateways`,
  );
}

function refuse(stream: Stream, error: AppError): void {
  stream.on('error', () => undefined);
  stream.emit('error', statusOf(error));
}

interface Half {
  readonly half: 'control' | 'data';
  readonly stream: Stream;
  readonly giveUp: Timer;
}

class Pairing {
  readonly #accept: RuntimeService['accept'];
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Half>();

  constructor(accept: RuntimeService['accept'], clock: Clock) {
    this.#accept = accept;
    this.#clock = clock;
  }

  add(link: string, half: 'control' | 'data', stream: Stream): void {
    const first = this.#waiting.get(link);
    if (first === undefined) {
      this.#wait(link, half, stream);
    } else if (first.half === half) {
      refuse(stream, new AppError('INVALID_FIELD', `the link has its ${half} stream already`));
    } else {
      this.#forget(link);
      this.#accept(
        channelOf(
          half === 'control'
            ? { control: stream, data: first.stream }
            : { control: first.stream, data: stream },
        ),
      );
    }
  }

  #wait(link: string, half: 'control' | 'data', stream: Stream): void {
    if (this.#waiting.size >= HALF_OPEN_MAX) {
      refuse(
        stream,
        new AppError('QUEUE_FULL', 'too many links are being opened: try again', {
          retryAfterMs: 1000,
        }),
      );
      return;
    }
    const giveUp = this.#clock.after(HALF_OPEN_MS_MAX, () => {
      this.#forget(link);
      refuse(
        stream,
        new AppError('DEADLINE', "the link's other stream did not come: open the link again"),
      );
    });
    this.#waiting.set(link, { half, stream, giveUp });
    stream.once('cancelled', () => {
      if (this.#waiting.get(link)?.stream === stream) this.#forget(link);
    });
  }

  #forget(link: string): void {
    this.#waiting.get(link)?.giveUp.cancel();
    this.#waiting.delete(link);
  }
}

function channelOf({
  control,
  data,
}: {
  readonly control: Stream;
  readonly data: Stream;
}): FrameChannel<FromRuntime, ToRuntime> {
  return new GrpcFrameChannel<Init<DataResponse>, DataRequest, FromRuntime, ToRuntime>({
    control,
    data,
    codec: RUNTIME_CODEC,
    hangUp(reason) {
      const status = statusOf(new AppError('RUNTIME_LOST', reason));
      control.emit('error', status);
      data.emit('error', status);
    },
    causeOf: (error) => ({ reason: error.message, refused: false }),
  });
}
