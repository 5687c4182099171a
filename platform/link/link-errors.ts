/** What a gateway's end of a link says when a runtime cannot be asked now; a repeat can find it back, or another one. */
import { AppError } from '../../core/errors.ts';

const RETRY_AFTER_MS = 1_000;

export function unreachable(message: string): AppError {
  return new AppError('OWNER_UNREACHABLE', message, { retryAfterMs: RETRY_AFTER_MS });
}

/** @param most as many as one link carries, in words. */
export function fullLink(most: string): AppError {
  return new AppError('QUEUE_FULL', `a link carries at most ${most}: try again later`, {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
