/** The operator's unary calls to a runtime over gRPC: is its event loop alive, and the binding of a standby. Carries no tasks. */
import type { ServiceError } from '@grpc/grpc-js';
import type { ProjectKey } from '../../core/identifiers.ts';
import { agentRuntimeService } from '../../proto/internal-service.ts';
import { appErrorOf } from '../../proto/status.ts';
import type { Clock } from '../clock.ts';
import {
  askRuntime,
  keyMetadata,
  lifeOf,
  openClient,
  type RuntimeAccess,
} from './grpc-runtime-client.ts';

export interface ControlTarget extends RuntimeAccess {
  /** gRPC target: `unix:/path` or `host:port`. */
  readonly address: string;
}

export interface RuntimeControl {
  /** `refused`: nobody listens; `silent`: no answer in time. Never rejects. */
  ping(timeoutMs: number): Promise<'alive' | 'refused' | 'silent'>;
  /** Waits for the connection, and for the runtime to have noted its project; rejects with an AppError, after `timeoutMs` at the latest. */
  bind(project: ProjectKey, timeoutMs: number): Promise<void>;
  close(): void;
}

const DAY_MS = 86_400_000;
const OPTIONS = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.enable_http_proxy': 0,
  // A standby may wait for days; its connection is there when it is bound.
  'grpc.client_idle_timeout_ms': DAY_MS,
};

/** One connection, made with the first call. */
export function connectRuntimeControl(target: ControlTarget, clock: Clock): RuntimeControl {
  const client = openClient(target.address, target, OPTIONS);
  const call = (waitForReady: boolean, timeoutMs: number) => ({
    metadata: keyMetadata(target.key, { waitForReady }),
    deadlineMs: clock.wallMs() + timeoutMs,
  });
  return {
    ping: (timeoutMs) =>
      askRuntime(client, agentRuntimeService.Ping, {}, call(false, timeoutMs)).then(
        () => 'alive',
        (error: unknown) => lifeOf(error as ServiceError),
      ),
    async bind(project, timeoutMs) {
      try {
        await askRuntime(client, agentRuntimeService.Bind, { project }, call(true, timeoutMs));
      } catch (error) {
        throw appErrorOf(error as ServiceError);
      }
    },
    close: () => client.close(),
  };
}
