/** Requests per minute as a token bucket in plain data: it travels in the checkpoint, so eviction and moves do not refill it. */
import { AppError } from './errors.ts';

export interface RateBucket {
  /** Tokens left at `atMs`. */
  readonly tokens: number;
  /** Wall-clock ms, as the bucket outlives its process. */
  readonly atMs: number;
}

export type RateAnswer =
  | { readonly type: 'granted'; readonly bucket: RateBucket }
  | { readonly type: 'refused'; readonly retryAfterMs: number };

/** A full bucket holds one minute's requests, so a burst of a whole minute's quota passes; it refills evenly. */
export function takeToken(
  bucket: RateBucket | undefined,
  perMinute: number,
  wallMs: number,
): RateAnswer {
  const perMs = perMinute / 60_000;
  const elapsedMs = bucket === undefined ? 0 : Math.max(0, wallMs - bucket.atMs);
  const tokens = Math.min(perMinute, (bucket?.tokens ?? perMinute) + elapsedMs * perMs);
  if (tokens >= 1) return { type: 'granted', bucket: { tokens: tokens - 1, atMs: wallMs } };
  return { type: 'refused', retryAfterMs: Math.ceil((1 - tokens) / perMs) };
}

const LIMITS = {
  project: 'quota.requestsPerMinute of its tier or entry',
  tenant: 'requestsPerMinute of tenantLimits or its entry',
} as const;

/** What a caller is told, by whichever process refuses. */
export function rateLimited(
  whose: keyof typeof LIMITS,
  perMinute: number,
  retryAfterMs: number,
): AppError {
  return new AppError(
    'RATE_LIMITED',
    `the ${whose} has used up its ${perMinute} requests per minute: wait, or have it raised (${LIMITS[whose]})`,
    { retryAfterMs },
  );
}
