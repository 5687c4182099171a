/** How the end of a run or of a worker reads as an error for callers. */
import { AppError } from '../../core/errors.ts';
import type { RunOutcome } from '../worker/protocol.ts';
import type { WorkerEnd } from './worker-handle.ts';

const CONFLICT_RETRY_MS = 100;
const LOST_RETRY_MS = 100;

/** What an agent's failure tells its caller: the message, never the stack. */
export function errorOfOutcome(outcome: Extract<RunOutcome, { readonly type: 'error' }>): AppError {
  const { reason, message, code, field } = outcome;
  return new AppError(reason, message, {
    ...(code === undefined ? {} : { code }),
    ...(field === undefined ? {} : { field }),
    ...(reason === 'STATE_CONFLICT' ? { retryAfterMs: CONFLICT_RETRY_MS } : {}),
  });
}

/**
 * @param alone the task's project was the only one with a task in that worker: then the end is its agents' doing, else a bystander
 * must not be blamed and its gateway may try again.
 */
export function errorOfWorkerEnd(end: WorkerEnd, alone: boolean): AppError {
  if (!alone || end.type === 'ordered')
    return runtimeLost(`the worker of this task ended: ${end.message}`);
  if (end.type === 'memory')
    return new AppError(
      'MEMORY_LIMIT',
      `the agent used more memory than quota.memoryMb lets it: ${end.message}`,
    );
  return new AppError('AGENT_EXITED', `the agent ended its worker: ${end.message}`);
}

/** The task may be tried again elsewhere; nothing of it was acknowledged. */
export function runtimeLost(message: string): AppError {
  return new AppError('RUNTIME_LOST', message, { retryAfterMs: LOST_RETRY_MS });
}

/** Of a tenant whose Secret the operator or the kubelet has not brought here yet: without them its agents would begin wrongly. */
export function secretsPending(): AppError {
  const message =
    "the Secret of the tenant has not come to this runtime yet: try again, or see the pool's condition Degraded";
  return new AppError('SECRETS_PENDING', message, { retryAfterMs: 5_000 });
}

export function storeLost(): AppError {
  return new AppError(
    'STORE_UNAVAILABLE',
    'the store does not answer this runtime, nothing was acknowledged: try again with the same request_id',
    {
      retryAfterMs: 1000,
    },
  );
}

/** Not for the gateway to try again: it would come to the same. */
export function commitGivenUp(): AppError {
  return new AppError(
    'STORE_UNAVAILABLE',
    'the store answered each attempt to keep the answer of this task with silence, nothing was acknowledged: it may be too large for the way there; a repeat with the same request_id says whether it was kept',
    { retryAfterMs: 1000 },
  );
}

export function paused(): AppError {
  return new AppError('PAUSED', 'the project is paused: resume it first');
}
