/** Waits until it is the task's turn and holds what it was given until the task is over. */
import type { Stage } from './stage.ts';
import type { StageContext } from './stage-context.ts';
import { poolOf } from '../task/call.ts';

export function admit({ admission, clock, metrics, rateRefusals }: StageContext): Stage {
  return async (call, next) => {
    rateRefusals.check(call.project, clock.nowMs());
    const pool = poolOf(call);
    try {
      const turn = admission.acquire(call, pool);
      if (turn instanceof Promise) await turn;
      await next(call);
    } finally {
      admission.release(call);
      metrics.waited(pool, call.queuedMs);
    }
  };
}
