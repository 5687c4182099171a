/** The state machine of a pool's roll-out, with its one mover. Pure: what is done about it is decided elsewhere. */
import type { Failures, Refusal, Rollout } from './observed.ts';

export interface RolloutView {
  /** Revision of the spec as it is now. */
  readonly update: string;
  /** Live runtimes of that revision that are ready. */
  readonly readyCount: number;
  /** When the latest of those that have been ready for long enough became so (monotonic ms); absent: there is none. */
  readonly stableSinceMs?: number;
  /** All that is wanted is there in that revision, and nothing of another one is left. */
  readonly isComplete: boolean;
  /** Nothing is wanted: then all is there, and nothing proves anything. */
  readonly isIdle: boolean;
  /** Revision of which a runtime last became ready; absent: none ever did. */
  readonly good?: string;
  /** The failures in a row of that revision, if any. */
  readonly failures: Pick<Failures | Refusal, 'reason' | 'message'> | undefined;
  /** What keeps a runtime from being started, if anything does. */
  readonly problem?: string;
  readonly isCrashLooping: boolean;
  readonly progressDeadlineMs: number;
}

/**
 *   settled ──revision changed, or none of it was ever ready──► rolling ──complete──► settled
 *                                 rolling ──failed, or no progress in time──► stalled ──one came up, and stays──► rolling
 *   rolling, stalled ──revision changed──► rolling
 */
export function moveRollout(state: Rollout | undefined, view: RolloutView, nowMs: number): Rollout {
  const { update, readyCount } = view;
  const start = (from: string | undefined): Rollout =>
    moveRolling({ ...begin(from, update, nowMs), readyCount }, view, nowMs);
  if (state === undefined) return start(undefined);
  switch (state.at) {
    case 'settled':
      return isSettled(state.revision, view) ? state : start(view.good ?? state.revision);
    case 'rolling':
      if (state.to === update) return moveRolling(state, view, nowMs);
      return start(goodRevision(state));
    case 'stalled':
      if (state.to !== update) return start(goodRevision(state));
      if (view.isComplete) return { at: 'settled', revision: update };
      return resume(state, view, start);
  }
}

/** What was rolled out while nothing was wanted is tried as soon as something is. */
function isSettled(revision: string, { update, good = revision, isIdle }: RolloutView): boolean {
  return revision === update && (isIdle || good === update);
}

/** One that is ready for a moment proves nothing: for each try a good one would go. */
function resume(
  state: Stalled,
  view: RolloutView,
  start: (from: string | undefined) => Rollout,
): Rollout {
  const isProven = (view.stableSinceMs ?? -Infinity) > state.sinceMs;
  const next = isProven ? start(state.from) : state;
  return next.at === 'stalled' ? { ...state, ...causeOf(view) } : next;
}

/** While nobody can say which runtimes are ready: another revision begins, nothing else moves, and no time counts. */
export function holdRollout(
  state: Rollout | undefined,
  { update, good }: Pick<RolloutView, 'update' | 'good'>,
  nowMs: number,
): Rollout {
  switch (state?.at) {
    case undefined:
      return begin(undefined, update, nowMs);
    case 'settled':
      return state.revision === update ? state : begin(good ?? state.revision, update, nowMs);
    case 'rolling':
      return state.to === update
        ? { ...state, progressMs: nowMs }
        : begin(goodRevision(state), update, nowMs);
    case 'stalled':
      return state.to === update ? state : begin(goodRevision(state), update, nowMs);
  }
}

type Rolling = Extract<Rollout, { at: 'rolling' }>;
type Stalled = Extract<Rollout, { at: 'stalled' }>;

function begin(from: string | undefined, to: string, nowMs: number): Rolling {
  return {
    at: 'rolling',
    ...(from === undefined ? {} : { from }),
    to,
    progressMs: nowMs,
    readyCount: 0,
  };
}

/** Where to go back to: a revision that never served is nothing to go back to. */
function goodRevision(state: Exclude<Rollout, { at: 'settled' }>): string | undefined {
  return state.readyCount > 0 ? state.to : state.from;
}

function moveRolling(state: Rolling, view: RolloutView, nowMs: number): Rollout {
  if (view.isComplete) return { at: 'settled', revision: view.update };
  const readyCount = Math.max(state.readyCount, view.readyCount);
  if (readyCount > state.readyCount) return { ...state, readyCount, progressMs: nowMs };
  const stalled = stallOf(state, view, nowMs);
  if (stalled === undefined) return state;
  const { from, to } = state;
  const back = from === undefined ? {} : { from };
  return { at: 'stalled', ...back, to, sinceMs: nowMs, readyCount, ...stalled };
}

function stallOf(state: Rolling, view: RolloutView, nowMs: number): Cause | undefined {
  const { failures, progressDeadlineMs } = view;
  const cause = causeOf(view);
  if (cause !== undefined) return cause;
  if (nowMs - state.progressMs < progressDeadlineMs) return undefined;
  return {
    why: 'ProgressDeadline',
    message:
      failures?.message ??
      view.problem ??
      `no runtime became ready within ${progressDeadlineMs / 1_000} s`,
  };
}

type Cause = Pick<Stalled, 'why' | 'message'>;

function causeOf({ failures, isCrashLooping }: RolloutView): Cause | undefined {
  if (failures === undefined) return undefined;
  const { reason, message } = failures;
  if (reason === 'AgentModuleInvalid') return { why: reason, message };
  if (!isCrashLooping) return undefined;
  return { why: reason === 'PodRejected' ? reason : 'RuntimeCrashLooping', message };
}
