/** A plain gRPC client of the public contract, as any service would write one: proto file, no code of ours. */
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../proto', import.meta.url));
const CALL_MS = 30_000;

export interface Answer {
  readonly request_id: string;
  readonly json_utf8?: Buffer;
  readonly replayed: boolean;
}

export interface TurnMessage {
  readonly index: string;
  readonly role: string;
  readonly request_id: string;
}

interface PoolClient extends grpc.Client {
  execute(
    request: object,
    metadata: grpc.Metadata,
    options: { deadline: number },
    done: (error: grpc.ServiceError | null, answer?: Answer) => void,
  ): void;
  getConversation(
    request: object,
    metadata: grpc.Metadata,
    options: { deadline: number },
    done: (
      error: grpc.ServiceError | null,
      answer?: { turn_count: string; turns: TurnMessage[] },
    ) => void,
  ): void;
}

interface Loaded {
  readonly agentpool: {
    readonly v1: {
      readonly AgentPoolService: new (
        address: string,
        credentials: grpc.ChannelCredentials,
        options: object,
      ) => PoolClient;
    };
  };
}

export class Client {
  readonly #client: PoolClient;
  readonly #metadata = new grpc.Metadata();

  constructor(address: string, token?: string) {
    if (token !== undefined) this.#metadata.set('authorization', `Bearer ${token}`);
    const definition = loadSync('agentpool/v1/agentpool.proto', {
      includeDirs: [ROOT],
      keepCase: true,
      longs: String,
      oneofs: true,
      defaults: true,
    });
    // eslint-disable-next-line no-restricted-syntax -- grpc-js types a loaded package as a bag of anything
    const { AgentPoolService } = (grpc.loadPackageDefinition(definition) as unknown as Loaded)
      .agentpool.v1;
    this.#client = new AgentPoolService(address, grpc.credentials.createInsecure(), {
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 500,
    });
  }

  execute(request: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + CALL_MS };
      this.#client.execute(request, this.#metadata, options, (error, answer) => {
        if (error !== null || answer === undefined) reject(error ?? new Error('no answer'));
        else resolve(answer);
      });
    });
  }

  conversation(
    request: object,
  ): Promise<{ readonly turn_count: string; readonly turns: readonly TurnMessage[] }> {
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + CALL_MS };
      this.#client.getConversation(request, this.#metadata, options, (error, answer) => {
        if (error !== null || answer === undefined) reject(error ?? new Error('no answer'));
        else resolve(answer);
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}
