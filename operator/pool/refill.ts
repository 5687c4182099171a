/** When standbys that nobody waits for are made, and how many at once: a start takes cores from those who serve. Pure. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { SeenRuntime } from './observed.ts';
import type { PoolLimits } from './pool-limits.ts';
import { isStarting } from './runtimes.ts';

/**
 * When the last of the projects that were promoted closely one after another has moved in; at the latest some time after the first of them.
 * Monotonic ms; -Infinity: there were none.
 */
export function refillAtMs(
  live: readonly SeenRuntime[],
  isBinding: boolean,
  { refillWaitMs, refillWaitMsMax }: PoolLimits,
  nowMs: number,
): number {
  const bound = live.flatMap(({ binding }) => binding?.sinceMs ?? []);
  const latestFirst = [...bound, ...(isBinding ? [nowMs] : [])].sort((a, b) => b - a);
  const [last = -Infinity, ...earlier] = latestFirst;
  let first = last;
  for (const sinceMs of earlier) {
    if (first - sinceMs > refillWaitMs) break;
    first = sinceMs;
  }
  const areMoving = live.some(
    ({ binding, state }) =>
      binding !== undefined && binding.sinceMs >= first && state.at === 'starting',
  );
  const latestMs = first + refillWaitMsMax;
  return areMoving ? latestMs : Math.min(last + refillWaitMs, latestMs);
}

/**
 * How many more may begin to start. One after the other they are all there little later on a machine that is small, and what runs there is served
 * meanwhile.
 *
 * @param urgent about to be made for projects that wait.
 * @returns `moreAtMs`: when the first of those that start counts no more (monotonic ms); Infinity: none does.
 */
export function refillRoom(
  spec: AgentPoolSpec,
  { live, urgent, nowMs }: Starts,
  { refillStartsMax, refillStartsShare, refillStartsMs }: PoolLimits,
): { readonly room: number; readonly moreAtMs: number } {
  const max = Math.max(refillStartsMax, Math.ceil(refillStartsShare * spec.tiers.hot.standby));
  const untilMs = live
    .filter(isStarting)
    .map(({ createdMs }) => createdMs + refillStartsMs)
    .filter((atMs) => atMs > nowMs);
  return { room: Math.max(0, max - untilMs.length - urgent), moreAtMs: Math.min(...untilMs) };
}

interface Starts {
  readonly live: readonly SeenRuntime[];
  readonly urgent: number;
  readonly nowMs: number;
}
