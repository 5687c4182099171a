/** Counts failures in a row from the ends of runtimes that were seen: of starts that would fare alike, each kind for itself. Pure. */
import { projectLabel } from './hot-projects.ts';
import type { Failures, SeenRuntime } from './observed.ts';
import type { Memory } from './memory.ts';
import type { PoolLimits } from './pool-limits.ts';
import { type Start, type StartKey, startKey } from './start-key.ts';

export interface Death {
  readonly runtime: SeenRuntime;
  readonly reason: Failures['reason'];
  readonly message: string;
  readonly stack?: string;
  /** It was ready, and for how long; absent: it never was. */
  readonly servedMs?: number;
}

function startOf({ role, revision, resources, binding }: SeenRuntime): Start {
  const project = binding === undefined ? {} : { project: binding.project };
  return { role, revision, resources, ...project };
}

interface Circumstances {
  readonly limits: PoolLimits;
  readonly nowMs: number;
  /** That a runtime is well is old news then. */
  readonly isBlind: boolean;
}

/** A success after the last failure ends the row; a death soon after the start, or before it was ready, makes it longer. */
export function countFailures(
  before: Memory['failures'],
  runtimes: readonly SeenRuntime[],
  deaths: readonly Death[],
  { limits, nowMs, isBlind }: Circumstances,
): Memory['failures'] {
  const rows = new Map(before);
  const succeed = (runtime: SeenRuntime, sinceMs: number): void => {
    const key = startKey(startOf(runtime));
    if (sinceMs > (rows.get(key)?.lastMs ?? Infinity)) rows.delete(key);
  };
  for (const one of isBlind ? [] : runtimes)
    if (isStable(one, limits, nowMs)) succeed(one, one.state.sinceMs);
  for (const death of deaths) {
    const { runtime, servedMs = 0 } = death;
    const key = startKey(startOf(runtime));
    if (servedMs >= limits.stableMs) succeed(runtime, nowMs - servedMs);
    else rows.set(key, oneMore(rows.get(key), death, nowMs));
  }
  return rows;
}

/** It has been ready for so long that its start went well. */
export function isStable(
  one: SeenRuntime,
  { stableMs }: Pick<PoolLimits, 'stableMs'>,
  nowMs: number,
): one is SeenRuntime & { readonly state: { readonly at: 'ready'; readonly sinceMs: number } } {
  return one.state.at === 'ready' && nowMs - one.state.sinceMs >= stableMs;
}

/** When a runtime will have been ready for long enough to end its row (monotonic ms); none where there is nothing to end. */
export function stableAtMs(
  runtimes: readonly SeenRuntime[],
  { stableMs }: Pick<PoolLimits, 'stableMs'>,
  nowMs: number,
): readonly number[] {
  return runtimes
    .flatMap(({ state }) => (state.at === 'ready' ? [state.sinceMs + stableMs] : []))
    .filter((atMs) => atMs > nowMs);
}

/** Rows of what has not been asked for so long are forgotten: nobody waits for it, and nothing of it fails any more. */
const UNASKED_MS = 30_000;

/** @param asked what was wanted in this pass, made or not. */
export function stillFailing(
  rows: Memory['failures'],
  asked: ReadonlySet<StartKey>,
  { runtimes, limits }: { readonly runtimes: readonly SeenRuntime[]; readonly limits: PoolLimits },
  nowMs: number,
): Memory['failures'] {
  if (rows.size === 0) return rows;
  const onTheirWay = runtimes.filter((one) => !isStable(one, limits, nowMs)).map(startOf);
  const wanted = new Set([...asked, ...onTheirWay.map(startKey)]);
  return new Map(
    [...rows].filter(([key, { lastMs }]) => wanted.has(key) || nowMs - lastMs < UNASKED_MS),
  );
}

/** Where it concerns one project alone, with its name. */
export function labelled({ of: { project }, message }: Failures): string {
  return project === undefined ? message : `${projectLabel(project)}: ${message}`;
}

function oneMore(before: Failures | undefined, death: Death, nowMs: number): Failures {
  const { runtime, reason, message, stack, servedMs } = death;
  return {
    of: startOf(runtime),
    count: (before?.count ?? 0) + 1,
    faults: (before?.faults ?? 0) + (isOwnFault(death) ? 1 : 0),
    lastMs: nowMs,
    reason,
    message,
    hadServed: servedMs !== undefined,
    ...(stack === undefined ? {} : { stack }),
  };
}

/** Another node would have taken it: it waits like all others before the next try, but says nothing about what runs in it. */
function isOwnFault({ reason, runtime }: Death): boolean {
  return reason !== 'Evicted' && runtime.state.at !== 'pending' && runtime.isUnseen !== true;
}
