/** Ends the task when its time is up: the least of timeout_ms, the caller's deadline and the pool's time-out, with one timer. */
import { AppError } from '../../core/errors.ts';
import type { Call } from '../task/call.ts';
import type { Stage } from './stage.ts';
import type { StageContext } from './stage-context.ts';

export function deadline({ clock, membership }: StageContext): Stage {
  return async (call, next) => {
    call.pool = membership.poolNamed(call.request.pool);
    const timeoutMs = timeoutOf(call);
    if (timeoutMs <= 0) throw timeUp();
    call.deadlineMs = call.arrivedMs + timeoutMs;
    if (timeoutMs === Infinity) return next(call);
    const timer = clock.after(timeoutMs, () => {
      call.abort(timeUp());
    });
    try {
      await next(call);
    } finally {
      timer.cancel();
    }
  };
}

function timeoutOf({ request, callerRemainingMs, pool }: Call): number {
  const asked = request.timeoutMs > 0 ? request.timeoutMs : Infinity;
  const poolsMs = pool === undefined ? Infinity : pool.spec.limits.taskTimeoutSeconds * 1000;
  return Math.min(asked, callerRemainingMs, poolsMs);
}

function timeUp(): AppError {
  return new AppError('DEADLINE', 'the task was not done in time');
}
