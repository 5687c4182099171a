/** One look at a pool joined with what is remembered of it, and what follows for the things around its runtimes. Pure. */
import type { AgentPoolSpec, AgentPoolStatus } from '../../api/agent-pool.ts';
import type { PoolNeeds } from './driver.ts';
import { lastingHindrance } from './hindrance.ts';
import type { Memory } from './memory.ts';
import type { Sight } from './observe.ts';
import type { Observed } from './observed.ts';

export const NO_SIGHT: Sight = {
  isBlind: false,
  runtimes: [],
  hot: [],
  standbyResources: {},
  nextTierChangeInMs: undefined,
};

/** @param templates revisions that runtimes can be made of. */
export function observedOf(
  sight: Sight,
  memory: Memory,
  update: string | undefined,
  templates: ReadonlyMap<string, unknown>,
): Observed {
  const { nextTierChangeInMs: dueMs, ...seen } = sight;
  const hindrance = lastingHindrance(memory.stepFailures);
  return {
    ...seen,
    ...(update === undefined ? {} : { update }),
    ...(memory.served === undefined ? {} : { served: memory.served }),
    ...(dueMs === undefined ? {} : { nextTierChangeInMs: dueMs }),
    rollout: rolloutOf(memory, templates),
    failuresByRevision: memory.failuresByRevision,
    failuresByProject: memory.failuresByProject,
    ...(memory.refusal === undefined ? {} : { refusal: memory.refusal }),
    ...(hindrance === undefined ? {} : { hindrance }),
  };
}

/** An operator that took over never saw what the revision before was made of: there is nothing to fall back to then, and the new one is tried on. */
function rolloutOf(
  { rollout }: Memory,
  templates: ReadonlyMap<string, unknown>,
): Observed['rollout'] {
  if (rollout === undefined) return { at: 'rolling', to: '', progressMs: Infinity, readyCount: 0 };
  if (rollout.at !== 'stalled' || rollout.from === undefined || templates.has(rollout.from))
    return rollout;
  const { from: _, ...stalled } = rollout;
  return stalled;
}

/** Shared ones as the spec says; dedicated ones as many as are HOT, or stand by. */
export function needsOf(spec: AgentPoolSpec, status: AgentPoolStatus | undefined): PoolNeeds {
  if (spec.operatingMode === 'Suspended') return { shared: 0, dedicated: 0, spec };
  const hot = status?.tiers.find(({ name }) => name === 'HOT');
  const bound = Math.max(hot?.desired ?? 0, hot?.allocated ?? 0);
  return { shared: spec.replicas, dedicated: bound + spec.tiers.hot.standby, spec };
}
