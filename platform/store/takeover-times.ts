/** When each project was last taken over by force; forgets what no longer limits anything. */
import type { ProjectKey } from '../../core/identifiers.ts';
import { TAKEOVER_INTERVAL_MS } from './store.ts';

export class TakeoverTimes {
  /** Oldest first: a counted project moves to the end. Bounded by the takeovers of one interval. */
  readonly #times = new Map<ProjectKey, number>();

  lastMs(key: ProjectKey, nowMs: number): number | undefined {
    this.#forget(nowMs);
    return this.#times.get(key);
  }

  count(key: ProjectKey, nowMs: number): void {
    this.#times.delete(key);
    this.#times.set(key, nowMs);
  }

  #forget(nowMs: number): void {
    for (const [key, atMs] of this.#times) {
      if (nowMs - atMs < TAKEOVER_INTERVAL_MS) return;
      this.#times.delete(key);
    }
  }
}
