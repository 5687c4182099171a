/** The pool that a request means, or the error that says why there is none to serve it. */
import { AppError } from '../core/errors.ts';
import type { Membership } from './membership.ts';
import type { PoolView } from './pool-view.ts';

const UNKNOWN_RETRY_MS = 1_000;

/** @param pool as membership found it by this name. */
export function requirePool(
  membership: Membership,
  pool: PoolView | undefined,
  name: string,
): PoolView {
  if (pool !== undefined) return pool;
  if (!membership.isKnown)
    throw new AppError('STORE_UNAVAILABLE', 'the pools are not known yet', {
      retryAfterMs: UNKNOWN_RETRY_MS,
    });
  const message =
    name === ''
      ? 'this gateway does not serve exactly one pool: name one'
      : 'there is no such pool';
  throw new AppError('UNKNOWN_POOL', message, { field: 'pool' });
}

export function suspended(): AppError {
  return new AppError('SUSPENDED', 'the pool is suspended: spec.operatingMode');
}
