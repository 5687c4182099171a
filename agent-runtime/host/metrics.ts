/** What a runtime counts, by name; the only place of the host that knows metric names and labels. */
import { INSTANCE_STATES, type InstanceState } from '../../core/instance-state.ts';
import { poolRefOfKey, type PoolKey } from '../../core/identifiers.ts';
import { TIERS, type Tier } from '../../core/tier.ts';
import {
  DURATION_BUCKETS,
  type CounterMetric,
  type Metrics,
  type MetricSnapshot,
} from '../../platform/metrics/registry.ts';

export type ActivationStage = 'claim' | 'worker' | 'initialize' | 'total';
/** Where the worker of an activation came from. */
export type WorkerSource = 'blank' | 'fresh' | 'shared' | 'bound';
export type EvictionReason = 'idle' | 'count' | 'memory' | 'tier' | 'drain' | 'yield' | 'removed';
export type QuotaKind = 'rate' | 'concurrency' | 'memory' | 'instances';

/** What gauges show, read when somebody asks for the metrics. */
export interface RuntimeFigures {
  readonly instances: readonly { readonly tier: Tier; readonly state: InstanceState }[];
  readonly memoryBytes: number;
  readonly cpuPercent: number;
  readonly queued: number;
}

export interface HostMetrics {
  activation(stage: ActivationStage, source: WorkerSource, tier: Tier, ms: number): void;
  looked(tier: Tier, found: 'hit' | 'miss'): void;
  evicted(reason: EvictionReason, ageMs: number): void;
  quotaRejected(quota: QuotaKind): void;
  committed(outcome: 'committed' | 'refused' | 'unknown', tasks: number): void;
  instanceFailed(): void;
  moveRefused(from: InstanceState, to: InstanceState): void;
  snapshot(): Promise<MetricSnapshot>;
}

/** Ages in seconds: from thrashing to a day. */
const AGE_BUCKETS = [1, 5, 30, 60, 300, 900, 3600, 14_400, 86_400];

/** @param figures asked before each scrape. */
export function createHostMetrics(
  metrics: Metrics,
  runtime: { readonly pool: PoolKey; readonly incarnation: string },
  figures: () => RuntimeFigures,
): HostMetrics {
  const { namespace, name } = poolRefOfKey(runtime.pool);
  const of = { namespace, pool: name };
  createGauges(metrics, { of, runtime: runtime.incarnation }, figures);
  return {
    ...createDistributions(metrics, of),
    ...createCounters(metrics, of),
    snapshot: () => metrics.snapshot(),
  };
}

type Of = Readonly<Record<'namespace' | 'pool', string>>;
const BASE = ['namespace', 'pool'] as const;

function createDistributions(
  metrics: Metrics,
  of: Of,
): Pick<HostMetrics, 'activation' | 'evicted'> {
  const activation = metrics.histogram({
    name: 'agent_pool_activation_seconds',
    help: 'Time to activate an instance, by stage and by where its worker came from.',
    labels: [...BASE, 'stage', 'source', 'tier'],
    buckets: DURATION_BUCKETS,
  });
  const evictions = metrics.histogram({
    name: 'agent_pool_eviction_age_seconds',
    help: 'Age of instances when they left this runtime, by reason.',
    labels: [...BASE, 'reason'],
    buckets: AGE_BUCKETS,
  });
  return {
    activation: (stage, source, tier, ms) => {
      activation.observe({ ...of, stage, source, tier }, ms / 1000);
    },
    evicted: (reason, ageMs) => {
      evictions.observe({ ...of, reason }, ageMs / 1000);
    },
  };
}

function createCounters(
  metrics: Metrics,
  of: Of,
): Omit<HostMetrics, 'activation' | 'evicted' | 'snapshot'> {
  const counter = (name: string, help: string, ...labels: readonly string[]): CounterMetric =>
    metrics.counter({ name: `agent_pool_${name}`, help, labels: [...BASE, ...labels] });
  const lookups = counter(
    'instance_lookups_total',
    'Tasks that found a live instance (hit) or had to wait for one (miss).',
    'tier',
    'result',
  );
  const rejections = counter(
    'quota_rejections_total',
    'Tasks that a quota of their project refused or delayed.',
    'quota',
  );
  const commits = counter('commits_total', 'Commits by outcome.', 'outcome');
  const changes = counter(
    'committed_changes_total',
    'Tasks and other changes in commits that were applied.',
  );
  const failures = counter('instance_failures_total', 'Instances that went to ERROR.');
  const refusals = counter(
    'instance_moves_refused_total',
    'Moves that the state machine of instances refused.',
    'from',
    'to',
  );
  return {
    looked: (tier, result) => {
      lookups.add({ ...of, tier, result });
    },
    quotaRejected: (quota) => {
      rejections.add({ ...of, quota });
    },
    committed: (outcome, tasks) => {
      commits.add({ ...of, outcome });
      if (outcome === 'committed') changes.add(of, tasks);
    },
    instanceFailed: () => {
      failures.add(of);
    },
    moveRefused: (from, to) => {
      refusals.add({ ...of, from, to });
    },
  };
}

function createGauges(
  metrics: Metrics,
  labels: {
    readonly of: { readonly namespace: string; readonly pool: string };
    readonly runtime: string;
  },
  figures: () => RuntimeFigures,
): void {
  const { of, runtime } = labels;
  metrics.gauge({
    name: 'agent_pool_instances_total',
    help: 'Live instances by tier and state.',
    labels: ['namespace', 'pool', 'tier', 'state'],
    collect: (gauge) => {
      gauge.reset();
      const { instances } = figures();
      for (const tier of TIERS) {
        for (const state of INSTANCE_STATES) {
          const count = instances.filter((one) => one.tier === tier && one.state === state).length;
          gauge.set({ ...of, tier, state }, count);
        }
      }
    },
  });
  const perRuntime = (name: string, help: string, value: (now: RuntimeFigures) => number): void => {
    metrics.gauge({
      name,
      help,
      labels: ['namespace', 'pool', 'runtime'],
      collect: (gauge) => {
        gauge.set({ ...of, runtime }, value(figures()));
      },
    });
  };
  perRuntime('agent_pool_memory_bytes', 'Memory of the runtime process.', (now) => now.memoryBytes);
  perRuntime(
    'agent_pool_cpu_percent',
    'CPU of all workers of the runtime, in per cent of one core.',
    (now) => now.cpuPercent,
  );
  perRuntime(
    'agent_pool_runtime_queued_tasks',
    'Tasks that wait in the runtime.',
    (now) => now.queued,
  );
}
