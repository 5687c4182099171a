/** Which projects are HOT now, from the spec and from what the store tells. Pure. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import {
  type PoolRef,
  type ProjectKey,
  parseInstanceId,
  projectKeyOf,
} from '../../core/identifiers.ts';
import { chooseTier, type TierOverride } from '../../core/tier.ts';
import type { ResourceClass } from './driver.ts';
import type { HotProject } from './observed.ts';

/** A project of the store, as far as it matters here. */
export interface UsedProject {
  readonly key: ProjectKey;
  /** Wall-clock ms; 0: never. */
  readonly lastUsedMs: number;
}

export interface TierFacts {
  readonly pool: PoolRef;
  readonly spec: AgentPoolSpec;
  readonly overrides: readonly { readonly key: ProjectKey; readonly override: TierOverride }[];
  /** Those that are needed: all that `tiers.default` could make HOT, and those that could be idle. */
  readonly used: readonly UsedProject[];
  /** The driver limits a dedicated runtime to what the project may use: then it comes in classes. */
  readonly hasClasses: boolean;
  readonly wallMs: number;
}

export function hotProjects(facts: TierFacts): readonly HotProject[] {
  const { pool, spec, wallMs } = facts;
  const overrides = new Map(facts.overrides.map(({ key, override }) => [key, override]));
  const entries = new Map(
    spec.projects.map((entry) => [
      projectKeyOf({ namespace: pool.namespace, pool: pool.name, ...namesOf(entry) }),
      entry,
    ]),
  );
  const lastUsedMs = new Map(facts.used.map(({ key, lastUsedMs: ms }) => [key, ms]));
  const keys = new Set([...entries.keys(), ...overrides.keys(), ...lastUsedMs.keys()]);
  return [...keys].flatMap((key): HotProject[] => {
    const entry = entries.get(key);
    const { tier, source, sinceMs } = chooseTier(
      { defaultTier: spec.tiers.default, projectTier: entry?.tier },
      overrides.get(key),
      wallMs,
    );
    const usedMs = lastUsedMs.get(key);
    // A name in the manifest without a tier is a project only once it was used.
    if (tier !== 'HOT' || (source === 'Default' && usedMs === undefined)) return [];
    return [
      {
        project: key,
        source,
        resources: classOf({ ...spec.tiers.hot.quota, ...entry?.quota }, facts),
        ...timesOf(sinceMs, usedMs, wallMs),
      },
    ];
  });
}

function timesOf(
  sinceMs: number | undefined,
  usedMs = 0,
  wallMs: number,
): Pick<HotProject, 'sinceMs' | 'idleMs'> {
  const lastMs = Math.max(usedMs, sinceMs ?? 0);
  return { sinceMs: sinceMs ?? usedMs, idleMs: lastMs === 0 ? 0 : Math.max(0, wallMs - lastMs) };
}

export function standbyResources(spec: AgentPoolSpec, hasClasses: boolean): ResourceClass {
  return classOf(spec.tiers.hot.quota, { hasClasses });
}

/** Time until an override ends or a HOT project has been idle for too long; undefined: nothing is due. */
export function nextTierChangeInMs(
  facts: TierFacts,
  hot: readonly HotProject[],
): number | undefined {
  const idleLimitMs = facts.spec.tiers.hot.idleSeconds * 1_000;
  const dueMs = [
    ...facts.overrides.map(({ override }) => (override.expiresAtMs ?? Infinity) - facts.wallMs),
    ...hot
      .filter((one) => idleLimitMs > 0 && one.source !== 'Project')
      .map((one) => idleLimitMs - one.idleMs),
  ].filter((ms) => ms > 0);
  const next = Math.min(...dueMs);
  return Number.isFinite(next) ? next : undefined;
}

function classOf(
  { memoryMb, cpuPercent }: Required<ResourceClass>,
  { hasClasses }: Pick<TierFacts, 'hasClasses'>,
): ResourceClass {
  return hasClasses ? { memoryMb, cpuPercent } : {};
}

function namesOf({ tenant, project }: { readonly tenant: string; readonly project: string }) {
  return { tenant, project };
}

export function projectLabel(key: ProjectKey): string {
  const ref = parseInstanceId(key);
  return ref === undefined ? key : `${ref.tenant}/${ref.project}`;
}
