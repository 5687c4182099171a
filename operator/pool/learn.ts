/** What a look at the runtimes adds to what is remembered: readiness, deaths, the roll-out's next state. Pure. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { ResourceClass } from './driver.ts';
import { type Death, countFailures, isStable, labelled } from './failures.ts';
import { lastingHindrance } from './hindrance.ts';
import { projectLabel } from './hot-projects.ts';
import { lostRuntimes } from './lost-runtimes.ts';
import type { Memory } from './memory.ts';
import type { Observed, SeenRuntime } from './observed.ts';
import type { PoolLimits } from './pool-limits.ts';
import { holdRollout, moveRollout, type RolloutView } from './rollout.ts';
import {
  isAnyWanted,
  isLive,
  isReady,
  isSameClass,
  problemOf,
  revisionToFallBackTo,
  startDeadlineMs,
} from './runtimes.ts';

export interface Lesson {
  readonly memory: Memory;
  /** Runtimes that ended, or are as good as dead, without having been asked to; each is told once. */
  readonly deaths: readonly Death[];
}

export interface Look {
  readonly spec: AgentPoolSpec;
  readonly runtimes: readonly SeenRuntime[];
  /** The store does not answer. */
  readonly isBlind: boolean;
  readonly update: string | undefined;
  readonly hot: Observed['hot'];
  /** What standbys are made of. */
  readonly standbyResources: ResourceClass;
  readonly limits: PoolLimits;
}

export function learn(before: Memory, look: Look, nowMs: number): Lesson {
  const { runtimes, update, limits, isBlind } = look;
  const names = new Set(runtimes.map((one) => one.name));
  const lost = lostRuntimes({ ...before, runtimes }, limits, nowMs);
  const deaths = runtimes
    .filter((one) => !before.mourned.has(one.name))
    .flatMap((one) =>
      lost.has(one.name) ? lossOf(one, before, nowMs) : deathOf(one, before, look, nowMs),
    );
  const back = new Set(runtimes.filter(isReady).map((one) => one.name));
  const mourned = new Set([...before.mourned].filter((name) => names.has(name) && !back.has(name)));
  for (const { runtime } of deaths) mourned.add(runtime.name);
  const failures = countFailures(before.failures, runtimes, deaths, { limits, nowMs, isBlind });
  const readySinceMs = new Map<string, number>();
  for (const { name, state } of runtimes) {
    const sinceMs = state.at === 'ready' ? state.sinceMs : before.readySinceMs.get(name);
    if (sinceMs !== undefined && state.at !== 'starting') readySinceMs.set(name, sinceMs);
  }
  const memory: Memory = {
    ...before,
    readySinceMs,
    unheardSinceMs: new Map(
      runtimes.flatMap(({ name, unheardSinceMs: ms }) => (ms === undefined ? [] : [[name, ms]])),
    ),
    mourned,
    failures: new Map([...failures].filter(([, { of }]) => isWanted(of.revision, update, before))),
    refusals: new Map([...before.refusals].filter(([one]) => isWanted(one, update, before))),
  };
  if (update === undefined) return { memory, deaths };
  const move = isBlind ? holdOn : moveOn;
  return { memory: move(memory, look, update, nowMs), deaths };
}

function isWanted(revision: string, update: string | undefined, before: Memory): boolean {
  const { served, rollout } = before;
  const from = rollout?.at === 'settled' ? undefined : rollout?.from;
  return [update, served, from].includes(revision);
}

const LATE = {
  pending: 'its machine has not begun to start it in time',
  starting: 'it was not ready in time',
} as const;

/** The pod goes with its log: what it said itself is told, and of which project. */
function lateness(
  state: Extract<SeenRuntime['state'], { at: 'pending' | 'starting' }>,
  binding: SeenRuntime['binding'],
): string {
  const late = LATE[state.at];
  if (state.at === 'pending' || binding === undefined) return late;
  const why = state.problem === undefined ? '' : `: ${state.problem}`;
  return `${late} with ${projectLabel(binding.project)}${why}`;
}

/** It was ready, and for how long. */
function servedOf({ name }: SeenRuntime, before: Memory, nowMs: number): Pick<Death, 'servedMs'> {
  const sinceMs = before.readySinceMs.get(name);
  return sinceMs === undefined ? {} : { servedMs: nowMs - sinceMs };
}

function lossOf(one: SeenRuntime, before: Memory, nowMs: number): Death[] {
  const message =
    one.isUnseen === true
      ? 'neither it nor its machine was heard of any more'
      : 'it was not heard of any more';
  return [{ runtime: one, reason: 'Silent', message, ...servedOf(one, before, nowMs) }];
}

function deathOf(one: SeenRuntime, before: Memory, look: Look, nowMs: number): Death[] {
  const served = servedOf(one, before, nowMs);
  const dead = (reason: Death['reason'], message: string): Death[] => [
    { runtime: one, reason, message, ...served },
  ];
  switch (one.state.at) {
    case 'exited':
      return exitOf(one.state, { runtime: one, ...served });
    case 'silent':
      return dead('Silent', 'its event loop did not answer any more');
    case 'pending':
    case 'starting':
      return nowMs >= startDeadlineMs(one, look.spec, look.limits)
        ? dead('StartTimeout', lateness(one.state, one.binding))
        : [];
    case 'expected':
    case 'ready':
    case 'unready':
    case 'ending':
      return [];
  }
}

function exitOf(
  { reason, message, stack }: Extract<SeenRuntime['state'], { at: 'exited' }>,
  who: Pick<Death, 'runtime' | 'servedMs'>,
): Death[] {
  if (reason === 'Ordered') return [];
  return [{ ...who, reason, message, ...(stack === undefined ? {} : { stack }) }];
}

function holdOn(memory: Memory, _look: Look, update: string, nowMs: number): Memory {
  const rollout = holdRollout(memory.rollout, { update, ...memory }, nowMs);
  return { ...memory, rollout, served: memory.served ?? update };
}

function moveOn(memory: Memory, look: Look, update: string, nowMs: number): Memory {
  const live = look.runtimes.filter(isLive);
  const { failures, faults } = failuresOf(memory, look, update);
  const readyCount = live.filter((one) => isReady(one) && one.revision === update).length;
  const good = readyCount > 0 ? update : memory.good;
  const isIdle = !isAnyWanted(look.spec, look.hot);
  const rollout = moveRollout(
    memory.rollout,
    {
      update,
      readyCount,
      ...stableSince(live, look, update, nowMs),
      // Where only HOT projects have runtimes, all there are may be one that will never be ready.
      isComplete: isAllNew(look.spec, live, update) && (isIdle || (good ?? update) === update),
      isIdle,
      ...(good === undefined ? {} : { good }),
      failures,
      ...problemFor(live, memory, update),
      isCrashLooping: faults >= look.limits.crashLoopFailures,
      progressDeadlineMs: look.spec.updateStrategy.progressDeadlineSeconds * 1_000,
    },
    nowMs,
  );
  return {
    ...memory,
    rollout,
    ...(good === undefined ? {} : { good }),
    served: revisionToFallBackTo(rollout) ?? servedRevision(memory.served, live, update, look.spec),
    ...(rollout.at === 'settled' ? { complete: rollout.revision } : {}),
  };
}

/** What keeps runtimes from being started, or made. */
function problemFor(
  live: readonly SeenRuntime[],
  memory: Memory,
  update: string,
): { readonly problem?: string } {
  const problem = live.map(problemOf).find((one) => one !== undefined);
  const hindrance = problem ?? lastingHindrance(memory.stepFailures);
  const message = hindrance?.message ?? projectProblem(memory, update);
  return message === undefined ? {} : { problem: message };
}

function projectProblem({ failures }: Memory, update: string): string | undefined {
  const row = [...failures.values()].find(
    ({ of }) => of.revision === update && of.project !== undefined,
  );
  return row && labelled(row);
}

/** What is wrong with the revision as a whole: what fails with one project, or in a class of its own, says nothing about the others. */
function failuresOf(
  { failures, refusals }: Memory,
  { standbyResources }: Look,
  update: string,
): Pick<RolloutView, 'failures'> & { readonly faults: number } {
  const rows = [...failures.values()].filter(
    ({ of }) =>
      of.revision === update &&
      of.project === undefined &&
      (of.role === 'shared' || isSameClass(of.resources, standbyResources)),
  );
  const worst =
    rows.find(({ reason }) => reason === 'AgentModuleInvalid') ??
    rows.toSorted((a, b) => b.faults - a.faults)[0];
  if (worst !== undefined) return { failures: worst, faults: worst.faults };
  const refusal = refusals.get(update);
  if (refusal?.reason === 'PodRejected') return { failures: refusal, faults: refusal.count };
  return { failures: undefined, faults: 0 };
}

function stableSince(
  live: readonly SeenRuntime[],
  { limits }: Look,
  update: string,
  nowMs: number,
): Pick<RolloutView, 'stableSinceMs'> {
  const since = live.flatMap((one) =>
    one.revision === update && isStable(one, limits, nowMs) ? [one.state.sinceMs] : [],
  );
  return since.length === 0 ? {} : { stableSinceMs: Math.max(...since) };
}

function isAllNew(spec: AgentPoolSpec, live: readonly SeenRuntime[], update: string): boolean {
  const wanted = spec.operatingMode === 'Suspended' ? 0 : spec.replicas;
  const ready = live.filter((one) => one.role === 'shared' && isReady(one));
  return live.every((one) => one.revision === update) && ready.length >= wanted;
}

/** New projects go to the new revision as soon as a shared runtime of it serves, or nothing else could. */
function servedRevision(
  served: string | undefined,
  live: readonly SeenRuntime[],
  update: string,
  spec: AgentPoolSpec,
): string {
  if (served === undefined || served === update) return update;
  const role = spec.replicas > 0 ? 'shared' : 'dedicated';
  const isUp = live.some((one) => one.role === role && isReady(one) && one.revision === update);
  const isGone = !live.some((one) => one.revision === served);
  return isUp || isGone ? update : served;
}
