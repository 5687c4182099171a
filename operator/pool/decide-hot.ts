/** Which dedicated runtimes are made, bound and let go: pure. Knows nothing of shared runtimes. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { HotProject, Observed, SeenRuntime } from './observed.ts';
import type { Action, DrainReason, PartialPlan } from './plan.ts';
import type { PoolLimits } from './pool-limits.ts';
import { refillAtMs, refillRoom } from './refill.ts';
import { type StartKey, startKey } from './start-key.ts';
import {
  drainTimeoutMs,
  hotPlaces,
  isInDoubt,
  isLive,
  mayLetGo,
  retryAtMs,
  revisionToCreate,
} from './runtimes.ts';
import { isIdle, selectHot } from './select-hot.ts';
import { place, type Tries } from './place-hot.ts';
import { hotTrialOf, serveWaiting } from './serve-waiting.ts';

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
  const trial = hotTrialOf(spec, observed, selected);
  const tries = triesOf(observed, limits);
  const onTrial = trial?.of === 'project' ? trial.revision : undefined;
  const placed = place(spec, observed, { live, selected, drain, tries, onTrial, nowMs });
  const demoted = demote(spec, observed, { live, selected, drain });
  const { waiting } = placed;
  const standbys = serveWaiting(spec, observed, { live, waiting, selected, drain, trial });
  const going = placed.actions.length + demoted.actions.length + standbys.draining;
  const isSurging = placed.isRolling || trial !== undefined;
  const room = hotPlaces(spec) + (isSurging ? spec.updateStrategy.maxSurge : 0);
  const wanted = [...standbys.creates, ...standbys.refill];
  const doubted = observed.runtimes.filter((one) => one.role === 'dedicated' && isInDoubt(one));
  const taken = live.length + doubted.length - going;
  const allowed = wanted.slice(0, Math.max(0, room - taken));
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
    asked: [
      ...wanted.map(startKey),
      ...[...waiting, ...placed.held].map((one) => tries.keyOf(one.project, one.isTrial)),
    ],
    wakeAtMs: [
      ...(later > 0 ? [refillMs > nowMs ? refillMs : moreAtMs] : []),
      ...placed.held.map(({ project, isTrial }) => tries.retryAtMs(project, isTrial)),
      ...marks.wakeAtMs,
      ...(demoted.isPending ? [nowMs + limits.demotionPollMs] : []),
    ],
  };
}

/** What failed before under the revision that a project would get a runtime of. */
function triesOf(
  observed: Observed,
  limits: PoolLimits,
): Tries & { readonly keyOf: (project: HotProject, isTrial: boolean) => StartKey } {
  const keyOf = ({ project, resources }: HotProject, isTrial: boolean): StartKey => {
    const revision = (isTrial ? observed.update : revisionToCreate(observed)) ?? '';
    return startKey({ role: 'dedicated', revision, resources, project });
  };
  return {
    keyOf,
    retryAtMs: (project, isTrial) =>
      retryAtMs(observed.failures.get(keyOf(project, isTrial)), limits, isTrial),
    failed: (project, isTrial) => observed.failures.get(keyOf(project, isTrial))?.count ?? 0,
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
