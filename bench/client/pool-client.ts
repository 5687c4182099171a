/** A client of the public contract as any service would write one, over the proto file: unary calls, one Connect stream, leases. */
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { fileURLToPath } from 'node:url';

export interface TaskMessage {
  readonly tenant: string;
  readonly project: string;
  readonly agent: string;
  readonly conversation_id: string;
  readonly request_id: string;
  readonly json_utf8: Buffer;
}

export interface AnswerMessage {
  readonly json_utf8?: Buffer;
  readonly instance_id?: string;
  readonly tier?: string;
  readonly timings?: { readonly activate_ms?: number };
}

type Done<Answer> = (error: grpc.ServiceError | null, answer?: Answer) => void;
interface CallOptions {
  readonly deadline: number;
}
interface EventMessage {
  readonly request_id: string;
  readonly result?: AnswerMessage;
  readonly error?: { readonly message?: string; readonly reason?: string };
}
type ConnectCall = grpc.ClientDuplexStream<{ readonly execute: TaskMessage }, EventMessage>;

interface Stub extends grpc.Client {
  execute(request: TaskMessage, options: CallOptions, done: Done<AnswerMessage>): void;
  connect(): ConnectCall;
  acquire(request: object, options: CallOptions, done: Done<{ readonly lease_id: string }>): void;
  release(request: object, options: CallOptions, done: Done<object>): void;
}
interface Loaded {
  readonly agentpool: {
    readonly v1: {
      readonly AgentPoolService: new (
        address: string,
        credentials: grpc.ChannelCredentials,
        options: object,
      ) => Stub;
    };
  };
}

const PROTO = fileURLToPath(new URL('../../proto', import.meta.url));
const CALL_MS = 30_000;

export type Ask = (task: TaskMessage) => Promise<AnswerMessage>;

export class PoolClient {
  readonly #stub: Stub;
  #stream: ConnectCall | undefined;
  readonly #waiting = new Map<
    string,
    { resolve: (answer: AnswerMessage) => void; reject: (error: Error) => void }
  >();

  constructor(address: string) {
    const definition = loadSync('agentpool/v1/agentpool.proto', {
      includeDirs: [PROTO],
      keepCase: true,
      longs: Number,
      enums: String,
    });
    // eslint-disable-next-line no-restricted-syntax -- grpc-js types a loaded package as a bag of anything
    const loaded = grpc.loadPackageDefinition(definition) as unknown as Loaded;
    this.#stub = new loaded.agentpool.v1.AgentPoolService(
      address,
      grpc.credentials.createInsecure(),
      { 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 500 },
    );
  }

  readonly execute: Ask = (task) =>
    unary((done) => {
      this.#stub.execute(task, deadline(), done);
    });

  /** Over one stream for all; the answer is matched by its request_id. */
  readonly executeOnStream: Ask = (task) =>
    new Promise((resolve, reject) => {
      this.#waiting.set(task.request_id, { resolve, reject });
      this.#connected().write({ execute: task });
    });

  acquire(tenant: string, project: string): Promise<{ readonly lease_id: string }> {
    return unary((done) => {
      this.#stub.acquire({ tenant, project, ttl_ms: 60_000 }, deadline(), done);
    });
  }

  release(leaseId: string): Promise<object> {
    return unary((done) => {
      this.#stub.release({ lease_id: leaseId }, deadline(), done);
    });
  }

  close(): void {
    this.#stream?.end();
    this.#stub.close();
  }

  #connected(): ConnectCall {
    if (this.#stream !== undefined) return this.#stream;
    const stream = this.#stub.connect();
    stream.on('data', ({ request_id: id, result, error }: EventMessage) => {
      if (result === undefined && error === undefined) return;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (result !== undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(`${error?.reason ?? ''}: ${error?.message ?? ''}`));
    });
    stream.on('error', (error) => {
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
      this.#stream = undefined;
    });
    this.#stream = stream;
    return stream;
  }
}

function deadline(): CallOptions {
  return { deadline: Date.now() + CALL_MS };
}

function unary<Answer>(call: (done: Done<Answer>) => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    call((error, answer) => {
      if (error !== null || answer === undefined) reject(error ?? new Error('no answer'));
      else resolve(answer);
    });
  });
}
