/** Bounds how often this process asks the API server, and holds back when that says it has too much. Watches and the Lease are not bounded. */
import type { Clock } from '../clock.ts';
import { aroundCalls } from './around-calls.ts';
import { isKubeError } from './kube-error.ts';
import type { Kube } from './kube.ts';

export interface RateBound {
  readonly clock: Clock;
  readonly callsPerSecondMax: number;
  readonly burstCalls: number;
}

/**
 * client-go's defaults (5 and 10) are older than the API server's own fairness between clients, which this leaves the work to: it is the
 * last resort against a loop. The burst is a large pool made at once.
 */
export const RATE_LIMITS = { callsPerSecondMax: 100, burstCalls: 500 } as const;

/** Calls wait their turn, in order; the signal of a call ends its wait, and its turn is then left empty. */
export function rateBound(kube: Kube, { clock, callsPerSecondMax, burstCalls }: RateBound): Kube {
  const perCallMs = 1_000 / callsPerSecondMax;
  /** When the bucket is full again. */
  let fullAtMs = 0;
  let heldUntilMs = 0;
  return aroundCalls(kube, async (call, send) => {
    const nowMs = clock.nowMs();
    fullAtMs = Math.max(fullAtMs, nowMs) + perCallMs;
    const turnMs = Math.max(fullAtMs - burstCalls * perCallMs, heldUntilMs);
    if (turnMs > nowMs) await clock.sleep(turnMs - nowMs, call.signal);
    try {
      return await send();
    } catch (error) {
      if (isKubeError(error, 'TooManyRequests'))
        heldUntilMs = Math.max(heldUntilMs, clock.nowMs() + (error.retryAfterMs ?? 1_000));
      throw error;
    }
  });
}
