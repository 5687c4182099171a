/** Reads the driver and the store into plain data: the only part of a pass that asks for anything. Decides nothing. */
import { createHash } from 'node:crypto';
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import { revisionInput } from '../../api/names.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { ProjectRecord, Store } from '../../platform/store/store.ts';
import type { Driver, DrivenRuntime, RuntimeTemplate } from './driver.ts';
import {
  hotProjects,
  nextTierChangeInMs,
  standbyResources,
  type TierFacts,
} from './hot-projects.ts';
import type { Observed, SeenRuntime } from './observed.ts';
import type { PoolLimits } from './pool-limits.ts';
import type { PoolRun } from './pool-run.ts';
import { seeRuntimes } from './see-runtimes.ts';
import type { ModuleArtifact, ModuleState } from './wanted-pool.ts';

export interface Eyes {
  readonly driver: Driver;
  readonly store: Store;
  readonly limits: PoolLimits;
}

export interface Sight {
  readonly runtimes: readonly SeenRuntime[];
  readonly hot: Observed['hot'];
  readonly standbyResources: Observed['standbyResources'];
  readonly nextTierChangeInMs: number | undefined;
}

const KEYS_PER_READ_MAX = 1_000;
const PROJECTS_PER_PAGE = 500;
const REVISION_CHARACTERS = 10;

export async function look(
  run: PoolRun,
  spec: AgentPoolSpec,
  { driver, store, limits }: Eyes,
  time: { readonly nowMs: number; readonly wallMs: number },
): Promise<Sight> {
  const driven = await driver.list(run.key);
  run.orders.observe(new Set(driven.map((one) => one.name)), time.nowMs);
  const members = (await store.listRuntimes()).filter((member) => member.pool === run.key);
  const overrides = await store.listTierOverrides(run.key);
  const records = await readRecords(store, keysOf(run, spec, driven, overrides));
  const used =
    spec.tiers.default === 'HOT'
      ? await scanProjects(store, run, limits.projectsScannedMax)
      : [...records.values()];
  const facts: TierFacts = {
    pool: run.ref,
    spec,
    overrides,
    used,
    hasClasses: driver.enforces.hotMemory,
    wallMs: time.wallMs,
  };
  const hot = hotProjects(facts);
  return {
    runtimes: seeRuntimes({
      driven,
      members,
      projects: records,
      orders: run.orders,
      readySinceMs: run.memory.readySinceMs,
      nowMs: time.nowMs,
    }),
    hot,
    standbyResources: standbyResources(spec, facts.hasClasses),
    nextTierChangeInMs: nextTierChangeInMs(facts, hot),
  };
}

/** Projects whose record matters: of bound runtimes, and (for idleness) those that API or manifest made HOT. */
function keysOf(
  run: PoolRun,
  spec: AgentPoolSpec,
  driven: readonly DrivenRuntime[],
  overrides: TierFacts['overrides'],
): readonly ProjectKey[] {
  const bound = driven.flatMap(
    (one) => one.binding?.project ?? run.orders.bindingOf(one.name)?.project ?? [],
  );
  const hot =
    spec.tiers.hot.idleSeconds > 0
      ? overrides.filter(({ override }) => override.tier === 'HOT').map(({ key }) => key)
      : [];
  return [...new Set([...bound, ...hot])];
}

async function readRecords(
  store: Store,
  keys: readonly ProjectKey[],
): Promise<ReadonlyMap<ProjectKey, ProjectRecord>> {
  const records = new Map<ProjectKey, ProjectRecord>();
  for (let start = 0; start < keys.length; start += KEYS_PER_READ_MAX) {
    const chunk = keys.slice(start, start + KEYS_PER_READ_MAX);
    for (const record of await store.readProjects(chunk))
      if (record !== undefined) records.set(record.key, record);
  }
  return records;
}

async function scanProjects(
  store: Store,
  run: PoolRun,
  projectsMax: number,
): Promise<readonly ProjectRecord[]> {
  const all: ProjectRecord[] = [];
  for (let after: string | undefined; all.length < projectsMax;) {
    const page = await store.listProjects(run.key, {
      limit: PROJECTS_PER_PAGE,
      ...(after === undefined ? {} : { after }),
    });
    all.push(...page);
    after = page.at(-1)?.key;
    if (page.length < PROJECTS_PER_PAGE) break;
  }
  return all;
}

/** The module to run: of a broken one what it was before; undefined: it never loaded. */
export function artifactOf(module: ModuleState): ModuleArtifact | undefined {
  return module.at === 'loaded' ? module.artifact : module.last;
}

export function templateOf(spec: AgentPoolSpec, module: ModuleArtifact): RuntimeTemplate {
  const revision = createHash('sha256')
    .update(revisionInput(spec, module.digest))
    .digest('hex')
    .slice(0, REVISION_CHARACTERS);
  return { revision, module, spec };
}
