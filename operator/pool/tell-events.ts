/** Which events a pass over a pool is worth: from what was remembered before and after, and from what is done. Pure. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { Broken } from './broken.ts';
import type { NewEvent } from './events.ts';
import { type Death, labelled } from './failures.ts';
import { projectLabel } from './hot-projects.ts';
import type { Memory } from './memory.ts';
import type { Observed, Rollout } from './observed.ts';
import type { Action, Plan } from './plan.ts';
import type { PoolLimits } from './pool-limits.ts';
import { hotPlaces, loopReason, problemOf } from './runtimes.ts';
import { activeHot } from './select-hot.ts';

export interface Pass {
  /** The spec of the pass before, if there was one. */
  readonly specBefore: AgentPoolSpec | undefined;
  readonly spec: AgentPoolSpec;
  readonly brokenBefore: Broken;
  readonly broken: Broken;
  readonly before: Memory;
  readonly after: Memory;
  readonly deaths: readonly Death[];
  readonly observedBefore: Observed | undefined;
  readonly observed: Observed;
  readonly plan: Plan;
  readonly limits: PoolLimits;
}

export function tellEvents(pass: Pass): readonly NewEvent[] {
  return [
    ...modeEvents(pass),
    ...brokenEvents(pass),
    ...rolloutEvents(pass.before.rollout, pass.after.rollout),
    ...pass.deaths.filter((death) => death.servedMs !== undefined).map(lostEvent),
    ...failureEvents(pass),
    ...hindranceEvents(pass),
    ...hotEvents(pass),
    ...pass.plan.actions.flatMap((action) => actionEvents(action, pass)),
  ];
}

function modeEvents({ specBefore, spec }: Pass): NewEvent[] {
  const wasSuspended = specBefore?.operatingMode === 'Suspended';
  const isSuspended = spec.operatingMode === 'Suspended';
  if (isSuspended && !wasSuspended)
    return [{ reason: 'Suspended', message: 'spec.operatingMode is Suspended' }];
  if (wasSuspended && !isSuspended)
    return [{ reason: 'Resumed', message: 'spec.operatingMode is Running again' }];
  return [];
}

function brokenEvents({ brokenBefore, broken }: Pass): NewEvent[] {
  const events: NewEvent[] = [];
  if (broken.module !== undefined && broken.module !== brokenBefore.module)
    events.push({ reason: 'AgentModuleInvalid', message: broken.module });
  if (broken.manifest !== undefined && broken.manifest !== brokenBefore.manifest)
    events.push({ reason: 'ManifestInvalid', message: broken.manifest });
  return events;
}

function rolloutEvents(before: Rollout | undefined, after: Rollout | undefined): NewEvent[] {
  if (after === undefined || isSameStage(before, after)) return [];
  switch (after.at) {
    case 'settled':
      if (before?.at === 'settled') return [];
      return [
        { reason: 'RolloutCompleted', message: `all runtimes have revision ${after.revision}` },
      ];
    case 'rolling':
      return [{ reason: 'RolloutStarted', message: `revision ${after.to} rolls out` }];
    case 'stalled':
      if (after.why === 'AgentModuleInvalid')
        return [{ reason: 'AgentModuleInvalid', message: after.message }];
      return [{ reason: 'RolloutStalled', message: `revision ${after.to}: ${after.message}` }];
  }
}

/** A stalled roll-out that goes on is not told as a new one. */
function isSameStage(before: Rollout | undefined, after: Rollout): boolean {
  if (before === undefined) return false;
  if (before.at === 'settled' || after.at === 'settled') return before.at === after.at;
  return before.to === after.to && (before.at === after.at || after.at === 'rolling');
}

function lostEvent({ runtime, message }: Death): NewEvent {
  return { reason: 'RuntimeLost', message: `${runtime.name}: ${message}` };
}

function failureEvents({ before, after, limits }: Pass): NewEvent[] {
  const count = ({ failures }: Memory): number =>
    Math.max(0, ...[...failures.values()].map((row) => row.count));
  const wasLooping = count(before) >= limits.crashLoopFailures;
  const isLooping = count(after) >= limits.crashLoopFailures;
  if (isLooping && !wasLooping) {
    const worst = [...after.failures.values()].toSorted((a, b) => b.count - a.count)[0];
    return worst === undefined
      ? []
      : [{ reason: loopReason(worst, limits), message: labelled(worst) }];
  }
  if (wasLooping && !isLooping)
    return [{ reason: 'Recovered', message: 'runtimes start and stay again' }];
  return [];
}

/** Told once when it begins: what keeps runtimes from being made or started, or a pass from its work; of the latter also the end. */
function hindranceEvents({ observedBefore, observed }: Pass): NewEvent[] {
  const before = new Set(hindrances(observedBefore).map(({ reason }) => reason));
  const begun = hindrances(observed).filter(({ reason }) => !before.has(reason));
  const over = (['hindrance', 'complaint'] as const).flatMap((which) =>
    observed[which] === undefined ? (observedBefore?.[which] ?? []) : [],
  );
  return [
    ...begun,
    ...over.map(({ reason }) => ({ reason: 'Recovered', message: `${reason} is over` }) as const),
  ];
}

function hindrances(observed: Observed | undefined): NewEvent[] {
  if (observed === undefined) return [];
  const { refusals, hindrance, complaint, runtimes } = observed;
  const problems = runtimes.flatMap((one) => problemOf(one) ?? []);
  const all = [...refusals.values(), hindrance, complaint, ...problems].filter(
    (one) => one !== undefined,
  );
  return [...new Map(all.map(({ reason, message }) => [reason, { reason, message }])).values()];
}

function hotEvents({ observedBefore, observed, spec, specBefore }: Pass): NewEvent[] {
  const overflow = (seen: Observed | undefined, of: AgentPoolSpec | undefined): boolean =>
    seen !== undefined && of !== undefined && activeHot(of, seen).length > hotPlaces(of);
  const events: NewEvent[] = [];
  if (overflow(observed, spec) && !overflow(observedBefore, specBefore))
    events.push({
      reason: 'HotCapacityReached',
      message: `more projects are HOT than tiers.hot.maxInstances (${hotPlaces(spec)}) allows`,
    });
  if (observedBefore === undefined) return events;
  const servedBefore = served(observedBefore);
  for (const project of served(observed))
    if (!servedBefore.has(project))
      events.push({
        reason: 'Promoted',
        message: `${projectLabel(project)} has a runtime of its own`,
      });
  return events;
}

/** Projects with a runtime of their own that is up, or was and will be again. */
function served({ runtimes }: Observed): ReadonlySet<string> {
  return new Set(
    runtimes.flatMap(({ state, binding }) =>
      binding !== undefined && (state.at === 'ready' || state.at === 'unready')
        ? [binding.project]
        : [],
    ),
  );
}

function actionEvents(action: Action, pass: Pass): NewEvent[] {
  const { specBefore, spec } = pass;
  switch (action.do) {
    case 'create':
      return specBefore !== undefined &&
        spec.replicas > specBefore.replicas &&
        action.role === 'shared'
        ? [{ reason: 'ScaledUp', message: `spec.replicas is ${spec.replicas}` }]
        : [];
    case 'bind':
      return [{ reason: 'Bound', message: `${action.name} to ${projectLabel(action.project)}` }];
    case 'drain':
      return drainEvents(action, pass);
    case 'mark':
    case 'remove':
      return [];
  }
}

function drainEvents(
  { name, why }: Extract<Action, { do: 'drain' }>,
  { observed: { runtimes, rollout }, spec }: Pick<Pass, 'observed' | 'spec'>,
): NewEvent[] {
  if (why === 'Replaced') return [];
  // What a stalled roll-out leaves over goes, too, but nobody asked for fewer.
  if (why === 'ScaledDown')
    return rollout.at === 'stalled'
      ? []
      : [{ reason: why, message: `${name} is drained, spec.replicas is ${spec.replicas}` }];
  const project = runtimes.find((one) => one.name === name)?.binding?.project;
  if (project === undefined) return [];
  return [{ reason: 'Demoted', message: `${projectLabel(project)}: ${DEMOTION[why]}` }];
}

const DEMOTION = {
  StandbySurplus: 'not needed',
  Demoted: 'its tier is not HOT any more',
  Idle: 'idle for tiers.hot.idleSeconds',
  HotCapacity: 'no place within tiers.hot.maxInstances',
  Suspended: 'the pool is suspended',
  Deleted: 'the pool is deleted',
} as const;
