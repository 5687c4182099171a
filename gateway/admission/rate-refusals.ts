/** Projects whose runtime refused a task for its rate: refused here too until the time that it named, so that they cost nothing. */
import { AppError } from '../../core/errors.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import { growingLru } from '../../platform/growing-lru.ts';

const PROJECTS_MAX = 10_000;

interface Refusal {
  readonly untilMs: number;
  /** The runtime's. */
  readonly message: string;
}

export class RateRefusals {
  readonly #refusals = growingLru<ProjectKey, Refusal>(PROJECTS_MAX);

  /** A runtime's answer: remembered when it is a rate refusal with a retry time. */
  note(project: ProjectKey, error: AppError, nowMs: number): void {
    if (error.reason !== 'RATE_LIMITED' || error.retryAfterMs === undefined) return;
    this.#refusals.set(project, { untilMs: nowMs + error.retryAfterMs, message: error.message });
  }

  /** Throws RATE_LIMITED, in the runtime's words, while the refusal stands. */
  check(project: ProjectKey, nowMs: number): void {
    if (this.#refusals.size === 0) return;
    const refusal = this.#refusals.get(project);
    if (refusal === undefined) return;
    const { untilMs, message } = refusal;
    if (untilMs > nowMs)
      throw new AppError('RATE_LIMITED', message, { retryAfterMs: Math.ceil(untilMs - nowMs) });
    this.#refusals.delete(project);
  }
}
