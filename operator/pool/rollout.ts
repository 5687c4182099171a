/** The state machine of a pool's roll-out, with its one mover. Pure: what is done about it is decided elsewhere. */
import type { Failures, Refusal, Rollout } from './observed.ts';

export interface RolloutView {
  /** Revision of the spec as it is now. */
  readonly update: string;
  /** Live runtimes of that revision that are ready. */
  readonly readyCount: number;
  /** All that is wanted is there in that revision, and nothing of another one is left. */
  readonly isComplete: boolean;
  /** The failures in a row of that revision, if any. */
  readonly failures: Pick<Failures | Refusal, 'reason' | 'message'> | undefined;
  /** What keeps a runtime from being started, if anything does. */
  readonly problem?: string;
  readonly isCrashLooping: boolean;
  readonly progressDeadlineMs: number;
}

/**
 *   settled ──revision changed──► rolling ──complete──► settled
 *                                 rolling ──failed, or no progress in time──► stalled ──progress──► rolling
 *   rolling, stalled ──revision changed──► rolling
 */
export function moveRollout(state: Rollout | undefined, view: RolloutView, nowMs: number): Rollout {
  const { update, readyCount } = view;
  const start = (from: string | undefined): Rollout =>
    moveRolling({ ...begin(from, update, nowMs), readyCount }, view, nowMs);
  if (state === undefined) return start(undefined);
  switch (state.at) {
    case 'settled':
      return state.revision === update ? state : start(state.revision);
    case 'rolling':
      if (state.to === update) return moveRolling(state, view, nowMs);
      return start(fromOf(state));
    case 'stalled':
      if (state.to !== update) return start(fromOf(state));
      if (view.isComplete) return { at: 'settled', revision: update };
      return readyCount > state.readyCount ? start(state.from) : state;
  }
}

/** While nobody can say which runtimes are ready: another revision begins, nothing else moves, and no time counts. */
export function holdRollout(state: Rollout | undefined, update: string, nowMs: number): Rollout {
  switch (state?.at) {
    case undefined:
      return begin(undefined, update, nowMs);
    case 'settled':
      return state.revision === update ? state : begin(state.revision, update, nowMs);
    case 'rolling':
      return state.to === update
        ? { ...state, progressMs: nowMs }
        : begin(fromOf(state), update, nowMs);
    case 'stalled':
      return state.to === update ? state : begin(fromOf(state), update, nowMs);
  }
}

type Rolling = Extract<Rollout, { at: 'rolling' }>;

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
function fromOf(state: Exclude<Rollout, { at: 'settled' }>): string | undefined {
  return state.readyCount > 0 ? state.to : state.from;
}

function moveRolling(state: Rolling, view: RolloutView, nowMs: number): Rollout {
  if (view.isComplete) return { at: 'settled', revision: view.update };
  const readyCount = Math.max(state.readyCount, view.readyCount);
  if (readyCount > state.readyCount) return { ...state, readyCount, progressMs: nowMs };
  const stalled = stallOf(state, view, nowMs);
  if (stalled === undefined) return state;
  const { from, to } = state;
  return { at: 'stalled', ...(from === undefined ? {} : { from }), to, readyCount, ...stalled };
}

function stallOf(
  state: Rolling,
  view: RolloutView,
  nowMs: number,
): Pick<Extract<Rollout, { at: 'stalled' }>, 'why' | 'message'> | undefined {
  const { failures, progressDeadlineMs } = view;
  if (failures?.reason === 'AgentModuleInvalid')
    return { why: 'AgentModuleInvalid', message: failures.message };
  if (failures !== undefined && view.isCrashLooping)
    return {
      why: failures.reason === 'PodRejected' ? 'PodRejected' : 'RuntimeCrashLooping',
      message: failures.message,
    };
  if (nowMs - state.progressMs < progressDeadlineMs) return undefined;
  return {
    why: 'ProgressDeadline',
    message:
      failures?.message ??
      view.problem ??
      `no runtime became ready within ${progressDeadlineMs / 1_000} s`,
  };
}
