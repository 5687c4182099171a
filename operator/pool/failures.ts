/** Counts failures in a row of revisions and of HOT projects from the ends of runtimes that were seen. Pure. */
import type { Failures, SeenRuntime } from './observed.ts';
import type { CountedFailures, Memory } from './memory.ts';
import type { PoolLimits } from './pool-limits.ts';

export interface Death {
  readonly runtime: SeenRuntime;
  readonly reason: Failures['reason'];
  readonly message: string;
  readonly stack?: string;
  /** It was ready, and for how long; absent: it never was. */
  readonly servedMs?: number;
}

interface Circumstances {
  readonly limits: PoolLimits;
  readonly nowMs: number;
  /** That a runtime is well is old news then. */
  readonly isBlind: boolean;
}

/** A success ends the row of failures; a death soon after the start, or before it was ready, makes it longer. */
export function countFailures(
  before: Memory,
  runtimes: readonly SeenRuntime[],
  deaths: readonly Death[],
  { limits, nowMs, isBlind }: Circumstances,
): CountedFailures {
  const byRevision = new Map(before.failuresByRevision);
  const byProject = new Map(before.failuresByProject);
  for (const { state, revision, binding } of isBlind ? [] : runtimes) {
    if (state.at !== 'ready' || nowMs - state.sinceMs < limits.stableMs) continue;
    byRevision.delete(revision);
    if (binding !== undefined) byProject.delete(binding.project);
  }
  for (const death of deaths) {
    const { revision, binding } = death.runtime;
    const isEarly = (death.servedMs ?? 0) < limits.stableMs;
    const [counts, key] =
      binding === undefined ? [byRevision, revision] : [byProject, binding.project];
    if (isEarly) counts.set(key, oneMore(counts.get(key), death, nowMs));
    else counts.delete(key);
  }
  return { failuresByRevision: byRevision, failuresByProject: byProject };
}

function oneMore(before: Failures | undefined, death: Death, nowMs: number): Failures {
  const { reason, message, stack, servedMs } = death;
  const count = (before?.count ?? 0) + 1;
  const hadServed = servedMs !== undefined;
  return {
    count,
    lastMs: nowMs,
    reason,
    message,
    hadServed,
    ...(stack === undefined ? {} : { stack }),
  };
}
