/** The end of a pool that nobody wants any more: its runtimes go, then what the store has of it. Decides nothing. */
import type { PoolRecord, Store } from '../../platform/store/store.ts';
import { apply, type Hands } from './apply.ts';
import { erasePool } from './erase-pool.ts';
import type { Plan } from './plan.ts';
import type { PoolLimits } from './pool-limits.ts';
import type { PoolRun } from './pool-run.ts';
import type { PoolSource } from './wanted-pool.ts';

/**
 * Tasks are refused while it drains, as soon as the store can be told; its projects go only when nobody can write them any more.
 *
 * @returns whether it is gone.
 */
export async function endPool(
  run: PoolRun,
  plan: Plan,
  hands: Hands & { readonly source: PoolSource },
  signal: AbortSignal,
): Promise<boolean> {
  if (run.spec === undefined) return true;
  const { store, source } = hands;
  const told = run.isBlind
    ? undefined
    : await tellStore(run, store).catch((error: unknown) => ({ error }));
  await apply(plan, run, hands, signal);
  if (told !== undefined) throw told.error;
  if (run.isBlind || (run.observed?.runtimes ?? []).length > 0) return false;
  await hands.driver.forget?.(run.key);
  await erasePool(store, run.key, run.spec.deletionPolicy, signal);
  await source.release?.(run.key, signal);
  return true;
}

/** Its runtimes are there still, and within the time that their tasks have: it is held for that, and nothing is wrong. */
export function isDraining(
  { goingSinceMs, observed, spec }: Pick<PoolRun, 'goingSinceMs' | 'observed' | 'spec'>,
  { drainGraceMs }: Pick<PoolLimits, 'drainGraceMs'>,
  nowMs: number,
): boolean {
  if (goingSinceMs === undefined || spec === undefined) return false;
  const isRunning = observed?.runtimes.some(({ state }) => state.at !== 'exited') === true;
  return isRunning && nowMs < goingSinceMs + spec.limits.taskTimeoutSeconds * 1_000 + drainGraceMs;
}

async function tellStore(run: PoolRun, store: Store): Promise<undefined> {
  const { spec, published } = run;
  if (spec === undefined || published === undefined || published.deleting === true) return;
  const suspended = { ...spec, operatingMode: 'Suspended' as const };
  const record: PoolRecord = { ...published, spec: suspended, deleting: true };
  await store.putPool(record);
  run.published = record;
}
