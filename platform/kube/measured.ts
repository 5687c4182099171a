/** Counts and times the calls of a client. */
import type { Clock } from '../clock.ts';
import { aroundCalls } from './around-calls.ts';
import { isKubeError } from './kube-error.ts';
import type { Kube } from './kube.ts';
import type { KubeMetrics } from './metrics.ts';

export function measured(kube: Kube, clock: Clock, metrics: KubeMetrics): Kube {
  return aroundCalls(kube, async ({ verb, kind }, send) => {
    const startedMs = clock.nowMs();
    const ended = (outcome: string): void =>
      metrics.requested(verb, kind, outcome, clock.nowMs() - startedMs);
    try {
      const result = await send();
      ended('success');
      return result;
    } catch (error) {
      ended(isKubeError(error) ? error.reason : 'Aborted');
      throw error;
    }
  });
}
