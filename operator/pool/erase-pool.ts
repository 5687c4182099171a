/** What deletionPolicy Delete means: every project of the pool leaves the store, then the pool itself. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { PoolKey } from '../../core/identifiers.ts';
import type { Store } from '../../platform/store/store.ts';
import type { Driver } from './driver.ts';
import type { PoolSource } from './wanted-pool.ts';

const PROJECTS_PER_PAGE = 500;

/** Can be interrupted and called again; the pool's record goes last. */
export async function erasePool(
  store: Store,
  key: PoolKey,
  policy: 'Retain' | 'Delete',
  signal: AbortSignal,
): Promise<void> {
  if (policy === 'Delete') await eraseProjects(store, key, signal);
  await store.deletePool(key);
}

async function eraseProjects(store: Store, key: PoolKey, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const page = await store.listProjects(key, { limit: PROJECTS_PER_PAGE });
    for (const project of page) await store.eraseProject(project.key);
    if (page.length < PROJECTS_PER_PAGE) break;
  }
  for (const project of await store.listErasing(key)) await store.eraseProject(project);
  for (const { key: project, override } of await store.listTierOverrides(key))
    await store.setTierOverride(project, undefined, override.generation);
}

export interface Forgetter {
  readonly store: Store;
  readonly driver: Driver;
  readonly source: Pick<PoolSource, 'covers'>;
  readonly installation?: string;
}

/**
 * What an earlier run left of a pool that no manifest names now; its projects stay, unless that run was about to erase them. What another
 * installation left, or this one where it does not look any more, is not known to be unwanted: it stays.
 */
export async function forgetPool(
  { store, driver, source, installation }: Forgetter,
  key: PoolKey,
  signal: AbortSignal,
): Promise<void> {
  if (source.covers?.(key) === false) return;
  for (const { name } of await driver.list(key)) await driver.remove({ pool: key, name });
  const [record] = await store.listPools(key);
  if (record === undefined || record.installation !== installation) return;
  // The operator wrote it with all defaults applied; the store does not look into it.
  const { deletionPolicy } = record.spec as Partial<AgentPoolSpec>;
  const policy = record.deleting === true ? (deletionPolicy ?? 'Retain') : 'Retain';
  await erasePool(store, key, policy, signal);
}
