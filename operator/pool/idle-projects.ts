/**
 * Ends erasures that were interrupted, and erases projects that had no task for longer than `retention.projectIdleSeconds`: some of them with each
 * pass, so that no pass is long.
 * A project that a live runtime owns stays, and so does one that was never committed: nothing tells how old it is.
 */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { ProjectRecord, Store } from '../../platform/store/store.ts';
import type { NewEvent } from './events.ts';
import type { IdleSweep, PoolRun } from './pool-run.ts';

const PROJECTS_PER_PASS_MAX = 200;
/** While there are more. */
const NEXT_PASS_MS = 1_000;
/** From one look at all projects to the next: a tenth of the idle time, within these. */
const ROUND_MS_MIN = 10_000;
const ROUND_MS_MAX = 600_000;
/** From one look at erasures that were interrupted to the next. */
const ERASURES_MS = 3_600_000;
/** After one that failed. */
const FAILED_MS = 60_000;

export interface SweepHands {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is to be told, if anything was erased. Does nothing before it is due. */
export async function sweepProjects(
  run: PoolRun,
  spec: AgentPoolSpec,
  hands: SweepHands,
  signal: AbortSignal,
): Promise<readonly NewEvent[]> {
  const { projectIdleSeconds } = spec.checkpoint.retention;
  const { store, clock } = hands;
  if (run.isBlind) return [];
  await endErasures(run, hands);
  if (projectIdleSeconds === undefined || !isDue(run, clock)) return [];
  const idleMs = projectIdleSeconds * 1_000;
  const page = await pageOf(run, store);
  const idle = await unowned(store, run, overdue(page, clock.wallMs() - idleMs));
  const erased = await erase(idle, hands, signal);
  run.idleSweep = nextSweep(page, idleMs, clock.nowMs());
  const message = `projects without a task for ${projectIdleSeconds} s were erased`;
  return erased === 0 ? [] : [{ reason: 'IdleProjectsErased', message }];
}

/** ms. What is overdue was left out of this pass for a reason, which says itself when the next one is. */
export function sweepInMs({ idleSweep, erasuresDueMs }: PoolRun, nowMs: number): number {
  const due = [idleSweep?.dueMs ?? Infinity, erasuresDueMs].filter((atMs) => atMs > nowMs);
  return Math.min(...due) - nowMs;
}

function isDue({ idleSweep }: PoolRun, clock: Clock): boolean {
  return idleSweep === undefined || clock.nowMs() >= idleSweep.dueMs;
}

/** What a gateway or an operator did not finish is on no page. */
async function endErasures(run: PoolRun, { store, clock }: SweepHands): Promise<void> {
  if (clock.nowMs() < run.erasuresDueMs) return;
  // Also where it fails: the next pass has other things to do.
  run.erasuresDueMs = clock.nowMs() + FAILED_MS;
  const isMore = await store.endErasures(run.key, 'begun');
  run.erasuresDueMs = clock.nowMs() + (isMore ? NEXT_PASS_MS : ERASURES_MS);
}

function pageOf({ key, idleSweep }: PoolRun, store: Store): Promise<readonly ProjectRecord[]> {
  const limit = PROJECTS_PER_PASS_MAX;
  const { after } = idleSweep ?? {};
  return store.listProjects(key, after === undefined ? { limit } : { limit, after });
}

async function erase(
  idle: readonly ProjectRecord[],
  { store, log }: SweepHands,
  signal: AbortSignal,
): Promise<number> {
  let erased = 0;
  for (const record of idle) {
    signal.throwIfAborted();
    // Of what was claimed or used since it was listed nothing goes.
    if (!(await store.eraseProject(record.key, record))) continue;
    erased += 1;
    log.info('idle project is erased', { instance_id: record.key });
  }
  return erased;
}

function overdue(page: readonly ProjectRecord[], beforeWallMs: number): readonly ProjectRecord[] {
  return page.filter(({ lastUsedMs }) => lastUsedMs > 0 && lastUsedMs < beforeWallMs);
}

/** Runtimes are asked for after the records: an owner that joined in between is among them. */
async function unowned(
  store: Store,
  { key }: PoolRun,
  records: readonly ProjectRecord[],
): Promise<readonly ProjectRecord[]> {
  if (records.every(({ owner }) => owner === undefined)) return records;
  const live = new Set((await store.listRuntimes(key)).map(({ incarnation }) => incarnation));
  return records.filter(({ owner }) => owner === undefined || !live.has(owner.incarnation));
}

function nextSweep(page: readonly ProjectRecord[], idleMs: number, nowMs: number): IdleSweep {
  if (page.length === PROJECTS_PER_PASS_MAX)
    return { after: page.at(-1)?.key, dueMs: nowMs + NEXT_PASS_MS };
  const roundMs = Math.min(Math.max(idleMs / 10, ROUND_MS_MIN), ROUND_MS_MAX);
  return { after: undefined, dueMs: nowMs + roundMs };
}
