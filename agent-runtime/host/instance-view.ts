/** How an instance shows itself to gateways: plain data of one moment. */
import type { InstanceView } from '../../platform/link/frames.ts';
import type { Instance } from './instance.ts';

export function viewOf(instance: Instance, queued: number): InstanceView {
  const { worker } = instance.session ?? {};
  // In a shared worker nobody knows whose bytes are whose: each session counts for its part.
  const part = Math.max(1, worker?.sessions ?? 1);
  return {
    id: instance.key,
    tier: instance.tier,
    state: instance.state,
    createdMs: instance.createdMs,
    lastUsedMs: instance.lastUsedMs,
    requests: instance.requests,
    memoryBytes: Math.round((worker?.use?.memoryBytes ?? 0) / part),
    cpuPercent: (worker?.use?.cpuPercent ?? 0) / part,
    message: instance.message,
    epoch: instance.epoch,
    queued,
  };
}
