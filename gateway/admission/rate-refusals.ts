/** Projects whose runtime refused a task for its rate: refused here too until the time that it named, so that they cost nothing. */
import { LRUCache } from 'lru-cache';
import { AppError } from '../../core/errors.ts';
import type { ProjectKey } from '../../core/identifiers.ts';

const PROJECTS_MAX = 10_000;

export class RateRefusals {
  readonly #untilMs = new LRUCache<ProjectKey, number>({ max: PROJECTS_MAX });

  /** A runtime's answer: remembered when it is a rate refusal with a retry time. */
  note(project: ProjectKey, error: AppError, nowMs: number): void {
    if (error.reason !== 'RATE_LIMITED' || error.retryAfterMs === undefined) return;
    this.#untilMs.set(project, nowMs + error.retryAfterMs);
  }

  /** Throws RATE_LIMITED while the refusal stands. */
  check(project: ProjectKey, nowMs: number): void {
    if (this.#untilMs.size === 0) return;
    const untilMs = this.#untilMs.get(project);
    if (untilMs === undefined) return;
    if (untilMs > nowMs)
      throw new AppError('RATE_LIMITED', 'the project has used its requests per minute', {
        retryAfterMs: Math.ceil(untilMs - nowMs),
      });
    this.#untilMs.delete(project);
  }
}
