/** How many shared runtimes of which revision: pure. Knows nothing of HOT projects. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { Observed, SeenRuntime } from './observed.ts';
import type { Action, DrainReason, PartialPlan } from './plan.ts';
import type { PoolLimits } from './pool-limits.ts';
import {
  byWorth,
  drainTimeoutMs,
  isCurrent,
  isInDoubt,
  isLive,
  isReady,
  mayLetGo,
  revisionToCreate,
} from './runtimes.ts';
import { mayTry, split, type Trial, trialCreate, trialOf } from './trial.ts';

/** New ones first: an old one goes when enough others are ready. */
export function decideShared(
  spec: AgentPoolSpec,
  observed: Observed,
  limits: PoolLimits,
): PartialPlan {
  const live = observed.runtimes.filter((one) => one.role === 'shared' && isLive(one));
  const drain =
    (why: DrainReason) =>
    (one: SeenRuntime): Action => ({
      do: 'drain',
      name: one.name,
      withinMs: drainTimeoutMs(one, observed, spec, limits),
      why,
    });
  const trial = trialOf(spec, observed);
  const { going, surplus, wanted } =
    trial === undefined ? roll(spec, observed, live) : hold(spec, observed, live, trial);
  return {
    actions: [...going.map(drain('Replaced')), ...surplus.map(drain('ScaledDown'))],
    creates: wanted,
    wakeAtMs: [],
  };
}

interface Change {
  /** Old ones, that new ones have taken the place of. */
  readonly going: readonly SeenRuntime[];
  readonly surplus: readonly SeenRuntime[];
  readonly wanted: PartialPlan['creates'];
}

function roll(spec: AgentPoolSpec, observed: Observed, live: readonly SeenRuntime[]): Change {
  const mayGo = (one: SeenRuntime): boolean => mayLetGo(one, observed);
  const current = live.filter((one) => isCurrent(one, observed));
  const old = live.filter((one) => !isCurrent(one, observed));
  const doubted = doubtedOf(observed);
  const going = oldToDrain(spec, live, old.filter(mayGo));
  return {
    going,
    surplus: surplusOf(current.filter(mayGo), current.length - spec.replicas),
    wanted: creates(
      spec,
      observed,
      current.length + doubted.filter((one) => isCurrent(one, observed)).length,
      live.length + doubted.length - going.length,
    ),
  };
}

/** While a roll-out is stalled: as many good ones as are wanted, and then one of the new revision, as long as there is one to replace. */
function hold(
  spec: AgentPoolSpec,
  observed: Observed,
  live: readonly SeenRuntime[],
  trial: Trial,
): Change {
  const mayGo = (one: SeenRuntime): boolean => mayLetGo(one, observed);
  const isOld = (one: SeenRuntime): boolean => one.revision !== trial.revision;
  const { kept, spare, good } = split(live, trial, live.length > spec.replicas);
  const isNeeded = spec.replicas > 0 && (good.some(isOld) || trial.fallback !== undefined);
  const dropped = [...spare, ...(kept !== undefined && !isNeeded ? [kept] : [])].filter(mayGo);
  const surplus = surplusOf(good.filter(mayGo), good.length - spec.replicas);
  const doubted = doubtedOf(observed);
  const taken = live.length + doubted.length - dropped.length;
  const missing = creates(spec, observed, good.length + doubted.filter(isOld).length, taken);
  const isStarting = good.some((one) => !isOld(one) && !isReady(one));
  const room = spec.replicas + spec.updateStrategy.maxSurge - (taken - surplus.length);
  const isDue = mayTry(trial, observed, good.length >= spec.replicas);
  const isTried = isNeeded && kept === undefined && !isStarting && isDue && room > 0;
  const tried = trialCreate(trial, { role: 'shared', resources: {} });
  return {
    going: [],
    surplus: [...dropped, ...surplus],
    // First, as nothing is tried any more once one of the others is refused.
    wanted: isTried ? [tried, ...missing].slice(0, room) : missing,
  };
}

function doubtedOf({ runtimes }: Observed): readonly SeenRuntime[] {
  return runtimes.filter((one) => one.role === 'shared' && isInDoubt(one));
}

function surplusOf(runtimes: readonly SeenRuntime[], count: number): readonly SeenRuntime[] {
  return runtimes.toSorted(byWorth).slice(0, Math.max(0, count));
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
