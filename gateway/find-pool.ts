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
    throw new AppError('STORE_UNAVAILABLE', 'this gateway has not read its pools yet: try again', {
      retryAfterMs: UNKNOWN_RETRY_MS,
    });
  const message =
    name === ''
      ? `this gateway serves ${membership.pools.length} pools, not one: name one`
      : `this gateway serves no pool ${name}: check its name and namespace`;
  throw new AppError('UNKNOWN_POOL', message, { field: 'pool' });
}

export function suspended(): AppError {
  return new AppError(
    'SUSPENDED',
    'the pool is suspended: it serves again when spec.operatingMode is Running',
  );
}
