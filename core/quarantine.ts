/**
 * Which projects are suspected of ending their runtimes: one task must not walk through the fleet, and bystanders must
 * not pay for it. Decides from what it is told; knows no clock, and not whether a death was ordered (then it is not told).
 *
 *   clear → struck (running at one death) → condemned (running at the next one within STRIKE_WINDOW_MS, no success between)
 *
 * The only project condemned by a death is `open` for the reset time, then `suspect`. Where one death condemns several,
 * at most one of them is guilty, so all are `suspect` at once: suspects run one at a time per runtime, a success clears,
 * and the death of the runtime under the one being probed condemns it alone.
 */
import type { ProjectKey } from './identifiers.ts';

export const STRIKE_WINDOW_MS = 600_000;
const PROJECTS_MAX = 10_000;

/** One runtime's death, shared by all projects that it condemned. */
interface Death {
  readonly incarnation: string;
  readonly atMs: number;
  condemned: number;
}

type Suspicion =
  | { readonly type: 'struck'; readonly death: Death }
  | { readonly type: 'condemned'; readonly death: Death };

export type Verdict =
  | { readonly type: 'clear' }
  /** Refuse its tasks. */
  | { readonly type: 'open'; readonly retryAfterMs: number }
  /** Run one task of one suspect at a time per runtime. */
  | { readonly type: 'suspect' };

const CLEAR: Verdict = { type: 'clear' };
const SUSPECT: Verdict = { type: 'suspect' };

export class Quarantine {
  /** Oldest suspicion first. */
  readonly #suspicions = new Map<ProjectKey, Suspicion>();
  #lastDeath: Death | undefined;

  /** A task of the project was running when this runtime died unordered. Told once per task, all of one death in a row. True: it is condemned now. */
  died(project: ProjectKey, incarnation: string, nowMs: number): boolean {
    const death = this.#deathOf(incarnation, nowMs);
    const before = this.#suspicions.get(project);
    if (before?.death.incarnation === incarnation) return false;
    this.#suspicions.delete(project);
    const isRepeated = before !== undefined && isFresh(before, nowMs);
    if (isRepeated) death.condemned += 1;
    this.#suspicions.set(project, { type: isRepeated ? 'condemned' : 'struck', death });
    this.#forgetOldest(nowMs);
    return isRepeated;
  }

  succeeded(project: ProjectKey): void {
    if (this.#suspicions.size > 0) this.#suspicions.delete(project);
  }

  verdict(project: ProjectKey, nowMs: number, resetMs: number): Verdict {
    if (this.#suspicions.size === 0) return CLEAR;
    const suspicion = this.#suspicions.get(project);
    if (suspicion?.type !== 'condemned') return CLEAR;
    const { condemned, atMs } = suspicion.death;
    const retryAfterMs = atMs + resetMs - nowMs;
    return condemned === 1 && retryAfterMs > 0 ? { type: 'open', retryAfterMs } : SUSPECT;
  }

  /** Condemned projects: open or suspect. */
  condemned(): ProjectKey[] {
    return [...this.#suspicions].filter(([, { type }]) => type === 'condemned').map(([key]) => key);
  }

  #deathOf(incarnation: string, nowMs: number): Death {
    if (this.#lastDeath?.incarnation !== incarnation)
      this.#lastDeath = { incarnation, atMs: nowMs, condemned: 0 };
    return this.#lastDeath;
  }

  #forgetOldest(nowMs: number): void {
    for (const [project, suspicion] of this.#suspicions) {
      if (isFresh(suspicion, nowMs) && this.#suspicions.size <= PROJECTS_MAX) return;
      this.#suspicions.delete(project);
    }
  }
}

function isFresh({ type, death }: Suspicion, nowMs: number): boolean {
  return type === 'condemned' || nowMs - death.atMs <= STRIKE_WINDOW_MS;
}
