/** Which dedicated runtimes are made, bound and let go: pure. Knows nothing of shared runtimes. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { HotProject, Observed, SeenRuntime } from './observed.ts';
import type { Action, CreateAction, DrainReason, PartialPlan } from './plan.ts';
import type { PoolLimits } from './pool-limits.ts';
import { refillAtMs, refillRoom } from './refill.ts';
import {
  byWorth,
  drainTimeoutMs,
  hotPlaces,
  isCurrent,
  isLive,
  isReady,
  isSameClass,
  mayLetGo,
  retryAtMs,
  revisionToCreate,
} from './runtimes.ts';
import { isIdle, selectHot } from './select-hot.ts';

/** A dedicated runtime starts as a standby and is then bound for life, be it for a waiting project or for none yet. */
export function decideHot(
  spec: AgentPoolSpec,
  observed: Observed,
  limits: PoolLimits,
  nowMs: number,
): PartialPlan {
  const live = observed.runtimes.filter((one) => one.role === 'dedicated' && isLive(one));
  const selected = selectHot(spec, observed);
  const drain: Drain = (one, why) => {
    const withinMs = drainTimeoutMs(one, observed, spec, limits);
    return mayLetGo(one, observed) ? [{ do: 'drain', name: one.name, withinMs, why }] : [];
  };
  const placed = place(spec, observed, { live, selected, drain });
  const demoted = demote(spec, observed, { live, selected, drain });
  const blocked = (one: HotProject): number =>
    retryAtMs(observed.failuresByProject.get(one.project), limits);
  const waiting = placed.waiting.filter((one) => blocked(one) <= nowMs);
  const standbys = serveWaiting(spec, observed, { live, waiting, selected, drain });
  const going = placed.actions.length + demoted.actions.length + standbys.draining;
  const room = hotPlaces(spec) + (placed.isRolling ? spec.updateStrategy.maxSurge : 0);
  const wanted = [...standbys.creates, ...standbys.refill];
  const allowed = wanted.slice(0, Math.max(0, room - (live.length - going)));
  const urgent = standbys.creates.length;
  const refillMs = refillAtMs(live, standbys.isBinding, limits, nowMs);
  const { room: refillMax, moreAtMs } = refillRoom(spec, { live, urgent, nowMs }, limits);
  const marks = decideMarks(live, limits, nowMs);
  const now = allowed.slice(0, urgent + (refillMs <= nowMs ? refillMax : 0));
  const later = allowed.length - now.length;
  return {
    actions: [...placed.actions, ...demoted.actions, ...standbys.actions, ...marks.actions],
    creates: now,
    later,
    wakeAtMs: [
      ...(later > 0 ? [refillMs > nowMs ? refillMs : moreAtMs] : []),
      ...placed.waiting.map(blocked).filter((atMs) => atMs > nowMs),
      ...marks.wakeAtMs,
      ...(demoted.isPending ? [nowMs + limits.demotionPollMs] : []),
    ],
  };
}

/** Each is a write that the cluster takes more time for than the whole promotion: not while others of a crowd may still wait for theirs. */
function decideMarks(
  live: readonly SeenRuntime[],
  { markWaitMs }: PoolLimits,
  nowMs: number,
): Pick<PartialPlan, 'actions' | 'wakeAtMs'> {
  const unmarked = live.flatMap(({ name, binding }) =>
    binding?.isUnmarked === true ? [{ name, ...binding, dueMs: binding.sinceMs + markWaitMs }] : [],
  );
  const due = unmarked.filter(({ dueMs }) => dueMs <= nowMs);
  return {
    actions: due.map(({ name, project }) => ({ do: 'mark', name, project })),
    wakeAtMs: unmarked.map(({ dueMs }) => dueMs).filter((dueMs) => dueMs > nowMs),
  };
}

/** Nothing, where it must stay for now. */
type Drain = (one: SeenRuntime, why: DrainReason) => readonly Action[];

interface Part {
  readonly live: readonly SeenRuntime[];
  readonly selected: readonly HotProject[];
  readonly drain: Drain;
}

interface Placement {
  readonly actions: readonly Action[];
  /** Projects that need a runtime now. */
  readonly waiting: readonly HotProject[];
  readonly isRolling: boolean;
}

/** Per project: it has its runtime, waits for one, or its old one is being replaced. */
function place(
  spec: AgentPoolSpec,
  observed: Observed,
  { live, selected, drain }: Part,
): Placement {
  const { maxSurge, maxUnavailable } = spec.updateStrategy;
  const homes = selected.map((project) => homeOf(project, live, observed));
  let surgeLeft = maxSurge - homes.filter((home) => home.fresh && home.old.length > 0).length;
  let unavailableLeft = maxUnavailable - homes.filter((home) => !home.isReady).length;
  const actions: Action[] = [];
  const waiting: HotProject[] = [];
  for (const { project, fresh, old, extra } of homes) {
    actions.push(...extra.flatMap((one) => drain(one, 'Replaced')));
    if (fresh !== undefined) {
      if (isReady(fresh)) actions.push(...old.flatMap((one) => drain(one, 'Replaced')));
    } else if (old.length === 0) {
      waiting.push(project);
    } else if (mayRoll(spec, observed)) {
      if (surgeLeft-- > 0) waiting.push(project);
      else if (maxSurge === 0 && unavailableLeft-- > 0)
        actions.push(...old.flatMap((one) => drain(one, 'Replaced')));
    }
  }
  return { actions, waiting, isRolling: homes.some((home) => home.old.length > 0) };
}

interface Home {
  readonly project: HotProject;
  readonly fresh: SeenRuntime | undefined;
  /** Of another revision or resource class. */
  readonly old: readonly SeenRuntime[];
  readonly extra: readonly SeenRuntime[];
  readonly isReady: boolean;
}

function homeOf(project: HotProject, live: readonly SeenRuntime[], observed: Observed): Home {
  const mine = live.filter((one) => one.binding?.project === project.project);
  const isFresh = (one: SeenRuntime): boolean =>
    isCurrent(one, observed) && isSameClass(one.resources, project.resources);
  const [fresh, ...others] = mine.filter(isFresh).sort((a, b) => -byWorth(a, b));
  // Of a roll-out that another one overtook there may be two: the one that serves is enough.
  const [old, ...older] = mine
    .filter((one) => !isFresh(one))
    .sort((a, b) => Number(b.isServing) - Number(a.isServing) || -byWorth(a, b));
  return {
    project,
    fresh,
    old: old === undefined ? [] : [old],
    extra: [...others, ...older],
    isReady: mine.some(isReady),
  };
}

/** Dedicated runtimes follow the shared ones: projects are handed to the revision that is served. */
function mayRoll(spec: AgentPoolSpec, observed: Observed): boolean {
  return observed.served === observed.update || spec.replicas === 0;
}

/** Runtimes whose project has no place any more; one that is not HOT releases it by itself at quiescence. */
function demote(
  spec: AgentPoolSpec,
  observed: Observed,
  { live, selected, drain }: Part,
): { readonly actions: readonly Action[]; readonly isPending: boolean } {
  const kept = new Set(selected.map((one) => one.project));
  const stillHot = new Map(observed.hot.map((one) => [one.project, one]));
  const leaving = live.filter(({ binding }) => binding !== undefined && !kept.has(binding.project));
  const actions = leaving.flatMap((one): readonly Action[] => {
    const hot = stillHot.get(one.binding?.project ?? '');
    if (hot !== undefined) return drain(one, isIdle(spec, hot) ? 'Idle' : 'HotCapacity');
    return one.isServing ? [] : drain(one, 'Demoted');
  });
  return { actions, isPending: observed.isBlind !== true && actions.length < leaving.length };
}

/** Binds ready standbys to waiting projects, then brings the number of standbys to what is needed. */
function serveWaiting(
  spec: AgentPoolSpec,
  observed: Observed,
  { live, waiting, selected, drain }: Part & { readonly waiting: readonly HotProject[] },
): {
  readonly actions: readonly Action[];
  readonly isBinding: boolean;
  /** Of projects that wait, and of nobody yet. */
  readonly creates: readonly CreateAction[];
  readonly refill: readonly CreateAction[];
  readonly draining: number;
} {
  const unbound = live.filter((one) => one.binding === undefined);
  const outdated = unbound.filter((one) => !isCurrent(one, observed));
  const free = unbound.filter((one) => isCurrent(one, observed)).sort((a, b) => -byWorth(a, b));
  const binds: Action[] = [];
  const wanted: HotProject['resources'][] = [];
  for (const project of waiting) {
    const standby = free.find(
      (one) => mayBind(one, observed) && isSameClass(one.resources, project.resources),
    );
    if (standby === undefined) wanted.push(project.resources);
    else {
      free.splice(free.indexOf(standby), 1);
      binds.push({ do: 'bind', name: standby.name, project: project.project });
    }
  }
  const spare = Math.max(0, Math.min(spec.tiers.hot.standby, hotPlaces(spec) - selected.length));
  const creates = createsFor(wanted, free, observed);
  const refill = createsFor(Array(spare).fill(observed.standbyResources), free, observed);
  const surplus = [...outdated, ...free].flatMap((one) => drain(one, 'StandbySurplus'));
  return {
    actions: [...binds, ...surplus],
    isBinding: binds.length > 0,
    creates,
    refill,
    draining: surplus.length,
  };
}

/** @param free taken from where one will do. */
function createsFor(
  wanted: readonly HotProject['resources'][],
  free: SeenRuntime[],
  observed: Observed,
): readonly CreateAction[] {
  const revision = revisionToCreate(observed);
  return wanted.flatMap((resources): CreateAction[] => {
    const one = free.findIndex((standby) => isSameClass(standby.resources, resources));
    if (one >= 0) free.splice(one, 1);
    else if (revision !== undefined)
      return [{ do: 'create', role: 'dedicated', revision, resources }];
    return [];
  });
}

/** A project is bound for life: not to one that may not be able to claim it. */
function mayBind(one: SeenRuntime, { isBlind }: Observed): boolean {
  return isReady(one) && isBlind !== true;
}
