/** How many shared runtimes of which revision: pure. Knows nothing of HOT projects. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { Observed, SeenRuntime } from './observed.ts';
import type { Action, DrainReason, PartialPlan } from './plan.ts';
import type { PoolLimits } from './pool-limits.ts';
import {
  byWorth,
  drainTimeoutMs,
  isCurrent,
  isLive,
  isReady,
  mayLetGo,
  revisionToCreate,
} from './runtimes.ts';

/** New ones first: an old one goes when enough others are ready. */
export function decideShared(
  spec: AgentPoolSpec,
  observed: Observed,
  limits: PoolLimits,
): PartialPlan {
  const live = observed.runtimes.filter((one) => one.role === 'shared' && isLive(one));
  const current = live.filter((one) => isCurrent(one, observed));
  const old = live.filter((one) => !isCurrent(one, observed));
  const drain =
    (why: DrainReason) =>
    (one: SeenRuntime): Action => ({
      do: 'drain',
      name: one.name,
      withinMs: drainTimeoutMs(one, observed, spec, limits),
      why,
    });
  const mayGo = (one: SeenRuntime): boolean => mayLetGo(one, observed);
  const oldGoing = oldToDrain(spec, live, old).filter(mayGo);
  const surplus = current
    .filter(mayGo)
    .sort(byWorth)
    .slice(0, Math.max(0, current.length - spec.replicas));
  return {
    actions: [...oldGoing.map(drain('Replaced')), ...surplus.map(drain('ScaledDown'))],
    creates: creates(spec, observed, current.length, live.length - oldGoing.length),
    wakeAtMs: [],
  };
}

/** Those that serve nobody yet at once, others only while enough are ready without them. */
function oldToDrain(
  spec: AgentPoolSpec,
  live: readonly SeenRuntime[],
  old: readonly SeenRuntime[],
): readonly SeenRuntime[] {
  const readyCount = live.filter(isReady).length;
  const isDispensable = (one: SeenRuntime): boolean => {
    const { at } = one.state;
    return (
      (at === 'starting' && one.mayServe !== true) ||
      at === 'expected' ||
      at === 'pending' ||
      (at === 'unready' && readyCount >= spec.replicas)
    );
  };
  const ready = old.filter(isReady).sort(byWorth);
  const spare = readyCount - (spec.replicas - spec.updateStrategy.maxUnavailable);
  return [...old.filter(isDispensable), ...ready.slice(0, Math.max(0, spare))];
}

function creates(
  spec: AgentPoolSpec,
  observed: Observed,
  currentCount: number,
  liveCount: number,
): PartialPlan['creates'] {
  const revision = revisionToCreate(observed);
  if (revision === undefined) return [];
  const isRolling = liveCount > currentCount;
  const most = spec.replicas + (isRolling ? spec.updateStrategy.maxSurge : 0);
  const count = Math.max(0, Math.min(spec.replicas - currentCount, most - liveCount));
  return Array.from({ length: count }, () => ({
    do: 'create',
    role: 'shared',
    revision,
    resources: {},
  }));
}
