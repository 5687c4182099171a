/** One look at a pool joined with what is remembered of it, and what follows for the things around its runtimes. Pure. */
import type { AgentPoolSpec, AgentPoolStatus } from '../../api/agent-pool.ts';
import type { PoolNeeds } from './driver.ts';
import { lastingHindrance } from './hindrance.ts';
import type { Memory } from './memory.ts';
import type { Sight } from './observe.ts';
import type { Observed } from './observed.ts';
import type { PoolRun } from './pool-run.ts';
import { hotPlaces, problemOf } from './runtimes.ts';

export const NO_SIGHT: Sight = {
  isBlind: false,
  runtimes: [],
  hot: [],
  standbyResources: {},
  nextTierChangeInMs: undefined,
};

/** Revisions that runtimes can be made of, now or once they are read. */
type Known = Pick<PoolRun, 'templates' | 'unread'>;

export function observedOf(
  sight: Sight,
  memory: Memory,
  update: string | undefined,
  known: Known,
): Observed {
  const { nextTierChangeInMs: dueMs, ...seen } = sight;
  const hindrance = lastingHindrance(memory.stepFailures);
  return {
    ...seen,
    ...(update === undefined ? {} : { update }),
    ...(memory.served === undefined ? {} : { served: memory.served }),
    ...(dueMs === undefined ? {} : { nextTierChangeInMs: dueMs }),
    rollout: rolloutOf(memory, known),
    ...(memory.good === undefined ? {} : { good: memory.good }),
    failures: memory.failures,
    refusals: memory.refusals,
    ...(hindrance === undefined ? {} : { hindrance }),
  };
}

/** What the revision before was made of may be lost: there is nothing to fall back to then, and the new one is tried on. */
function rolloutOf({ rollout }: Memory, known: Known): Observed['rollout'] {
  if (rollout === undefined) return { at: 'rolling', to: '', progressMs: Infinity, readyCount: 0 };
  if (rollout.at !== 'stalled' || rollout.from === undefined || isKnown(rollout.from, known))
    return rollout;
  const { from: _, ...stalled } = rollout;
  return stalled;
}

function isKnown(revision: string, { templates, unread }: Known): boolean {
  return templates.has(revision) || unread?.revision === revision;
}

/**
 * Shared ones as the spec says; dedicated ones as many as are HOT, or stand by. Standbys that have no place, or that nothing can be made of
 * now, are not waited for: with them in its budget a pool would let no node go.
 */
export function needsOf(
  spec: AgentPoolSpec,
  status: AgentPoolStatus | undefined,
  observed: Pick<Observed, 'runtimes' | 'refusals'> | undefined,
): PoolNeeds {
  if (spec.operatingMode === 'Suspended') return { shared: 0, dedicated: 0, spec };
  const hot = status?.tiers.find(({ name }) => name === 'HOT');
  const bound = Math.max(hot?.desired ?? 0, hot?.allocated ?? 0);
  const standbys = areStandbysLacking(observed)
    ? Math.min(spec.tiers.hot.standby, hot?.idle ?? 0)
    : spec.tiers.hot.standby;
  return { shared: spec.replicas, dedicated: Math.min(bound + standbys, hotPlaces(spec)), spec };
}

function areStandbysLacking(
  observed: Pick<Observed, 'runtimes' | 'refusals'> | undefined,
): boolean {
  if (observed === undefined) return false;
  const standbys = observed.runtimes.filter(
    ({ role, binding }) => role === 'dedicated' && binding === undefined,
  );
  return observed.refusals.size > 0 || standbys.some((one) => problemOf(one) !== undefined);
}
