/** One pool as the gateway asks for it: quotas, tiers and limits by name, found without a search. Made anew when the record changes. */
import type {
  AgentPoolSpec,
  AgentPoolStatus,
  ProjectEntry,
  TenantEntry,
  TenantLimits,
} from '../api/agent-pool.ts';
import type { PoolReport } from '../api/pool-report.ts';
import { poolRefOfKey, type PoolKey, type PoolRef } from '../core/identifiers.ts';
import { chooseTier, type Tier, type TierChoice, type TierOverride } from '../core/tier.ts';
import type { PoolRecord } from '../platform/store/store.ts';

export class PoolView {
  readonly key: PoolKey;
  readonly ref: PoolRef;
  readonly generation: number;
  readonly revision: string;
  readonly spec: AgentPoolSpec;
  readonly status: AgentPoolStatus;
  /** What the operator tells beside the status; it names projects of all tenants. */
  readonly report: PoolReport | undefined;
  readonly #projects: ReadonlyMap<string, ProjectEntry>;
  readonly #tenants: ReadonlyMap<string, TenantEntry>;

  constructor(record: PoolRecord) {
    this.key = record.key;
    this.ref = poolRefOfKey(record.key);
    this.generation = record.generation;
    this.revision = record.revision;
    // The operator validated both before it published them; the store keeps them as they are.
    this.spec = record.spec as AgentPoolSpec;
    this.status = record.status as AgentPoolStatus;
    this.report = record.report as PoolReport | undefined;
    this.#projects = new Map(
      this.spec.projects.map((entry) => [`${entry.tenant}~${entry.project}`, entry]),
    );
    this.#tenants = new Map(this.spec.tenants.map((entry) => [entry.name, entry]));
  }

  get isSuspended(): boolean {
    return this.spec.operatingMode === 'Suspended';
  }

  /** The entry of `spec.projects`, if it has one. */
  projectEntry(tenant: string, project: string): ProjectEntry | undefined {
    return this.#projects.size === 0 ? undefined : this.#projects.get(`${tenant}~${project}`);
  }

  tenantEntry(tenant: string): TenantEntry | undefined {
    return this.#tenants.get(tenant);
  }

  tierOf(
    tenant: string,
    project: string,
    override: TierOverride | undefined,
    wallMs: number,
  ): TierChoice {
    const projectTier = this.projectEntry(tenant, project)?.tier;
    return chooseTier({ defaultTier: this.spec.tiers.default, projectTier }, override, wallMs);
  }

  /** Tasks of the project that may run at once. */
  concurrencyOf(tenant: string, project: string, tier: Tier): number {
    const { hot, warm, cold } = this.spec.tiers;
    const { quota } = tier === 'HOT' ? hot : tier === 'WARM' ? warm : cold;
    return (
      this.projectEntry(tenant, project)?.quota?.maxConcurrentRequests ??
      quota.maxConcurrentRequests
    );
  }

  tenantLimits(tenant: string): TenantLimits {
    const own = this.#tenants.size === 0 ? undefined : this.#tenants.get(tenant)?.limits;
    return own === undefined ? this.spec.tenantLimits : { ...this.spec.tenantLimits, ...own };
  }
}
