/** Dials runtimes over gRPC: a fresh connection per link, two streams on it that share a link id, the pool's runtime key with both. */
import type { Client, ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import type { DataRequest, DataResponse, Init } from '../../proto/generated/internal-messages.ts';
import { agentRuntimeService } from '../../proto/internal-service.ts';
import { singleUseChannelOptions } from '../grpc/grpc-options.ts';
import type { Random } from '../random.ts';
import { fromRuntimeFrame, toRuntimeMessage } from './frame-codec.ts';
import type { Dial, FromRuntime, ToRuntime } from './frames.ts';
import { GrpcFrameChannel } from './grpc-frame-channel.ts';
import { isRefused, keyMetadata, openClient, type RuntimeAccess } from './grpc-runtime-client.ts';

export const LINK_METADATA = 'agentpool-link';
/** A control message holds a whole call or reply; data messages are batches of 32 KiB slices. */
export const LINK_MESSAGE_BYTES_MAX = 32 * 1024 * 1024;

export function createGrpcDial(access: RuntimeAccess, random: Random): Dial {
  return (address) => {
    const client = openClient(address, access, singleUseChannelOptions(LINK_MESSAGE_BYTES_MAX));
    const metadata = keyMetadata(access.key);
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
