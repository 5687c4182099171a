/** What all calls to a runtime have in common: the connection (plain on a Unix socket, mutual TLS in a cluster), the pool's key, one unary question. */
import {
  type ChannelOptions,
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { ChannelTls } from '../grpc/grpc-tls.ts';

export const KEY_METADATA = 'agentpool-key';

/** How the runtimes of one pool are reached. */
export interface RuntimeAccess {
  /** The pool's runtime key. */
  readonly key: string;
  /** Absent: plain, on a Unix socket. */
  readonly tls?: {
    readonly channels: ChannelTls;
    /** What must stand in the runtime's certificate, whatever address was dialled. */
    readonly serverName: string;
  };
}

/** Nothing is sent before the first call. */
export function openClient(
  address: string,
  { tls }: RuntimeAccess,
  options: ChannelOptions,
): Client {
  if (tls === undefined) return new Client(address, credentials.createInsecure(), options);
  return new Client(address, tls.channels.credentials(), {
    ...options,
    'grpc.ssl_target_name_override': tls.serverName,
  });
}

export function keyMetadata(key: string, options?: { readonly waitForReady: boolean }): Metadata {
  const metadata = new Metadata(options);
  metadata.set(KEY_METADATA, key);
  return metadata;
}

/** Rejects with grpc-js' ServiceError. */
export function askRuntime<Request, Response>(
  client: Client,
  method: MethodDefinition<Request, Response>,
  request: Request,
  call: { readonly metadata: Metadata; readonly deadlineMs: number },
): Promise<Response> {
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      call.metadata,
      { deadline: call.deadlineMs },
      (error, response) => {
        if (response === undefined) reject(error ?? new Error('no answer'));
        else resolve(response);
      },
    );
  });
}

/** What a failed question says of the runtime. A refusal of ours (a wrong key, say) is an answer too: the event loop lives. */
export function lifeOf(error: ServiceError): 'alive' | 'refused' | 'silent' {
  if (isRefused(error)) return 'refused';
  return SILENCE.has(error.code) ? 'silent' : 'alive';
}

const SILENCE: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.CANCELLED,
]);

/** Nobody listens at the address: the process is gone, not slow. */
export function isRefused(error: Error): boolean {
  return (
    'code' in error &&
    error.code === status.UNAVAILABLE &&
    /ECONNREFUSED|ENOENT/.test(error.message)
  );
}
