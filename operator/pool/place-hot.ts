/** Which HOT projects wait for a runtime now, and which old runtimes go: one project after another is rolled, and none holds up the others. Pure. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { HotProject, Observed, SeenRuntime } from './observed.ts';
import type { Action, DrainReason } from './plan.ts';
import { byWorth, isCurrent, isReady, isSameClass } from './runtimes.ts';

/** A project that is to get a runtime. */
export interface Waiting {
  readonly project: HotProject;
  /** Of the new revision only, while its roll-out is stalled. */
  readonly isTrial: boolean;
}

/** What is known of the tries so far. */
export interface Tries {
  /** When the project may be given a runtime again (monotonic ms). */
  readonly retryAtMs: (project: HotProject, isTrial: boolean) => number;
  /** How often that failed in a row. */
  readonly failed: (project: HotProject, isTrial: boolean) => number;
}

export interface PlaceFacts {
  readonly live: readonly SeenRuntime[];
  readonly selected: readonly HotProject[];
  readonly drain: (one: SeenRuntime, why: DrainReason) => readonly Action[];
  readonly tries: Tries;
  /** The new revision, where projects are to try it while its roll-out is stalled. */
  readonly onTrial: string | undefined;
  readonly nowMs: number;
}

export interface Placement {
  readonly actions: readonly Action[];
  /** May get a runtime now; the most urgent first. */
  readonly waiting: readonly Waiting[];
  /** Must wait until their time has come. */
  readonly held: readonly Waiting[];
  readonly isRolling: boolean;
}

/** Per project: it has its runtime, waits for one, or its old one is being replaced. */
export function place(spec: AgentPoolSpec, observed: Observed, facts: PlaceFacts): Placement {
  const { live, drain, tries, nowMs } = facts;
  const tried = projectOnTrial(facts);
  const homes = facts.selected.map((project) =>
    homeOf(project, live, (one) =>
      project === tried ? one.revision === facts.onTrial : isCurrent(one, observed),
    ),
  );
  const actions = homes.flatMap(({ extra }) => extra.flatMap((one) => drain(one, 'Replaced')));
  const missing = homes.filter((one) => one.fresh === undefined && one.old.length === 0);
  const replaced = homes.filter((one) => one.fresh === undefined && one.old.length > 0);
  for (const { fresh, old, project } of homes)
    if (fresh !== undefined && isReady(fresh) && project !== tried)
      actions.push(...old.flatMap((one) => drain(one, 'Replaced')));
  const waitingFor = ({ project }: Home): Waiting => ({ project, isTrial: project === tried });
  const isHeld = ({ project, isTrial }: Waiting): boolean =>
    tries.retryAtMs(project, isTrial) > nowMs;
  const rolled = mayRoll(spec, observed)
    ? replaced
    : replaced.filter(({ project }) => project === tried);
  // Those that failed come last: else one of them would take the only place from all others, for ever.
  const inTurn = rolled
    .map(waitingFor)
    .toSorted((a, b) => tries.failed(a.project, a.isTrial) - tries.failed(b.project, b.isTrial));
  const free = inTurn.filter((one) => !isHeld(one));
  const { maxSurge, maxUnavailable } = spec.updateStrategy;
  const surging = homes.filter((home) => home.fresh !== undefined && home.old.length > 0).length;
  const surge = free.slice(0, Math.max(0, maxSurge - surging));
  if (maxSurge === 0) {
    const unavailable = homes.filter((home) => !home.isReady).length;
    const going = new Set(free.slice(0, Math.max(0, maxUnavailable - unavailable)));
    const projects = new Set([...going].map(({ project }) => project));
    for (const { project, old } of replaced)
      if (projects.has(project)) actions.push(...old.flatMap((one) => drain(one, 'Replaced')));
  }
  const all = missing.map(waitingFor);
  return {
    actions,
    waiting: [...all.filter((one) => !isHeld(one)), ...surge],
    held: [...all, ...inTurn].filter(isHeld),
    isRolling: homes.some((home) => home.old.length > 0),
  };
}

/** One at a time: the one that is at it, else the one that failed least often. */
function projectOnTrial({
  live,
  selected,
  onTrial,
  tries,
  nowMs,
}: PlaceFacts): HotProject | undefined {
  if (onTrial === undefined) return undefined;
  const revisionsOf = ({ project }: HotProject): readonly string[] =>
    live.filter(({ binding }) => binding?.project === project).map(({ revision }) => revision);
  const old = selected.filter((one) => revisionsOf(one).some((revision) => revision !== onTrial));
  const atIt = old.find((one) => revisionsOf(one).includes(onTrial));
  const inTurn = old.toSorted((a, b) => tries.failed(a, true) - tries.failed(b, true));
  const due = inTurn.find((one) => tries.retryAtMs(one, true) <= nowMs);
  // Of several that must all wait one is answered, so that it is looked at again in time.
  const next = inTurn.toSorted((a, b) => tries.retryAtMs(a, true) - tries.retryAtMs(b, true))[0];
  return atIt ?? due ?? next;
}

interface Home {
  readonly project: HotProject;
  readonly fresh: SeenRuntime | undefined;
  /** Of another revision or resource class. */
  readonly old: readonly SeenRuntime[];
  readonly extra: readonly SeenRuntime[];
  readonly isReady: boolean;
}

/** @param isNew it is of the revision that the project is to have. */
function homeOf(
  project: HotProject,
  live: readonly SeenRuntime[],
  isNew: (one: SeenRuntime) => boolean,
): Home {
  const mine = live.filter((one) => one.binding?.project === project.project);
  const isFresh = (one: SeenRuntime): boolean =>
    isNew(one) && isSameClass(one.resources, project.resources);
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
