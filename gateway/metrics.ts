/** What the gateway counts, by the names that dashboards rely on, and the totals that its statistics tell. */
import { ERROR_TABLE, type AppError } from '../core/errors.ts';
import type { PoolKey } from '../core/identifiers.ts';
import type { Tier } from '../core/tier.ts';
import {
  DURATION_BUCKETS,
  type GaugeMetric,
  type Labels,
  type Metrics,
} from '../platform/metrics/registry.ts';
import type { PoolView } from './pool-view.ts';

export type RequestStatus = 'success' | 'error' | 'rejected' | 'cancelled';

/** Since this gateway started. */
export interface PoolTotals {
  succeeded: number;
  /** Of the tasks that were taken on: rejected and cancelled ones are not among them. */
  failed: number;
  /** Of the succeeded tasks, those that found a live instance. */
  hits: number;
}

export interface GatewayGauges {
  /** Waiting tasks per pool. */
  readonly queueDepths: () => readonly { readonly pool: PoolView; readonly depth: number }[];
  /** State of every link. */
  readonly links: () => readonly { readonly pool: PoolView; readonly state: string }[];
  readonly quarantined: () => readonly { readonly pool: PoolView; readonly projects: number }[];
  /** The worst circuit of each pool's projects. */
  readonly breakers: () => readonly { readonly pool: PoolView; readonly state: BreakerState }[];
}

export type BreakerState = 'closed' | 'open' | 'half-open';

const BREAKER_NUMBERS: Readonly<Record<BreakerState, number>> = {
  closed: 0,
  open: 1,
  'half-open': 2,
};

const POOL = ['namespace', 'pool'];
const NO_POOL: Labels = { namespace: '', pool: '' };
const QUANTILES = [0.5, 0.95, 0.99];

/** Errors that say that the task was not taken on at all; `error` are those of tasks that were. */
const REJECTIONS = new Set<string>([
  'PAUSED',
  'REQUEST_ID_REUSED',
  'LEASE_UNKNOWN',
  'CIRCUIT_OPEN',
  'SUSPENDED',
  'DRAINING',
  'RATE_LIMITED',
  'QUEUE_FULL',
  'QUEUE_TIMEOUT',
]);
const REJECTING_CODES = new Set<string>([
  'INVALID_ARGUMENT',
  'UNAUTHENTICATED',
  'PERMISSION_DENIED',
  'NOT_FOUND',
]);

export class GatewayMetrics {
  readonly #requests;
  readonly #latency;
  readonly #duration;
  readonly #wait;
  readonly #retries;
  readonly #totals = new Map<PoolKey, PoolTotals>();
  readonly #labels = new WeakMap<PoolView, Labels>();

  constructor(metrics: Metrics) {
    this.#requests = metrics.counter({
      name: 'agent_pool_requests_total',
      help: 'Tasks by how they ended.',
      labels: [...POOL, 'status'],
    });
    this.#latency = metrics.summary({
      name: 'agent_pool_request_latency_seconds',
      help: 'Time from a task to its end, as its caller sees it.',
      labels: POOL,
      quantiles: QUANTILES,
    });
    this.#duration = metrics.histogram({
      name: 'agent_pool_request_duration_seconds',
      help: 'Time from a task to its end, by tier and how it ended.',
      labels: [...POOL, 'tier', 'status'],
      buckets: DURATION_BUCKETS,
    });
    this.#wait = metrics.histogram({
      name: 'agent_pool_queue_wait_seconds',
      help: 'Time that tasks waited in this gateway.',
      labels: POOL,
      buckets: DURATION_BUCKETS,
    });
    this.#retries = metrics.counter({
      name: 'agent_pool_retries_total',
      help: 'Tasks that were sent again because their runtime was lost.',
      labels: POOL,
    });
  }

  /** Read at each scrape. */
  observe(metrics: Metrics, gauges: GatewayGauges): void {
    metrics.gauge({
      name: 'agent_pool_queue_depth',
      help: 'Tasks that wait in this gateway.',
      labels: POOL,
      collect: (gauge) =>
        this.#collect(
          gauge,
          gauges.queueDepths().map(({ pool, depth }) => ({ pool, value: depth })),
        ),
    });
    metrics.gauge({
      name: 'agent_pool_quarantined_projects',
      help: 'Projects that are suspected of ending their runtimes.',
      labels: POOL,
      collect: (gauge) =>
        this.#collect(
          gauge,
          gauges.quarantined().map(({ pool, projects }) => ({ pool, value: projects })),
        ),
    });
    metrics.gauge({
      name: 'agent_pool_circuit_breaker_state',
      help: 'Quarantine of projects that end their runtimes: 0 closed, 1 open for a project, 2 half-open for one.',
      labels: POOL,
      collect: (gauge) =>
        this.#collect(
          gauge,
          gauges.breakers().map(({ pool, state }) => ({ pool, value: BREAKER_NUMBERS[state] })),
        ),
    });
    metrics.gauge({
      name: 'agent_pool_links',
      help: 'Links of this gateway to runtimes, by state.',
      labels: [...POOL, 'state'],
      collect: (gauge) => this.#collectLinks(gauge, gauges),
    });
  }

  waited(pool: PoolView, queuedMs: number): void {
    this.#wait.observe(this.#labelsOf(pool), queuedMs / 1000);
  }

  retried(pool: PoolView): void {
    this.#retries.add(this.#labelsOf(pool));
  }

  /** A task has ended; `pool` is missing where none was found. */
  ended(
    pool: PoolView | undefined,
    end: {
      readonly status: RequestStatus;
      readonly tier: Tier;
      readonly durationMs: number;
      readonly hit?: boolean;
    },
  ): void {
    const labels = pool === undefined ? NO_POOL : this.#labelsOf(pool);
    const { status, tier, durationMs } = end;
    this.#requests.add({ ...labels, status });
    if (pool === undefined) return;
    this.#latency.observe(labels, durationMs / 1000);
    this.#duration.observe({ ...labels, tier, status }, durationMs / 1000);
    this.#count(pool.key, end);
  }

  totals(pool: PoolKey): PoolTotals {
    let totals = this.#totals.get(pool);
    if (totals === undefined) {
      totals = { succeeded: 0, failed: 0, hits: 0 };
      this.#totals.set(pool, totals);
    }
    return totals;
  }

  /** Pools that are gone take their totals along. */
  keepOnly(pools: readonly PoolView[]): void {
    const keys = new Set(pools.map(({ key }) => key));
    for (const key of this.#totals.keys()) if (!keys.has(key)) this.#totals.delete(key);
  }

  #count(
    pool: PoolKey,
    { status, hit }: { readonly status: RequestStatus; readonly hit?: boolean },
  ): void {
    const totals = this.totals(pool);
    if (status === 'success') totals.succeeded += 1;
    else if (status === 'error') totals.failed += 1;
    if (hit === true) totals.hits += 1;
  }

  #labelsOf(pool: PoolView): Labels {
    let labels = this.#labels.get(pool);
    if (labels === undefined) {
      labels = { namespace: pool.ref.namespace, pool: pool.ref.name };
      this.#labels.set(pool, labels);
    }
    return labels;
  }

  #collect(
    gauge: GaugeMetric,
    values: readonly { readonly pool: PoolView; readonly value: number }[],
  ): void {
    gauge.reset();
    for (const { pool, value } of values) gauge.set(this.#labelsOf(pool), value);
  }

  #collectLinks(gauge: GaugeMetric, gauges: GatewayGauges): void {
    gauge.reset();
    const counts = new Map<string, { labels: Labels; count: number }>();
    for (const { pool, state } of gauges.links()) {
      const labels = { ...this.#labelsOf(pool), state };
      const key = `${pool.key}~${state}`;
      counts.set(key, { labels, count: (counts.get(key)?.count ?? 0) + 1 });
    }
    for (const { labels, count } of counts.values()) gauge.set(labels, count);
  }
}

export function statusOfError(error: AppError): RequestStatus {
  if (error.reason === 'CANCELLED') return 'cancelled';
  return REJECTIONS.has(error.reason) || REJECTING_CODES.has(ERROR_TABLE[error.reason].code)
    ? 'rejected'
    : 'error';
}
