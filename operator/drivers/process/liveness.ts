/** Finds out whether a child's event loop still answers. A pause of this process is not held against the child. */
import type { Clock } from '../../../platform/clock.ts';

export interface LivenessLimits {
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** Without an answer for so long it counts as silent. */
  readonly silentMs: number;
}

export const LIVENESS_LIMITS: LivenessLimits = Object.freeze({
  pingIntervalMs: 1_500,
  pingTimeoutMs: 1_000,
  silentMs: 5_000,
});

/** A timer that comes so much too late says that this process itself stood still. */
const OWN_PAUSE_MS = 1_000;

export interface LivenessProbe {
  readonly ping: (timeoutMs: number) => Promise<'alive' | 'refused' | 'silent'>;
  readonly onSilent: () => void;
}

/** Watches from the first answer on (before that the start's own time limit counts) until it is silent or the signal aborts. */
export async function watchLiveness(
  probe: LivenessProbe,
  limits: LivenessLimits,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let answeredMs: number | undefined;
  for (;;) {
    const beforeMs = clock.nowMs();
    const isGoingOn = await clock.sleep(limits.pingIntervalMs, signal).then(
      () => true,
      () => false,
    );
    if (!isGoingOn) return;
    const answer = await probe.ping(limits.pingTimeoutMs);
    const nowMs = clock.nowMs();
    if (signal.aborted) return;
    const expectedMs = limits.pingIntervalMs + limits.pingTimeoutMs;
    const wasPaused = nowMs - beforeMs > expectedMs + OWN_PAUSE_MS;
    if (answer === 'alive' || (wasPaused && answeredMs !== undefined)) answeredMs = nowMs;
    if (answeredMs !== undefined && nowMs - answeredMs >= limits.silentMs) {
      probe.onSilent();
      return;
    }
  }
}
