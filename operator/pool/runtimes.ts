/** Questions that several decisions ask about seen runtimes. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import { countOf } from '../../core/tier.ts';
import type { ResourceClass, StartProblem } from './driver.ts';
import type { Failures, Observed, Refusal, Rollout, SeenRuntime } from './observed.ts';
import type { PoolLimits } from './pool-limits.ts';

/** It counts against the limits: it serves, or is on its way to. */
export function isLive(runtime: SeenRuntime): boolean {
  const { at } = runtime.state;
  return at !== 'silent' && at !== 'ending' && at !== 'exited';
}

export function isReady(runtime: SeenRuntime): boolean {
  return runtime.state.at === 'ready';
}

/** It was told to end, and nobody knows whether it heard: it may go at any moment, or take its place on. */
export function isInDoubt({ state, isStuck }: SeenRuntime): boolean {
  return state.at === 'ending' && isStuck === true;
}

/** What a runtime owns only the store knows: while it is away, none is let go that may have begun to run. */
export function mayLetGo({ state, isStuck }: SeenRuntime, { isBlind }: Observed): boolean {
  if (isStuck === true) return false;
  return isBlind !== true || state.at === 'expected' || state.at === 'pending';
}

/** A start in flight: made, not ready for anything yet. One that waits for something else keeps no other from starting. */
export function isStarting(one: SeenRuntime): boolean {
  const { state, binding } = one;
  if (isInDoubt(one)) return one.incarnations.length === 0;
  if (state.at === 'pending') return state.problem === undefined;
  return state.at === 'expected' || (state.at === 'starting' && binding === undefined);
}

/** What keeps it from being started. */
export function problemOf({ state }: SeenRuntime): StartProblem | undefined {
  return state.at === 'pending' ? state.problem : undefined;
}

export function isSameClass(a: ResourceClass, b: ResourceClass): boolean {
  return a.memoryMb === b.memoryMb && a.cpuPercent === b.cpuPercent;
}

/** Nothing is replaced while a roll-out is stalled, or while there is nothing to replace it with. */
export function isCurrent(runtime: SeenRuntime, observed: Observed): boolean {
  if (observed.rollout.at === 'stalled' || observed.update === undefined) return true;
  return runtime.revision === observed.update;
}

/** The revision that new runtimes get: of a stalled roll-out that never served, the one before; while nobody can say what the spec makes, the good one. */
export function revisionToCreate({ rollout, update, good }: Observed): string | undefined {
  return revisionToFallBackTo(rollout) ?? update ?? good;
}

export function revisionToFallBackTo(rollout: Rollout | undefined): string | undefined {
  return rollout?.at === 'stalled' && rollout.readyCount === 0 ? rollout.from : undefined;
}

/** Those to let go first: what no list shows, not ready before ready, the emptiest before the fuller, the youngest of equals. */
export function byWorth(a: SeenRuntime, b: SeenRuntime): number {
  return (
    Number(isListed(a)) - Number(isListed(b)) ||
    Number(isReady(a)) - Number(isReady(b)) ||
    countOf(a.instances) - countOf(b.instances) ||
    b.createdMs - a.createdMs
  );
}

/** Of what is only expected nobody knows whether it will come. */
function isListed({ state }: SeenRuntime): boolean {
  return state.at !== 'expected';
}

/** When to start again after failures in a row (monotonic ms). @param isTrial others serve: nobody waits for it. */
export function retryAtMs(
  failures: Failures | undefined,
  limits: PoolLimits,
  isTrial = false,
): number {
  if (failures === undefined) return -Infinity;
  const { restartBackoffMinMs, moduleRetryMinMs } = limits;
  const maxMs = isTrial ? limits.trialBackoffMaxMs : backoffMaxMs(failures, limits);
  const doublings = Math.min(failures.count - 2, 30);
  const backoffMs = doublings < 0 ? 0 : Math.min(maxMs, restartBackoffMinMs * 2 ** doublings);
  const isInvalid = failures.reason === 'AgentModuleInvalid';
  const retryMs = isTrial ? moduleRetryMinMs * 2 ** Math.max(0, doublings) : moduleRetryMinMs;
  return failures.lastMs + Math.max(backoffMs, isInvalid ? Math.min(maxMs, retryMs) : 0);
}

/** What to call a row that is long: nodes that refuse pods are not the fault of what runs in them. */
export function loopReason(
  { faults }: Failures,
  { crashLoopFailures }: PoolLimits,
): 'RuntimeCrashLooping' | 'RuntimesEvicted' {
  return faults >= crashLoopFailures ? 'RuntimeCrashLooping' : 'RuntimesEvicted';
}

function backoffMaxMs({ hadServed }: Failures, limits: PoolLimits): number {
  return hadServed === true ? limits.lostBackoffMaxMs : limits.restartBackoffMaxMs;
}

/** When to ask again for a runtime of a revision whose creates were refused (monotonic ms). */
export function askAgainAtMs(refusal: Refusal | undefined, limits: PoolLimits): number {
  if (refusal === undefined) return -Infinity;
  const { refusedBackoffMinMs, restartBackoffMaxMs } = limits;
  const doublings = Math.min(refusal.count - 1, 30);
  return refusal.lastMs + Math.min(restartBackoffMaxMs, refusedBackoffMinMs * 2 ** doublings);
}

/** When it must have come further with its start, counted from its creation or its binding (monotonic ms); Infinity: nothing presses. */
export function startDeadlineMs(one: SeenRuntime, spec: AgentPoolSpec, limits: PoolLimits): number {
  if (one.state.at === 'pending') return one.state.takenUpByMs ?? Infinity;
  if (one.state.at !== 'starting') return Infinity;
  const timeoutMs = spec.health.initializeTimeoutSeconds * 1_000 + limits.startGraceMs;
  const sinceMs = one.binding?.sinceMs ?? one.createdMs;
  return Math.max(sinceMs, one.state.countsFromMs ?? -Infinity) + timeoutMs;
}

/**
 * Time that a draining runtime has to finish its tasks. One that is still starting has none, and may not even hear that it is to end: the first
 * process of a container has no default action for a signal.
 */
export function drainTimeoutMs(
  one: SeenRuntime,
  { isBlind }: Observed,
  spec: AgentPoolSpec,
  limits: PoolLimits,
): number {
  const hasServed = !isStarting(one) && one.state.at !== 'pending';
  return hasServed || one.mayServe === true || isBlind === true
    ? spec.limits.taskTimeoutSeconds * 1_000 + limits.drainGraceMs
    : limits.drainStartingMs;
}

/** Places for HOT projects; standbys take those that are free. */
export function hotPlaces(spec: AgentPoolSpec): number {
  return Math.min(spec.tiers.hot.maxInstances, spec.maxInstances);
}

/** A pool in which no runtime is to be: there is nothing to wait for. @param hot projects that are HOT. */
export function isAnyWanted(spec: AgentPoolSpec, hot: readonly unknown[]): boolean {
  if (spec.operatingMode === 'Suspended') return false;
  const isHot = hot.length > 0 || spec.tiers.hot.standby > 0;
  return spec.replicas > 0 || (isHot && hotPlaces(spec) > 0);
}
