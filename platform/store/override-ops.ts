/** Tier overrides by compare-and-set on their generation. */
import type { ProjectKey } from '../../core/identifiers.ts';
import type { TierOverride } from '../../core/tier.ts';
import type { KeyValue } from './key-value.ts';
import { COUNTERS_KEY, overrideKey } from './keys.ts';
import { readCounters } from './ownership-ops.ts';

export interface OverrideRequest {
  readonly key: ProjectKey;
  /** Absent: ends it. */
  readonly override: Omit<TierOverride, 'generation'> | undefined;
  readonly expected: number;
}

/** Generations come from one counter, so an override that was ended and made anew never passes for the old one. */
export function setOverride(kv: KeyValue, request: OverrideRequest): 'set' | 'conflict' {
  const key = overrideKey(request.key);
  const stored = kv.get(key) as TierOverride | undefined;
  if ((stored?.generation ?? 0) !== request.expected) return 'conflict';
  if (request.override === undefined) {
    if (stored !== undefined) kv.remove(key);
    return 'set';
  }
  const counters = readCounters(kv);
  const generation = counters.generations + 1;
  kv.put(COUNTERS_KEY, { ...counters, generations: generation });
  kv.put(key, { ...request.override, generation });
  return 'set';
}
