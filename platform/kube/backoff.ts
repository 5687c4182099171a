/** How long to wait after failures in a row: doubling, half of it left to chance, so that clients that failed together part. Pure. */
import type { Random } from '../random.ts';
import { isKubeError } from './kube-error.ts';

export interface BackoffLimits {
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

/** @param failures in a row, at least 1. Never less than the API server asked for. */
export function backoffMs(
  limits: BackoffLimits,
  failures: number,
  random: Random,
  error?: unknown,
): number {
  const fullMs = Math.min(
    limits.backoffMaxMs,
    limits.backoffMinMs * 2 ** Math.min(failures - 1, 30),
  );
  const askedMs = isKubeError(error) ? (error.retryAfterMs ?? 0) : 0;
  return Math.max(askedMs, fullMs / 2 + (fullMs / 2) * random.float());
}
