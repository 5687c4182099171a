/** The ends of a task that took too long, in one wording for gateway, link and runtime. */
import { AppError } from './errors.ts';

const RETRY_AFTER_MS = 1_000;

/** It waited for its turn. */
export function queueTimeout(): AppError {
  return new AppError(
    'QUEUE_TIMEOUT',
    'the task waited too long for its turn: try again, or let it wait longer (options.max_wait_ms, queue.waitMsMax)',
    { retryAfterMs: RETRY_AFTER_MS },
  );
}

/** Where it is not known who has set how much. */
export function deadlinePassed(): AppError {
  return new AppError('DEADLINE', 'the deadline of the task has passed: give it more time');
}
