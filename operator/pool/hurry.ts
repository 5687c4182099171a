/** Whether a pass that has bound standbys leaves the rest to the next one: in a crowd of promotions what nobody waits for comes after them. */
import type { Plan } from './plan.ts';
import type { PoolRun } from './pool-run.ts';

/** @param hasNews the pool was asked for again. Not for ever: at most `hurryMsMax` in a row. */
export function leavesRest(
  run: PoolRun,
  { actions }: Plan,
  hasNews: boolean,
  { nowMs, hurryMsMax }: { readonly nowMs: number; readonly hurryMsMax: number },
): boolean {
  const isCrowd = hasNews && actions.some((action) => action.do === 'bind');
  const sinceMs = isCrowd ? (run.hurriedSinceMs ?? nowMs) : undefined;
  const isLong = sinceMs !== undefined && nowMs - sinceMs >= hurryMsMax;
  run.hurriedSinceMs = isLong ? undefined : sinceMs;
  return isCrowd && !isLong;
}
