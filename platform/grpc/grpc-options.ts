/** Options of every gRPC server and channel of ours: sizes bounded in both directions, keepalive, connection age, reconnect backoff. */
import type { ChannelOptions } from '@grpc/grpc-js';

export interface GrpcServerLimits {
  /** Largest message either way. Payload limits of pools are checked by us with a better answer; this bounds memory. */
  readonly messageBytesMax: number;
  /** Then the client is asked to reconnect (and may find another replica); undefined: never. */
  readonly connectionAgeMsMax?: number;
  /** Running calls have this long to end on an old connection. */
  readonly connectionAgeGraceMs?: number;
  readonly streamsPerConnectionMax?: number;
}

const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** HTTP/2 window of a connection and of a stream: 64 KiB would make every 32 KiB frame wait for a round trip. */
const FLOW_CONTROL_BYTES = 4 * 1024 * 1024;

export function serverOptions(limits: GrpcServerLimits): ChannelOptions {
  const { messageBytesMax, connectionAgeMsMax, connectionAgeGraceMs, streamsPerConnectionMax } =
    limits;
  return {
    ...sizes(messageBytesMax),
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    ...(streamsPerConnectionMax === undefined
      ? {}
      : { 'grpc.max_concurrent_streams': streamsPerConnectionMax }),
    ...(connectionAgeMsMax === undefined
      ? {}
      : {
          'grpc.max_connection_age_ms': connectionAgeMsMax,
          'grpc.max_connection_age_grace_ms': connectionAgeGraceMs ?? 30_000,
        }),
  };
}

export function channelOptions(messageBytesMax: number): ChannelOptions {
  return {
    ...sizes(messageBytesMax),
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 5_000,
    // Retries are decided above, where it is known what may be repeated.
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_http_proxy': 0,
  };
}

/** For a channel that lives as long as one connection: no state shared with an earlier one, no reconnect of its own that matters. */
export function singleUseChannelOptions(messageBytesMax: number): ChannelOptions {
  return { ...channelOptions(messageBytesMax), 'grpc.use_local_subchannel_pool': 1 };
}

function sizes(messageBytesMax: number): ChannelOptions {
  return {
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc-node.flow_control_window': FLOW_CONTROL_BYTES,
  };
}
