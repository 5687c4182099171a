/** The ways an instance ends: retired in peace, or dropped at once. What becomes of its callers is the project's. */
import type { AppError } from '../../core/errors.ts';
import type { Instance } from './instance.ts';
import type { EvictionReason } from './metrics.ts';
import type { ProjectPorts } from './project-ports.ts';
import { releaseClaim } from './releasing.ts';
import { runtimeLost } from './run-outcome.ts';

type Ports = Pick<ProjectPorts, 'clock' | 'store' | 'lease' | 'log' | 'workers' | 'metrics'>;

/** Commits what no commit has carried yet, runs `dispose`, releases the claim. Only for one that has nothing to do. */
export async function retireInstance(
  ports: Ports,
  instance: Instance,
  reason: EvictionReason,
): Promise<void> {
  const ageMs = ports.clock.wallMs() - instance.createdMs;
  if (instance.rateDirty && ports.lease.held) await instance.commit({});
  const session = instance.end(runtimeLost('the instance was retired'));
  // Not waited for: without its claim it can do no harm, and what comes next must not wait for it.
  if (session !== undefined) void ports.workers.retire(session);
  await releaseInstance(ports, instance);
  ports.metrics.evicted(reason, ageMs);
}

/** Nothing of it runs afterwards; the claim stays as it is. */
export function dropInstance(ports: Ports, instance: Instance, error: AppError): void {
  const session = instance.end(error);
  if (session !== undefined) ports.workers.drop(session);
}

/** Never rejects. */
export async function releaseInstance(ports: Ports, instance: Instance): Promise<void> {
  if (instance.claimed) await releaseClaim(ports, instance.committer.claim);
}
