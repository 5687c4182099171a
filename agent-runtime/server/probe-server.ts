/** The kubelet's probes: grpc.health.v1 in plain text for the two names `liveness` and `readiness`, on a port of its own that serves nothing else. */
import { HealthImplementation } from 'grpc-health-check';
import type { Clock } from '../../platform/clock.ts';
import { serverOptions } from '../../platform/grpc/grpc-options.ts';
import { startGrpcServer } from '../../platform/grpc/grpc-server.ts';

export interface ProbeServer {
  setReady(isReady: boolean): void;
  stop(): Promise<void>;
}

const MESSAGE_BYTES_MAX = 1_024;

/** An answer of any kind says that the event loop lives. Rejects when the address cannot be had. */
export async function serveProbes(listen: string, clock: Clock): Promise<ProbeServer> {
  const health = new HealthImplementation({ liveness: 'SERVING', readiness: 'NOT_SERVING' });
  const server = await startGrpcServer(
    {
      listen,
      options: serverOptions({ messageBytesMax: MESSAGE_BYTES_MAX }),
      register: (to) => health.addToServer(to),
    },
    clock,
  );
  return {
    setReady: (isReady) => health.setStatus('readiness', isReady ? 'SERVING' : 'NOT_SERVING'),
    stop: () => server.stop(0),
  };
}
