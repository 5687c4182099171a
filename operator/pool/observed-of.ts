/** One look at a pool joined with what is remembered of it, and what follows for the things around its runtimes. Pure. */
import type { AgentPoolSpec, AgentPoolStatus } from '../../api/agent-pool.ts';
import type { PoolNeeds } from './driver.ts';
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

export function observedOf(sight: Sight, memory: Memory, update: string | undefined): Observed {
  const { nextTierChangeInMs: dueMs, ...seen } = sight;
  return {
    ...seen,
    ...(update === undefined ? {} : { update }),
    ...(memory.served === undefined ? {} : { served: memory.served }),
    ...(dueMs === undefined ? {} : { nextTierChangeInMs: dueMs }),
    rollout: memory.rollout ?? { at: 'rolling', to: '', progressMs: Infinity, readyCount: 0 },
    failuresByRevision: memory.failuresByRevision,
    failuresByProject: memory.failuresByProject,
    ...(memory.refusal === undefined ? {} : { refusal: memory.refusal }),
  };
}

/** Shared ones as the spec says; dedicated ones as many as are HOT, or stand by. */
export function needsOf(spec: AgentPoolSpec, status: AgentPoolStatus | undefined): PoolNeeds {
  if (spec.operatingMode === 'Suspended') return { shared: 0, dedicated: 0, spec };
  const hot = status?.tiers.find(({ name }) => name === 'HOT');
  const bound = Math.max(hot?.desired ?? 0, hot?.allocated ?? 0);
  return { shared: spec.replicas, dedicated: bound + spec.tiers.hot.standby, spec };
}
