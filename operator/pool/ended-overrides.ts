/** Takes tier overrides out of the store that have ended: some of them with each pass. What still holds is decided elsewhere. */
import type { Store } from '../../platform/store/store.ts';
import type { PoolRun } from './pool-run.ts';

/** By then no clock in the cluster takes it for one that still holds. */
const ENDED_FOR_MS = 60_000;
const OVERRIDES_PER_PASS_MAX = 200;

/** One that was set anew meanwhile has another generation, and stays. */
export async function dropEndedOverrides(
  { told, isBlind }: PoolRun,
  store: Pick<Store, 'setTierOverride'>,
  wallMs: number,
): Promise<void> {
  if (told === undefined || isBlind) return;
  const ended = told.overrides.filter(
    ({ override }) => (override.expiresAtMs ?? Infinity) < wallMs - ENDED_FOR_MS,
  );
  for (const { key, override } of ended.slice(0, OVERRIDES_PER_PASS_MAX))
    await store.setTierOverride(key, undefined, override.generation);
}
