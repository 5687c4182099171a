/** Dials runtimes over gRPC: a fresh connection per link, two streams on it that share a link id, the pool's runtime key with both. */
import {
  Client,
  credentials as grpcCredentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ClientDuplexStream,
} from '@grpc/grpc-js';
import type { DataRequest, DataResponse, Init } from '../../proto/generated/internal-messages.ts';
import { agentRuntimeService } from '../../proto/internal-service.ts';
import { singleUseChannelOptions } from '../grpc/grpc-options.ts';
import type { Random } from '../random.ts';
import { fromRuntimeFrame, toRuntimeMessage } from './frame-codec.ts';
import type { Dial, FromRuntime, ToRuntime } from './frames.ts';
import { GrpcFrameChannel } from './grpc-frame-channel.ts';

export const KEY_METADATA = 'agentpool-key';
export const LINK_METADATA = 'agentpool-link';
/** A control message holds a whole call or reply; data messages are batches of 32 KiB slices. */
export const LINK_MESSAGE_BYTES_MAX = 32 * 1024 * 1024;

export interface GrpcDialOptions {
  /** The pool's runtime key. */
  readonly key: string;
  /** Default: none (a Unix socket). */
  readonly credentials?: ChannelCredentials;
}

export function createGrpcDial(
  { key, credentials = grpcCredentials.createInsecure() }: GrpcDialOptions,
  random: Random,
): Dial {
  return (address) => {
    const client = new Client(
      address,
      credentials,
      singleUseChannelOptions(LINK_MESSAGE_BYTES_MAX),
    );
    const metadata = keyMetadata(key);
    metadata.set(LINK_METADATA, random.id());
    const control = duplex(client, 'Control', metadata);
    const data = duplex(client, 'Data', metadata);
    return new GrpcFrameChannel<Init<DataRequest>, DataResponse, ToRuntime, FromRuntime>({
      control,
      data,
      codec: {
        pack: (frames) => ({ frames: frames.map(toRuntimeMessage) }),
        unpack: ({ frames }) => frames.map(fromRuntimeFrame).filter((frame) => frame !== undefined),
      },
      hangUp() {
        control.end();
        data.end();
        control.cancel();
        data.cancel();
        client.close();
      },
      causeOf: (error) => ({ reason: error.message, refused: isRefused(error) }),
    });
  };
}

/** ControlRequest and DataRequest have one shape, so have their responses. */
function duplex(
  client: Client,
  name: 'Control' | 'Data',
  metadata: Metadata,
): ClientDuplexStream<Init<DataRequest>, DataResponse> {
  const { path, requestSerialize, responseDeserialize } = agentRuntimeService[name];
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
}

export function keyMetadata(key: string): Metadata {
  const metadata = new Metadata();
  metadata.set(KEY_METADATA, key);
  return metadata;
}

/** Nobody listens at the address: the process is gone, not slow. */
export function isRefused(error: Error): boolean {
  return (
    'code' in error &&
    error.code === status.UNAVAILABLE &&
    /ECONNREFUSED|ENOENT/.test(error.message)
  );
}
