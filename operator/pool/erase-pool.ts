/** What deletionPolicy Delete means: every project of the pool leaves the store, then the pool itself. */
import type { PoolKey } from '../../core/identifiers.ts';
import type { Store } from '../../platform/store/store.ts';

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
  for (const { key: project, override } of await store.listTierOverrides(key))
    await store.setTierOverride(project, undefined, override.generation);
}
