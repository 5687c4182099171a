/** A time limit for a promise, on the injected clock. */
import type { Clock } from '../../platform/clock.ts';

/** `late` when the time is over first; the promise goes on, and what it ends in is nobody's then. */
export async function within<Value>(
  clock: Clock,
  ms: number,
  promise: Promise<Value>,
): Promise<Value | 'late'> {
  const over = new AbortController();
  const late = clock.sleep(ms, over.signal).then(
    () => 'late' as const,
    () => 'late' as const,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
  }
}
