/** Ends the task when its time is up: the least of timeout_ms, the caller's deadline and the pool's time-out, with one timer. */
import { AppError } from '../../core/errors.ts';
import type { Call } from '../task/call.ts';
import type { Stage } from './stage.ts';
import type { StageContext } from './stage-context.ts';

export function deadline({ clock, membership }: StageContext): Stage {
  return async (call, next) => {
    call.pool = membership.poolNamed(call.request.pool);
    const limit = limitOf(call);
    if (limit.ms <= 0) throw timeUp(limit);
    call.deadlineMs = call.arrivedMs + limit.ms;
    if (limit.ms === Infinity) return next(call);
    const timer = clock.after(limit.ms, () => {
      call.abort(timeUp(limit));
    });
    try {
      await next(call);
    } finally {
      timer.cancel();
    }
  };
}

interface Limit {
  readonly ms: number;
  /** Who has set it. */
  readonly source: string;
}

function limitOf({ request, callerRemainingMs, pool }: Call): Limit {
  const limits: readonly Limit[] = [
    { ms: request.timeoutMs > 0 ? request.timeoutMs : Infinity, source: 'options.timeout_ms' },
    { ms: callerRemainingMs, source: "the call's deadline" },
    {
      ms: pool === undefined ? Infinity : pool.spec.limits.taskTimeoutSeconds * 1000,
      source: "the pool's limits.taskTimeoutSeconds",
    },
  ];
  return limits.reduce((least, one) => (one.ms < least.ms ? one : least));
}

function timeUp({ ms, source }: Limit): AppError {
  return new AppError(
    'DEADLINE',
    `the task was not done within ${Math.max(0, Math.round(ms))} ms (${source}): give it more time, or less to do`,
  );
}
