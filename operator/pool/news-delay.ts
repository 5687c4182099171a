/** How soon a pool is looked at after something was told of its runtimes. Pure. What people ask for is looked at at once. */
import type { RuntimeChange } from '../../platform/store/store.ts';
import { concernsOthers } from '../../platform/store/runtime-changes.ts';
import type { PoolLimits } from './pool-limits.ts';
import type { PoolRun } from './pool-run.ts';

/**
 * While projects are promoted each look takes time from those that move in; and for how many instances a runtime has alone nothing has to be done: each look reads them anew.
 *
 * @param changes undefined: anything may have changed.
 * @returns ms; 0: at once.
 */
export function newsDelayMs(
  run: Pick<PoolRun, 'hurry' | 'told'> | undefined,
  changes: readonly RuntimeChange[] | undefined,
  { gatherMs, hurryMs, countsMs }: Pick<PoolLimits, 'gatherMs' | 'hurryMs' | 'countsMs'>,
): number {
  if (gatherMs === 0) return 0;
  const known = run?.told?.members ?? [];
  if (changes !== undefined && !concernsOthers(known, changes)) return countsMs;
  return run?.hurry === undefined ? gatherMs : hurryMs;
}
