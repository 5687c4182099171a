/** Which runtimes are as good as dead though nothing says that they ended: the store has not heard of them for too long. Pure. */
import type { RuntimeName } from './driver.ts';
import type { Observed, SeenRuntime } from './observed.ts';
import type { PoolLimits } from './pool-limits.ts';
import { isReady } from './runtimes.ts';

/** When it counts as lost unless it is heard of before (monotonic ms); Infinity: it is heard of, or the time of its start counts. */
export function lostAtMs(
  { state, unheardSinceMs, isUnseen }: SeenRuntime,
  limits: PoolLimits,
): number {
  if (unheardSinceMs === undefined) return Infinity;
  if (isUnseen === true) return unheardSinceMs + limits.unseenMs;
  return state.at === 'unready' ? unheardSinceMs + limits.unheardMs : Infinity;
}

type Seen = Pick<Observed, 'runtimes' | 'refusals' | 'failures'>;

/**
 * Where no runtime of the pool is ready it may be their way to the store that is cut, and no fault of theirs. Then one is replaced, and
 * the others go when its successor fares better.
 */
export function lostRuntimes(
  observed: Seen,
  limits: PoolLimits,
  nowMs: number,
): ReadonlySet<RuntimeName> {
  const lost = observed.runtimes.filter((one) => lostAtMs(one, limits) <= nowMs);
  const unheard = lost.filter(({ isUnseen }) => isUnseen !== true);
  const most = observed.runtimes.some(isReady) ? Infinity : isOneTried(observed) ? 0 : 1;
  const spared = new Set(unheard.slice(most));
  return new Set(lost.filter((one) => !spared.has(one)).map(({ name }) => name));
}

/** A successor is on its way, or cannot be had. */
function isOneTried({ runtimes, refusals, failures }: Seen): boolean {
  const isComing = ({ state: { at } }: SeenRuntime): boolean =>
    at === 'expected' || at === 'pending' || at === 'starting';
  return refusals.size > 0 || failures.size > 0 || runtimes.some(isComing);
}
