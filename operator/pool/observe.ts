/** Reads the driver and the store into plain data: the only part of a pass that asks for anything. Decides nothing. */
import { createHash } from 'node:crypto';
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import { revisionInput } from '../../api/names.ts';
import type { Store } from '../../platform/store/store.ts';
import type { Driver, RuntimeTemplate } from './driver.ts';
import { hearStore, stillTrue } from './hear-store.ts';
import { NOTHING_TOLD } from './told.ts';
import {
  hotProjects,
  nextTierChangeInMs,
  standbyResources,
  type TierFacts,
} from './hot-projects.ts';
import type { Hindrance } from './hindrance.ts';
import type { Observed, SeenRuntime } from './observed.ts';
import type { PoolLimits } from './pool-limits.ts';
import type { PoolRun } from './pool-run.ts';
import { seeRuntimes, unknownBindings } from './see-runtimes.ts';
import type { ModuleArtifact, ModuleState } from './wanted-pool.ts';

export interface Eyes {
  readonly driver: Driver;
  readonly store: Store;
  readonly limits: PoolLimits;
}

export interface Sight {
  /** The store does not answer: what only it knows is as it was told last. */
  readonly isBlind: boolean;
  readonly runtimes: readonly SeenRuntime[];
  readonly hot: Observed['hot'];
  readonly standbyResources: Observed['standbyResources'];
  readonly nextTierChangeInMs: number | undefined;
  /** Of the driver, about what does not keep the pool from serving. */
  readonly complaint?: Hindrance;
}

const REVISION_CHARACTERS = 10;

export async function look(
  run: PoolRun,
  spec: AgentPoolSpec,
  { driver, store, limits }: Eyes,
  time: { readonly nowMs: number; readonly wallMs: number },
): Promise<Sight> {
  const driven = await driver.list(run.key);
  run.orders.observe(driven, time.nowMs);
  const heard = await hearStore(store, { run, spec, driven, wallMs: time.wallMs }, limits);
  const isBlind = heard === undefined;
  const told = heard ?? stillTrue(run.told ?? NOTHING_TOLD, driven);
  run.told = told;
  run.isBlind = isBlind;
  if (isBlind) run.blindUntilMs = time.nowMs;
  const { members, overrides, records, used, atWallMs } = told;
  const unknown = unknownBindings({ driven, members, orders: run.orders, nowMs: time.nowMs });
  for (const [name, binding] of unknown) run.orders.bind(name, binding);
  const facts: TierFacts = {
    pool: run.ref,
    spec,
    overrides,
    used,
    hasClasses: driver.enforces.hotLimits,
    // Nobody is idle, and no override ends, for a time in which nothing was heard.
    wallMs: atWallMs,
  };
  const hot = hotProjects(facts);
  const complaint = driver.complaintOf?.(run.key);
  return {
    isBlind,
    runtimes: seeRuntimes({
      driven,
      members,
      projects: records,
      orders: run.orders,
      readySinceMs: run.memory.readySinceMs,
      unheardSinceMs: run.memory.unheardSinceMs,
      blindUntilMs: run.blindUntilMs,
      nowMs: time.nowMs,
    }),
    hot,
    standbyResources: standbyResources(spec, facts.hasClasses),
    nextTierChangeInMs: isBlind ? undefined : nextTierChangeInMs(facts, hot),
    ...(complaint === undefined ? {} : { complaint }),
  };
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
