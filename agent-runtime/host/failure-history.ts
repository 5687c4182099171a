/** How often a project's instances failed here in the last hour, and whether one more may be tried; bounded, in memory only. */
import type { ProjectKey } from '../../core/identifiers.ts';
import type { Clock } from '../../platform/clock.ts';

const HOUR_MS = 3_600_000;
const PROJECTS_MAX = 10_000;

export class FailureHistory {
  readonly #clock: Clock;
  readonly #maxPerHour: () => number;
  /** Monotonic ms, oldest first; the project that failed last is last. */
  readonly #failures = new Map<ProjectKey, readonly number[]>();

  /** @param maxPerHour `recovery.maxFailuresPerHour`, as it is now. */
  constructor(clock: Clock, maxPerHour: () => number) {
    this.#clock = clock;
    this.#maxPerHour = maxPerHour;
  }

  add(key: ProjectKey): void {
    // Failures older than these decide nothing.
    const kept = Math.max(1, this.#maxPerHour());
    const recent = [...this.#recent(key), this.#clock.nowMs()].slice(-kept);
    this.#failures.delete(key);
    this.#failures.set(key, recent);
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= PROJECTS_MAX) break;
      this.#failures.delete(oldest);
    }
  }

  /** Ms until the project may be tried again; 0: now. */
  openForMs(key: ProjectKey): number {
    const recent = this.#recent(key);
    const [oldest] = recent;
    if (oldest === undefined || recent.length < this.#maxPerHour()) return 0;
    return oldest + HOUR_MS - this.#clock.nowMs();
  }

  #recent(key: ProjectKey): readonly number[] {
    const nowMs = this.#clock.nowMs();
    return (this.#failures.get(key) ?? []).filter((atMs) => nowMs - atMs < HOUR_MS);
  }
}
