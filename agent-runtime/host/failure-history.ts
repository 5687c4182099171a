/** How often a project's instances failed here in the last hour, and whether one more may be tried; bounded, in memory only. */
import type { ProjectKey } from '../../core/identifiers.ts';

const HOUR_MS = 3_600_000;
const PROJECTS_MAX = 10_000;

export class FailureHistory {
  /** Monotonic ms, oldest first; the project that failed last is last. */
  readonly #failures = new Map<ProjectKey, readonly number[]>();

  /** @param keepMax the limit per hour: older failures than these decide nothing. */
  add(key: ProjectKey, nowMs: number, keepMax: number): void {
    const recent = [...this.#recent(key, nowMs), nowMs].slice(-Math.max(1, keepMax));
    this.#failures.delete(key);
    this.#failures.set(key, recent);
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= PROJECTS_MAX) break;
      this.#failures.delete(oldest);
    }
  }

  /** Ms until the project may be tried again; 0: now. */
  openForMs(key: ProjectKey, maxPerHour: number, nowMs: number): number {
    const recent = this.#recent(key, nowMs);
    const [oldest] = recent;
    if (oldest === undefined || recent.length < maxPerHour) return 0;
    return oldest + HOUR_MS - nowMs;
  }

  #recent(key: ProjectKey, nowMs: number): readonly number[] {
    return (this.#failures.get(key) ?? []).filter((atMs) => nowMs - atMs < HOUR_MS);
  }
}
