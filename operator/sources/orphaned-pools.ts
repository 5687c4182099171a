/** Which AgentPools are deleted with `--cascade=orphan`: remembered once seen, as the API server may take its mark off before ours. Writes nothing. */
import type { Stored } from '../../platform/kube/kube.ts';
import type { AgentPoolObject } from '../../platform/kube/resources.ts';

/** The finaliser of such an object, until those that it owns are nobody's. */
const ORPHANING = 'orphan';

type Pool = Stored<AgentPoolObject>;

export class OrphanedPools {
  /** By uid. Bounded by the pools that are being deleted. */
  readonly #seen = new Set<string>();

  /** Of a watch: every state is seen, also one that is over when somebody asks. */
  note(before: Pool | undefined, after: Pool | undefined): void {
    if (after === undefined) this.#seen.delete(before?.metadata.uid ?? '');
    else this.has(after.metadata);
  }

  has({ uid, deletionTimestamp, finalizers }: Pool['metadata']): boolean {
    if (deletionTimestamp !== undefined && finalizers?.includes(ORPHANING) === true)
      this.#seen.add(uid);
    return this.#seen.has(uid);
  }
}
