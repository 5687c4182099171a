/** What the store has told of one pool: kept for when it does not answer. */
import type { ProjectKey } from '../../core/identifiers.ts';
import type { ProjectRecord, RuntimeRecord } from '../../platform/store/store.ts';
import type { TierFacts, UsedProject } from './hot-projects.ts';

export interface Told {
  /** Wall-clock ms. */
  readonly atWallMs: number;
  /** Runtimes of the pool with a live lease. */
  readonly members: readonly RuntimeRecord[];
  readonly overrides: TierFacts['overrides'];
  /** Of projects that runtimes are bound to, and (for idleness) of those that API or manifest made HOT. */
  readonly records: ReadonlyMap<ProjectKey, ProjectRecord>;
  readonly used: readonly UsedProject[];
}

export const NOTHING_TOLD: Told = {
  atWallMs: 0,
  members: [],
  overrides: [],
  records: new Map(),
  used: [],
};
