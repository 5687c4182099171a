/** AppError ⇄ the frame that carries it over a link. */
import { AppError } from '../../core/errors.ts';
import { deadlinePassed } from '../../core/time-up.ts';
import type { ErrorFrame } from './frames.ts';

export function errorFrameOf(error: AppError): ErrorFrame {
  return {
    reason: error.reason,
    code: error.code,
    message: error.message,
    metadata: error.metadata,
    ...(error.field === undefined ? {} : { field: error.field }),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  };
}

export function appErrorOfFrame(frame: ErrorFrame): AppError {
  const { reason, message, ...details } = frame;
  return new AppError(reason, message, details);
}

/** How a cancel's reason reads as an error. */
export function cancelError(reason: 'CANCELLED' | 'DEADLINE' | 'SLOW_CONSUMER'): AppError {
  return new AppError(reason, CANCEL_MESSAGES[reason]);
}

const CANCEL_MESSAGES = {
  CANCELLED: 'the caller cancelled the task',
  DEADLINE: deadlinePassed().message,
  SLOW_CONSUMER: 'the caller reads its answer too slowly: read it as it comes',
} as const;
