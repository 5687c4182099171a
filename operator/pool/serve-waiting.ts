/** Which standbys are given to projects that wait, and how many are made, for them and for nobody yet. Pure. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import { startKey } from './start-key.ts';
import type { HotProject, Observed, SeenRuntime } from './observed.ts';
import type { Waiting } from './place-hot.ts';
import type { Action, CreateAction, DrainReason } from './plan.ts';
import {
  byWorth,
  hotPlaces,
  isCurrent,
  isLive,
  isReady,
  isSameClass,
  revisionToCreate,
} from './runtimes.ts';
import { mayTry, type Trial, trialCreate, trialOf } from './trial.ts';

/** Who tries the new revision while its roll-out is stalled. */
export type HotTrial = Trial & { readonly of: 'standby' | 'project' | 'nobody' };

/** Shared runtimes try it first, where there are some; a standby where standbys have failed, or are all there is; else a project. */
export function hotTrialOf(
  spec: AgentPoolSpec,
  observed: Observed,
  selected: readonly HotProject[],
): HotTrial | undefined {
  const trial = trialOf(spec, observed);
  if (trial === undefined) return undefined;
  const { revision, fallback } = trial;
  const resources = observed.standbyResources;
  const hasFailed = observed.failures.has(startKey({ role: 'dedicated', revision, resources }));
  const isShared = observed.runtimes.some(
    (one) => one.role === 'shared' && isLive(one) && one.revision !== revision,
  );
  const isFirst = spec.replicas === 0 || (fallback === undefined && !isShared);
  const wantsStandby = fallback !== undefined && spareOf(spec, selected) > 0;
  if (wantsStandby && (isFirst || hasFailed)) return { ...trial, of: 'standby' };
  return { ...trial, of: isFirst ? 'project' : 'nobody' };
}

function spareOf(spec: AgentPoolSpec, selected: readonly HotProject[]): number {
  return Math.max(0, Math.min(spec.tiers.hot.standby, hotPlaces(spec) - selected.length));
}

interface ServeFacts {
  readonly live: readonly SeenRuntime[];
  readonly waiting: readonly Waiting[];
  readonly selected: readonly HotProject[];
  readonly drain: (one: SeenRuntime, why: DrainReason) => readonly Action[];
  readonly trial: HotTrial | undefined;
}

interface Service {
  readonly actions: readonly Action[];
  readonly isBinding: boolean;
  /** Of projects that wait, and of nobody yet. */
  readonly creates: readonly CreateAction[];
  readonly refill: readonly CreateAction[];
  readonly draining: number;
}

/** Binds ready standbys to waiting projects, then brings the number of standbys to what is needed. */
export function serveWaiting(
  spec: AgentPoolSpec,
  observed: Observed,
  { live, waiting, selected, drain, trial }: ServeFacts,
): Service {
  const unbound = live
    .filter((one) => one.binding === undefined)
    .toSorted((a, b) => -byWorth(a, b));
  const isOnTrial = ({ revision }: SeenRuntime): boolean =>
    trial?.fallback !== undefined && revision === trial.revision;
  const tried = unbound.filter(isOnTrial);
  const usable = unbound.filter((one) => !isOnTrial(one));
  const outdated = usable.filter((one) => !isCurrent(one, observed));
  const free = usable.filter((one) => isCurrent(one, observed));
  const binds: Action[] = [];
  const wanted: Waiting[] = [];
  for (const one of waiting) {
    const from = one.isTrial && trial?.fallback !== undefined ? tried : free;
    const at = from.findIndex((standby) => mayBind(standby, one, trial, observed));
    const standby = from[at];
    if (standby === undefined) wanted.push(one);
    else {
      from.splice(at, 1);
      binds.push({ do: 'bind', name: standby.name, project: one.project.project });
    }
  }
  const creates = wanted.flatMap(({ project: { resources }, isTrial }): readonly CreateAction[] =>
    isTrial && trial !== undefined
      ? takeOrTry(resources, trial.fallback === undefined ? free : tried, trial)
      : takeOrCreate(resources, free, observed),
  );
  const refill = Array.from({ length: spareOf(spec, selected) }, () =>
    takeOrCreate(observed.standbyResources, free, observed),
  ).flat();
  const isMissing = creates.length + refill.length > 0;
  const trials = trial?.of === 'standby' ? takeOrTry(observed.standbyResources, tried, trial) : [];
  const surplus = [...outdated, ...free, ...tried].flatMap((one) => drain(one, 'StandbySurplus'));
  return {
    actions: [...binds, ...surplus],
    isBinding: binds.length > 0,
    creates: mayTry(trial, observed, !isMissing) ? [...trials, ...creates] : creates,
    refill,
    draining: surplus.length,
  };
}

/** @param free taken from where one will do. */
function takeOrCreate(
  resources: HotProject['resources'],
  free: SeenRuntime[],
  observed: Observed,
): readonly CreateAction[] {
  const revision = revisionToCreate(observed);
  const one = free.findIndex((standby) => isSameClass(standby.resources, resources));
  if (one >= 0) free.splice(one, 1);
  return one >= 0 || revision === undefined
    ? []
    : [{ do: 'create', role: 'dedicated', revision, resources }];
}

/** The same of the new revision. */
function takeOrTry(
  resources: HotProject['resources'],
  tried: SeenRuntime[],
  trial: Trial,
): readonly CreateAction[] {
  const one = tried.findIndex(
    (standby) => standby.revision === trial.revision && isSameClass(standby.resources, resources),
  );
  if (one >= 0) tried.splice(one, 1);
  return one >= 0 ? [] : [trialCreate(trial, { role: 'dedicated', resources })];
}

/** A project is bound for life: not to one that may not be able to claim it. */
function mayBind(
  standby: SeenRuntime,
  { project, isTrial }: Waiting,
  trial: Trial | undefined,
  { isBlind }: Observed,
): boolean {
  const isOfRevision = !isTrial || standby.revision === trial?.revision;
  const fits = isOfRevision && isSameClass(standby.resources, project.resources);
  return fits && isReady(standby) && isBlind !== true;
}
