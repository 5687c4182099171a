/** Ends a watch that has fallen silent: a dead connection, a frozen API server or proxy sends nothing and closes nothing. */
import type { Clock } from '../clock.ts';

export interface StallLimit {
  readonly clock: Clock;
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

/** The events of `open`; ends without an error after `stallMs` without any. @throws the signal's reason; what the watch throws. */
export async function* watchWithStallLimit<E>(
  open: (signal: AbortSignal) => AsyncIterable<E>,
  { clock, stallMs, signal }: StallLimit,
): AsyncGenerator<E> {
  const stalled = new AbortController();
  let lastMs = clock.nowMs();
  const check = (): void => {
    const silentMs = clock.nowMs() - lastMs;
    if (silentMs < stallMs) timer = clock.after(stallMs - silentMs, check);
    else stalled.abort(new Error(`the watch was silent for ${stallMs} ms`));
  };
  let timer = clock.after(stallMs, check);
  try {
    for await (const event of open(AbortSignal.any([stalled.signal, signal]))) {
      lastMs = clock.nowMs();
      yield event;
      // The time that the reader took is not silence of the watch.
      lastMs = clock.nowMs();
    }
  } catch (error) {
    if (error !== stalled.signal.reason) throw error;
  } finally {
    timer.cancel();
  }
}
