/** What deletionPolicy Delete means: every project of the pool leaves the store, then the pool itself. */
import { type AgentPoolSpec, agentPoolSpecSchema } from '../../api/agent-pool.ts';
import type { PoolKey } from '../../core/identifiers.ts';
import type { PoolRecord, Store } from '../../platform/store/store.ts';
import type { Driver, DrivenRuntime } from './driver.ts';
import type { PoolLimits } from './pool-limits.ts';
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
  while (await store.endErasures(key, 'listed')) signal.throwIfAborted();
  for (const { key: project, override } of await store.listTierOverrides(key))
    await store.setTierOverride(project, undefined, override.generation);
}

export interface Forgetter {
  readonly store: Store;
  readonly driver: Driver;
  readonly source: Pick<PoolSource, 'covers'>;
  readonly limits: Pick<PoolLimits, 'drainGraceMs'>;
  readonly installation?: string;
}

/**
 * What an earlier run left of a pool that no manifest names now; its projects stay, unless that run was about to erase them. What another
 * installation left, or this one where it does not look any more, is not known to be unwanted: it stays. Tasks that run are finished.
 *
 * @returns whether nothing is left; if not, it is to be called again.
 */
export async function forgetPool(
  forgetter: Forgetter,
  key: PoolKey,
  signal: AbortSignal,
): Promise<boolean> {
  const { store, driver, source, installation } = forgetter;
  if (source.covers?.(key) === false) return true;
  const runtimes = await driver.list(key);
  // It knows for how long tasks may run: while it does not answer, they do.
  const [found] = await store.listPools(key);
  const record = found?.installation === installation ? found : undefined;
  const spec = specOf(record);
  if (record !== undefined && runtimes.length > 0) await refuseTasks(store, record, spec);
  await endAll(runtimes, spec, forgetter);
  if ((await driver.list(key)).length > 0) return false;
  if (record === undefined) return true;
  await driver.forget?.(key);
  await erasePool(store, key, policyOf(record, spec), signal);
  return true;
}

const DEFAULT_SPEC: AgentPoolSpec = agentPoolSpecSchema.parse({});

/** The operator wrote it with all defaults applied; the store does not look into it. */
function specOf(record: PoolRecord | undefined): AgentPoolSpec {
  return { ...DEFAULT_SPEC, ...(record?.spec as Partial<AgentPoolSpec> | undefined) };
}

function policyOf({ deleting }: PoolRecord, spec: AgentPoolSpec): AgentPoolSpec['deletionPolicy'] {
  return deleting === true ? spec.deletionPolicy : 'Retain';
}

/** Not as one that is being deleted: that would erase its projects. */
async function refuseTasks(store: Store, record: PoolRecord, spec: AgentPoolSpec): Promise<void> {
  if (spec.operatingMode === 'Suspended') return;
  await store.putPool({ ...record, spec: { ...spec, operatingMode: 'Suspended' } });
}

/** Those that end already are not told again, as that could only give them less time. */
async function endAll(
  runtimes: readonly DrivenRuntime[],
  { limits: { taskTimeoutSeconds } }: AgentPoolSpec,
  { driver, limits }: Forgetter,
): Promise<void> {
  for (const { pool, name, phase } of runtimes) {
    if (phase.at === 'exited' || phase.at === 'silent') await driver.remove({ pool, name });
    else if (phase.at !== 'ending')
      await driver.drain({ pool, name }, taskTimeoutSeconds * 1_000 + limits.drainGraceMs);
  }
}
