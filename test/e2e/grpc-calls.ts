/** Calls of the gRPC API as a stranger would make them: the public proto and grpc-js, no code of ours; errors with their google.rpc details. */
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import protobuf from 'protobufjs';

const PROTO = fileURLToPath(new URL('../../proto', import.meta.url));
const CALL_MS = 60_000;
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;

/** What these tests read of google/rpc/{status,error_details}.proto. */
const details = protobuf.parse(
  `
  syntax = "proto3"; package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
  message FieldViolation { string field = 1; string description = 2; }
  message BadRequest { repeated FieldViolation field_violations = 1; }
`,
  { keepCase: true },
).root;

const definition = loadSync('agentpool/v1/agentpool.proto', {
  includeDirs: [PROTO],
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
});

/** Names of the methods of both services that take one request and give one answer, and of those that stream. */
export const METHODS: readonly { readonly name: string; readonly isUnary: boolean }[] = [
  'agentpool.v1.AgentPoolService',
  'agentpool.v1.PoolAdminService',
].flatMap((service) =>
  Object.entries(
    definition[service] as Readonly<Record<string, grpc.MethodDefinition<Message, Message>>>,
  ).map(([name, { requestStream, responseStream }]) => ({
    name,
    isUnary: !requestStream && !responseStream,
  })),
);

export type Message = Readonly<Record<string, unknown>>;

export interface GrpcFailure {
  /** `INVALID_ARGUMENT` … */
  readonly code: string;
  readonly message: string;
  /** Of ErrorInfo; empty where the server sent none. */
  readonly reason: string;
  readonly retryAfterMs?: number;
  readonly field?: string;
}

/** Rejections of these calls: a status other than OK. */
export class GrpcError extends Error implements GrpcFailure {
  override readonly name = 'GrpcError';
  readonly code: string;
  readonly reason: string;
  declare readonly retryAfterMs?: number;
  declare readonly field?: string;

  constructor(failure: GrpcFailure) {
    super(failure.message);
    this.code = failure.code;
    this.reason = failure.reason;
    Object.assign(this, failure);
  }
}

export interface CallOptions {
  readonly deadlineMs?: number;
  readonly metadata?: Readonly<Record<string, string | Buffer>>;
  readonly token?: string;
}

export type Stream = grpc.ClientReadableStream<Message>;
export type Duplex = grpc.ClientDuplexStream<Message, Message>;

/** All methods of both services by name: `execute`, `getStats` … */
export class GrpcClient {
  readonly #client: grpc.Client;

  /** A connection of its own, which no other client shares. */
  constructor(address: string, credentials = grpc.credentials.createInsecure()) {
    this.#client = new grpc.Client(address, credentials, {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 500,
      'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
      'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    });
  }

  unary(method: string, request: Message, options: CallOptions = {}): Promise<Message> {
    const { path, requestSerialize, responseDeserialize } = methodNamed(method);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize as (bytes: Buffer) => Message,
        request,
        metadataOf(options),
        { deadline: deadlineOf(options) },
        (error, answer) => {
          if (error !== null || answer === undefined)
            reject(error === null ? new Error('no answer') : errorOf(error));
          else resolve(answer);
        },
      );
    });
  }

  /** Bytes in place of a message. */
  raw(method: string, request: Buffer): Promise<Message> {
    const { path, responseDeserialize } = methodNamed(method);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        (bytes: Buffer) => bytes,
        responseDeserialize as (bytes: Buffer) => Message,
        request,
        { deadline: deadlineOf({}) },
        (error, answer) => {
          if (error === null && answer !== undefined) resolve(answer);
          else reject(error === null ? new Error('no answer') : errorOf(error));
        },
      );
    });
  }

  stream(method: string, request: Message, options: CallOptions = {}): Stream {
    const { path, requestSerialize, responseDeserialize } = methodNamed(method);
    return this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => Message,
      request,
      metadataOf(options),
      { deadline: deadlineOf(options) },
    );
  }

  connect(options: CallOptions = {}): Duplex {
    const { path, requestSerialize, responseDeserialize } = methodNamed('Connect');
    return this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => Message,
      metadataOf(options),
      { deadline: deadlineOf(options) },
    );
  }

  close(): void {
    this.#client.close();
  }
}

/** The error that a call must end in; an answer is a failure of the test. */
export async function refusalOf(answer: Promise<unknown>): Promise<GrpcError> {
  const outcome = await answer.then(
    (message) => `answered ${JSON.stringify(message)}`,
    (thrown: unknown) => thrown,
  );
  if (outcome instanceof GrpcError) return outcome;
  throw new Error(`not refused: ${String(outcome)}`);
}

/** What `raw` would send, and any other client of HTTP/2: the message in its frame. */
export function framed(method: string, request: Message): Buffer {
  const bytes = methodNamed(method).requestSerialize(request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Ends with the last message; rejects with a GrpcError. */
export async function messagesOf(stream: Stream | Duplex): Promise<Message[]> {
  const messages: Message[] = [];
  stream.on('data', (message: Message) => messages.push(message));
  await endOf(stream);
  return messages;
}

/** Resolves with the end of a stream; what it brings must be read elsewhere. */
export function endOf(stream: Stream | Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('error', (error: grpc.ServiceError) => {
      reject(errorOf(error));
    });
    stream.once('end', resolve);
  });
}

export function errorOf(error: grpc.ServiceError): GrpcError {
  const code = grpc.status[error.code];
  const bytes = error.metadata.get('grpc-status-details-bin')[0];
  const found = Buffer.isBuffer(bytes) ? detailsIn(bytes) : { reason: '' };
  return new GrpcError({ code, message: error.details, ...found });
}

interface Details {
  readonly reason: string;
  readonly retryAfterMs?: number;
  readonly field?: string;
}

function detailsIn(bytes: Buffer): Details {
  const status = decode('Status', bytes) as { details: { type_url: string; value: Uint8Array }[] };
  const detail = (type: string): object => {
    const any = status.details.find(({ type_url }) => type_url.endsWith(`/google.rpc.${type}`));
    return any === undefined ? {} : decode(type, any.value);
  };
  const { reason = '', domain } = detail('ErrorInfo') as { reason?: string; domain?: string };
  const { retry_delay: retryDelay } = detail('RetryInfo') as {
    retry_delay?: { seconds: number; nanos: number };
  };
  const { field_violations: violations } = detail('BadRequest') as {
    field_violations?: { field: string }[];
  };
  const field = violations?.[0]?.field;
  return {
    reason: domain === 'agentpool.dev' ? reason : '',
    ...(retryDelay === undefined
      ? {}
      : { retryAfterMs: retryDelay.seconds * 1000 + retryDelay.nanos / 1e6 }),
    ...(field === undefined ? {} : { field }),
  };
}

/** Whole numbers of 64 bits as plain ones. */
function decode(type: string, bytes: Uint8Array): object {
  const message = details.lookupType(`google.rpc.${type}`);
  return message.toObject(message.decode(bytes), { longs: Number, defaults: true });
}

function methodNamed(name: string): grpc.MethodDefinition<Message, Message> {
  for (const service of ['agentpool.v1.AgentPoolService', 'agentpool.v1.PoolAdminService']) {
    const methods = definition[service] as Readonly<
      Record<string, grpc.MethodDefinition<Message, Message>>
    >;
    const method = methods[name];
    if (method !== undefined) return method;
  }
  throw new Error(`the contract has no method ${name}`);
}

function metadataOf({ metadata = {}, token }: CallOptions): grpc.Metadata {
  const sent = new grpc.Metadata();
  for (const [key, value] of Object.entries(metadata)) sent.set(key, value);
  if (token !== undefined) sent.set('authorization', `Bearer ${token}`);
  return sent;
}

function deadlineOf({ deadlineMs = CALL_MS }: CallOptions): number {
  return Date.now() + deadlineMs;
}
