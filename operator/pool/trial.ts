/**
 * How a stalled roll-out goes on by itself: beside the good runtimes one of the new revision is kept, or tried again, in each role. One that
 * becomes ready and stays so ends the stall (rollout.ts). Pure.
 */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { Observed, SeenRuntime } from './observed.ts';
import type { CreateAction } from './plan.ts';
import { byWorth, isReady, revisionToFallBackTo } from './runtimes.ts';

export interface Trial {
  readonly revision: string;
  /** What the good ones are of; undefined: some of the new revision serve already, or there is no other. */
  readonly fallback: string | undefined;
  /** When the roll-out stalled (monotonic ms). */
  readonly sinceMs: number;
}

/** Undefined: nothing is stalled, or the strategy leaves no room for one more. */
export function trialOf(spec: AgentPoolSpec, observed: Observed): Trial | undefined {
  const { rollout, update } = observed;
  if (rollout.at !== 'stalled' || update === undefined) return undefined;
  if (spec.updateStrategy.maxSurge === 0) return undefined;
  const { sinceMs } = rollout;
  return { revision: update, fallback: revisionToFallBackTo(rollout), sinceMs };
}

/** Never in the place of what serves; but where that cannot be had the new revision may be what does well now. @param isFull nothing is missing. */
export function mayTry(trial: Trial | undefined, { refusals }: Observed, isFull: boolean): boolean {
  return isFull || (trial?.fallback !== undefined && refusals.has(trial.fallback));
}

export interface Tried {
  /** Those that the others are not counted against; at most one of them stays. */
  readonly kept: SeenRuntime | undefined;
  readonly spare: readonly SeenRuntime[];
  /** All others. */
  readonly good: readonly SeenRuntime[];
}

/** @param isFull nothing that is wanted is missing: else one that starts makes that good, and is no trial. */
export function split(
  live: readonly SeenRuntime[],
  { revision, fallback, sinceMs }: Trial,
  isFull: boolean,
): Tried {
  const isOnTrial = (one: SeenRuntime): boolean => {
    if (one.revision !== revision) return false;
    if (fallback !== undefined) return true;
    if (isReady(one) && !isNewerThan(one, sinceMs)) return false;
    return isFull && one.state.at !== 'unready';
  };
  const [kept, ...others] = live.filter(isOnTrial).sort((a, b) => -byWorth(a, b));
  const spare = fallback === undefined ? [] : others;
  const apart = new Set([kept, ...spare]);
  return { kept, spare, good: live.filter((one) => !apart.has(one)) };
}

/** It came up after the stall: until it has stayed so for long enough it is on trial. */
function isNewerThan({ state }: SeenRuntime, ms: number): boolean {
  return state.at === 'ready' && state.sinceMs > ms;
}

export function trialCreate(
  { revision }: Trial,
  { role, resources }: Pick<CreateAction, 'role' | 'resources'>,
): CreateAction {
  return { do: 'create', role, revision, resources, isTrial: true };
}
