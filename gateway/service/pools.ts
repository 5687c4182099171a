/** Pools, their agents, their statistics, and whether this gateway can serve them. */
import type { AgentPoolSpec, AgentPoolStatus } from '../../api/agent-pool.ts';
import type { PoolReport } from '../../api/pool-report.ts';
import type { LinkState } from '../../platform/link/task-link.ts';
import type { MetricSnapshot, Metrics } from '../../platform/metrics/registry.ts';
import type { AgentInfo } from '../../platform/store/store.ts';
import { hasProject, hasTenant, type Principal, seesAll } from '../access/principal.ts';
import { authorize } from '../access/roles.ts';
import type { PoolView } from '../pool-view.ts';
import type { StageContext } from '../stages/stage-context.ts';
import type { Instances } from './instances.ts';
import { CALL_MS_MAX } from './owner-calls.ts';
import type { ProjectTargets } from './project-target.ts';
import { type QuarantinedProject, quarantinedProjects } from '../stages/quarantined-projects.ts';

export interface Pool {
  readonly name: string;
  readonly namespace: string;
  readonly spec: AgentPoolSpec;
  readonly status: AgentPoolStatus;
  /** What happened lately, and what the driver does not enforce: for those who see all tenants. */
  readonly report?: PoolReport;
  /** By this gateway. */
  readonly quarantined: readonly QuarantinedProject[];
}

export interface PoolStats {
  readonly instances: number;
  readonly byTier: Readonly<Record<string, number>>;
  readonly byState: Readonly<Record<string, number>>;
  /** Tasks that wait in this gateway. */
  readonly queueDepth: number;
  /** Through this gateway, since it started. */
  readonly succeeded: number;
  readonly failed: number;
  /** Share of the succeeded tasks that found a live instance; 0 before the first. */
  readonly hitRate: number;
  readonly connections: readonly Connection[];
}

export interface Connection {
  readonly runtime: string;
  readonly state: LinkState;
  readonly requests: number;
  readonly sinceMs: number;
}

export interface PoolHealth {
  readonly name: string;
  readonly isSuspended: boolean;
  /** Runtimes that could take a task now. */
  readonly readyRuntimes: number;
}

/** When a gateway counts as ready; in any case it must have read the store. */
export type Readiness =
  /** A runtime of some pool can be used, if any pool runs: alone on its machine, it can serve. */
  | 'served'
  /** The same, and there is a pool: it shares its process with the operator, which has yet to write them. */
  | 'stocked'
  /** It reaches what the others reach: one of many is no worse than they are while no runtime is ready anywhere. */
  | 'reachable';

/** Whose figures a scrape of a gateway has. */
export type Scraped =
  /** Also those of the runtimes that answer: nobody else shows them. */
  | 'all'
  /** Its own: runtimes are scraped themselves, and what is counted twice is no sum. */
  | 'own';

export interface PoolsParts {
  readonly context: StageContext;
  readonly metrics: Metrics;
  readonly targets: ProjectTargets;
  readonly instances: Instances;
  readonly readiness: Readiness;
  readonly scraped: Scraped;
}

export class Pools {
  readonly #parts: PoolsParts;
  #isLeaving = false;

  constructor(parts: PoolsParts) {
    this.#parts = parts;
  }

  /** From now on it is not ready: nobody is to be sent here any more. */
  leave(): void {
    this.#isLeaving = true;
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** A principal of some tenants is not shown the others that a spec names. */
  list(principal: Principal): Pool[] {
    authorize(principal, 'ListPools');
    const { context } = this.#parts;
    return context.membership.pools.map((pool) => ({
      ...pool.ref,
      spec: visibleSpec(principal, pool.spec),
      status: pool.status,
      ...(pool.report !== undefined && seesAll(principal) ? { report: pool.report } : {}),
      quarantined: quarantinedProjects(context, pool, principal),
    }));
  }

  /** Those of the revision that is served now come first; the first one is called where a task names none. */
  agents(principal: Principal, poolName: string): AgentInfo[] {
    const pool = this.#parts.targets.pool(principal, 'ListAgents', poolName);
    return [...this.#parts.context.runtimes.agentsOf(pool).values()];
  }

  async stats(principal: Principal, poolName: string): Promise<PoolStats> {
    const { context, instances, targets } = this.#parts;
    const pool = targets.pool(principal, 'GetStats', poolName);
    const live = await instances.ofPool(principal, pool);
    const { succeeded, failed, hits } = context.metrics.totals(pool.key);
    return {
      instances: live.length,
      byTier: countBy(live.map(({ tier }) => tier)),
      byState: countBy(live.map(({ state }) => state)),
      queueDepth: context.admission.waiting(pool.key),
      succeeded,
      failed,
      hitRate: succeeded === 0 ? 0 : hits / succeeded,
      connections: this.#connections(pool),
    };
  }

  health(): readonly PoolHealth[] {
    const { membership, runtimes } = this.#parts.context;
    return membership.pools.map((pool) => ({
      name: membership.nameOf(pool),
      isSuspended: pool.isSuspended,
      readyRuntimes: runtimes.of(pool.key).filter((runtime) => runtime.isOpen).length,
    }));
  }

  get isReady(): boolean {
    const { context, readiness } = this.#parts;
    if (this.#isLeaving || !context.membership.isKnown) return false;
    const running = context.membership.pools.filter(({ isSuspended }) => !isSuspended);
    const runtimes = running.flatMap(({ key }) => context.runtimes.of(key));
    if (runtimes.some(({ isOpen }) => isOpen)) return true;
    if (readiness === 'stocked' && context.membership.pools.length === 0) return false;
    if (readiness !== 'reachable') return running.length === 0;
    return runtimes.every(({ record }) => !record.ready);
  }

  /** Prometheus text for a scraper. */
  async scrapedText(): Promise<string> {
    const { metrics, scraped } = this.#parts;
    return scraped === 'own' ? metrics.text([]) : this.metricsText();
  }

  /** Prometheus text of this gateway and of the runtimes that answer, added up. */
  async metricsText(): Promise<string> {
    const { context, metrics } = this.#parts;
    const reachable = context.membership.pools
      .flatMap((pool) => context.runtimes.of(pool.key))
      .filter((runtime) => runtime.isReachable);
    const snapshots = await Promise.allSettled(
      reachable.map(({ link }) => link.call({ method: 'metrics' }, CALL_MS_MAX)),
    );
    return metrics.text(
      snapshots.flatMap((snapshot) =>
        snapshot.status === 'fulfilled' ? [snapshot.value as MetricSnapshot] : [],
      ),
    );
  }

  #connections({ key }: PoolView): Connection[] {
    return this.#parts.context.runtimes.of(key).map(({ incarnation, link }) => ({
      runtime: incarnation,
      state: link.state,
      requests: link.requests,
      sinceMs: link.sinceMs,
    }));
  }
}

function visibleSpec(principal: Principal, spec: AgentPoolSpec): AgentPoolSpec {
  if (seesAll(principal)) return spec;
  return {
    ...spec,
    tenants: spec.tenants.filter(({ name }) => hasTenant(principal, name)),
    projects: spec.projects.filter(({ tenant, project }) => hasProject(principal, tenant, project)),
  };
}

function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}
