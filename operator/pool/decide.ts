/** The operator's whole thinking about one pool: what is wanted and what is seen → what to do now. Pure. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import { decideHot } from './decide-hot.ts';
import { decideShared } from './decide-shared.ts';
import { stableAtMs } from './failures.ts';
import { startKey } from './start-key.ts';
import { lostAtMs, lostRuntimes } from './lost-runtimes.ts';
import type { Observed, SeenRuntime } from './observed.ts';
import type { Action, CreateAction, PartialPlan, Plan, RemoveReason } from './plan.ts';
import type { PoolLimits } from './pool-limits.ts';
import {
  askAgainAtMs,
  drainTimeoutMs,
  isLive,
  isStarting,
  mayLetGo,
  retryAtMs,
  startDeadlineMs,
} from './runtimes.ts';

/** Deleted: nobody wants the pool any more; `spec` is what it was. */
export interface Wanted {
  readonly spec: AgentPoolSpec;
  readonly isDeleted: boolean;
}

export function decide(
  wanted: Wanted,
  observed: Observed,
  limits: PoolLimits,
  nowMs: number,
): Plan {
  const { spec } = wanted;
  const lost = lostRuntimes(observed, limits, nowMs);
  const removals = observed.runtimes.flatMap((one) =>
    one.isStuck === true
      ? []
      : lost.has(one.name)
        ? remove(one, one.isUnseen === true ? 'Silent' : 'Unheard')
        : removal(one, spec, limits, nowMs),
  );
  const removed = new Set(removals.map((action) => ('name' in action ? action.name : '')));
  const left = {
    ...observed,
    runtimes: observed.runtimes.filter((one) => !removed.has(one.name)),
  };
  if (wanted.isDeleted) return end(drainAll(left, spec, limits, 'Deleted'), removals);
  if (spec.operatingMode === 'Suspended')
    return end(drainAll(left, spec, limits, 'Suspended'), removals);
  const parts = [decideShared(spec, left, limits), decideHot(spec, left, limits, nowMs)];
  return combine(removals, parts, { spec, observed: left, limits, nowMs });
}

function remove({ name, incarnations }: SeenRuntime, why: RemoveReason): Action[] {
  return [{ do: 'remove', name, incarnations, why }];
}

/** Runtimes that are dead, or as good as: they are ended and forgotten before anything is counted. */
function removal(
  one: SeenRuntime,
  spec: AgentPoolSpec,
  limits: PoolLimits,
  nowMs: number,
): Action[] {
  switch (one.state.at) {
    case 'exited':
      return remove(one, 'Exited');
    case 'silent':
      return remove(one, 'Silent');
    case 'pending':
    case 'starting':
      return nowMs >= startDeadlineMs(one, spec, limits) ? remove(one, 'StartTimeout') : [];
    case 'expected':
    case 'ready':
    case 'unready':
    case 'ending':
      return [];
  }
}

/** Nobody wants a deleted pool back; one that is suspended keeps its state, which its runtimes may have to bring to safety. */
function drainAll(
  observed: Observed,
  spec: AgentPoolSpec,
  limits: PoolLimits,
  why: 'Deleted' | 'Suspended',
): readonly Action[] {
  return observed.runtimes
    .filter((one) => isLive(one) && (why === 'Deleted' || mayLetGo(one, observed)))
    .map((one) => {
      const withinMs = drainTimeoutMs(one, observed, spec, limits);
      return { do: 'drain', name: one.name, withinMs, why };
    });
}

function end(drains: readonly Action[], removals: readonly Action[]): Plan {
  return { actions: [...removals, ...drains], partial: false, isComplete: true };
}

interface Situation {
  readonly spec: AgentPoolSpec;
  readonly observed: Observed;
  readonly limits: PoolLimits;
  readonly nowMs: number;
}

/** Creates share one budget: starts in flight. What just failed waits for its backoff. */
function combine(
  removals: readonly Action[],
  parts: readonly PartialPlan[],
  { spec, observed, limits, nowMs }: Situation,
): Plan {
  const asked = parts.flatMap((part) => part.creates);
  const { refusals } = observed;
  const retryAt = (create: CreateAction): number =>
    Math.max(
      retryAtMs(observed.failures.get(startKey(create)), limits, create.isTrial),
      askAgainAtMs(refusals.get(create.revision), limits),
    );
  // What is refused comes last: nothing is tried any more once it is refused again.
  const allowed = asked
    .filter((create) => retryAt(create) <= nowMs)
    .toSorted((a, b) => Number(refusals.has(a.revision)) - Number(refusals.has(b.revision)));
  const inFlight = observed.runtimes.filter(isStarting).length;
  const creates = allowed.slice(0, Math.max(0, limits.startsInFlightMax - inFlight));
  const wakeAtMs = [
    ...parts.flatMap((part) => part.wakeAtMs),
    ...asked.map(retryAt).filter((atMs) => atMs > nowMs),
    ...(isUnsettled(observed) ? stableAtMs(observed.runtimes, limits, nowMs) : []),
    ...observed.runtimes.map((one) => startDeadlineMs(one, spec, limits)),
    ...observed.runtimes.map((one) => lostAtMs(one, limits)).filter((atMs) => atMs > nowMs),
    ...progressDeadlineMs(spec, observed),
    ...(observed.nextTierChangeInMs === undefined ? [] : [nowMs + observed.nextTierChangeInMs]),
  ];
  const wake = Math.min(...wakeAtMs) - nowMs;
  return {
    actions: [...removals, ...parts.flatMap((part) => part.actions), ...creates],
    asked: new Set([...asked.map(startKey), ...parts.flatMap((part) => part.asked ?? [])]),
    partial: creates.length < allowed.length,
    isComplete: asked.length === 0 && parts.every(({ later = 0 }) => later === 0),
    ...(Number.isFinite(wake) ? { wakeInMs: Math.max(0, wake) } : {}),
  };
}

/** What is well for long enough now may end something. */
function isUnsettled({ failures, rollout }: Observed): boolean {
  return failures.size > 0 || rollout.at === 'stalled';
}

function progressDeadlineMs(spec: AgentPoolSpec, { rollout }: Observed): number[] {
  if (rollout.at !== 'rolling') return [];
  return [rollout.progressMs + spec.updateStrategy.progressDeadlineSeconds * 1_000];
}
