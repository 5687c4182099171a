/** What a store keeps of a project besides its state and conversations. */
import type { ProjectKey } from '../../core/identifiers.ts';

export interface Ownership {
  readonly incarnation: string;
  readonly claimId: string;
}

/** A project as it was at one moment: each claim moves the epoch on, each commit the seq. */
export type SeenProject = Pick<ProjectRecord, 'epoch' | 'seq'>;

/** The record of a project; absent owner: free or released. */
export interface ProjectRecord {
  readonly key: ProjectKey;
  readonly owner?: Ownership;
  /** Only orders claims; never decides who may commit. */
  readonly epoch: number;
  readonly seq: number;
  readonly paused: boolean;
  readonly leases: readonly ClientLease[];
  readonly storedBytes: number;
  readonly requests: number;
  /** Wall-clock ms of the last commit; 0: none yet. */
  readonly lastUsedMs: number;
}

/** A caller's lease on a live instance (Acquire); its id is `<instance id>~<random>`. */
export interface ClientLease {
  readonly id: string;
  /** Wall-clock ms. */
  readonly expiresAtMs: number;
}
