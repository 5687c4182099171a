/** Removes what erased projects and forgotten conversations left, a bounded number of keys per transaction; survives a crash in between. */
import type { KeyValue, KeyValueReader } from './key-value.ts';
import { SWEEP_PREFIX, sweepKey, under } from './keys.ts';

const KEYS_PER_STEP_MAX = 500;

export function isSweepDue(kv: KeyValueReader): boolean {
  return kv.range({ ...under(SWEEP_PREFIX), limit: 1 }).length > 0;
}

/** One step; true while something is left. */
export function sweepStep(kv: KeyValue): boolean {
  const [due] = kv.range({ ...under(SWEEP_PREFIX), limit: 1 });
  if (due === undefined) return false;
  const prefix = due.key.slice(SWEEP_PREFIX.length);
  const doomed = kv.range({ ...under(prefix), limit: KEYS_PER_STEP_MAX });
  for (const { key } of doomed) kv.remove(key);
  if (doomed.length === KEYS_PER_STEP_MAX) return true;
  kv.remove(sweepKey(prefix));
  return isSweepDue(kv);
}
