/** The operator's unary calls to a runtime over gRPC: is its event loop alive, and the binding of a standby. Carries no tasks. */
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { agentRuntimeService } from '../../proto/internal-service.ts';
import type { Clock } from '../clock.ts';

export interface ControlTarget {
  /** gRPC target: `unix:/path` or `host:port`. */
  readonly address: string;
  /** The pool's runtime key. */
  readonly key: string;
}

export interface RuntimeControl {
  /** `refused`: nobody listens; `silent`: no answer in time. Never rejects. */
  ping(timeoutMs: number): Promise<'alive' | 'refused' | 'silent'>;
  /** Waits for the connection, and for the runtime to have noted its project; rejects after `timeoutMs`. */
  bind(project: string, bindingId: string, timeoutMs: number): Promise<void>;
  close(): void;
}

const OPTIONS = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.enable_http_proxy': 0,
};

/** One connection, made with the first call. */
export function connectRuntimeControl(target: ControlTarget, clock: Clock): RuntimeControl {
  const client = new Client(target.address, credentials.createInsecure(), OPTIONS);
  const metadata = (waitForReady: boolean): Metadata => {
    const made = new Metadata({ waitForReady });
    made.set('agentpool-key', target.key);
    return made;
  };
  const deadline = (timeoutMs: number): number => clock.wallMs() + timeoutMs;
  return {
    ping: (timeoutMs) =>
      new Promise((resolve) => {
        const { path, requestSerialize, responseDeserialize } = agentRuntimeService.Ping;
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          {},
          metadata(false),
          { deadline: deadline(timeoutMs) },
          (error) => resolve(error === null ? 'alive' : verdictOf(error)),
        );
      }),
    bind: (project, bindingId, timeoutMs) =>
      new Promise((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = agentRuntimeService.Bind;
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          { project, bindingId },
          metadata(true),
          { deadline: deadline(timeoutMs) },
          (error) => {
            if (error === null) resolve();
            else reject(error);
          },
        );
      }),
    close: () => client.close(),
  };
}

/** An answer of any kind is life; that nobody listens is known at once. */
function verdictOf(error: ServiceError): 'alive' | 'refused' | 'silent' {
  if (error.code === status.UNAVAILABLE) return 'refused';
  return error.code === status.DEADLINE_EXCEEDED ? 'silent' : 'alive';
}
