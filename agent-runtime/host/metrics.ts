/** What a runtime counts, by name; the only place of the host that knows metric names and labels. */
import { INSTANCE_STATES, type InstanceState } from '../../core/instance-state.ts';
import { poolRefOfKey, type PoolKey } from '../../core/identifiers.ts';
import { TIERS, type Tier } from '../../core/tier.ts';
import {
  DURATION_BUCKETS,
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
  const BASE = ['namespace', 'pool'] as const;
  const activation = metrics.histogram({
    name: 'agent_pool_activation_seconds',
    help: 'Time to activate an instance, by stage and by where its worker came from.',
    labels: [...BASE, 'stage', 'source', 'tier'],
    buckets: DURATION_BUCKETS,
  });
  const lookups = metrics.counter({
    name: 'agent_pool_instance_lookups_total',
    help: 'Tasks that found a live instance (hit) or had to wait for one (miss).',
    labels: [...BASE, 'tier', 'result'],
  });
  const evictions = metrics.histogram({
    name: 'agent_pool_eviction_age_seconds',
    help: 'Age of instances when they left this runtime, by reason.',
    labels: [...BASE, 'reason'],
    buckets: AGE_BUCKETS,
  });
  const rejections = metrics.counter({
    name: 'agent_pool_quota_rejections_total',
    help: 'Tasks that a quota of their project refused or delayed.',
    labels: [...BASE, 'quota'],
  });
  const commits = metrics.counter({
    name: 'agent_pool_commits_total',
    help: 'Commits by outcome.',
    labels: [...BASE, 'outcome'],
  });
  const committedTasks = metrics.counter({
    name: 'agent_pool_committed_changes_total',
    help: 'Tasks and other changes in commits that were applied.',
    labels: [...BASE],
  });
  const failures = metrics.counter({
    name: 'agent_pool_instance_failures_total',
    help: 'Instances that went to ERROR.',
    labels: [...BASE],
  });
  const refusals = metrics.counter({
    name: 'agent_pool_instance_moves_refused_total',
    help: 'Moves that the state machine of instances refused.',
    labels: [...BASE, 'from', 'to'],
  });
  createGauges(metrics, { of, runtime: runtime.incarnation }, figures);
  return {
    activation: (stage, source, tier, ms) => {
      activation.observe({ ...of, stage, source, tier }, ms / 1000);
    },
    looked: (tier, result) => {
      lookups.add({ ...of, tier, result });
    },
    evicted: (reason, ageMs) => {
      evictions.observe({ ...of, reason }, ageMs / 1000);
    },
    quotaRejected: (quota) => {
      rejections.add({ ...of, quota });
    },
    committed: (outcome, tasks) => {
      commits.add({ ...of, outcome });
      if (outcome === 'committed') committedTasks.add(of, tasks);
    },
    instanceFailed: () => {
      failures.add(of);
    },
    moveRefused: (from, to) => {
      refusals.add({ ...of, from, to });
    },
    snapshot: () => metrics.snapshot(),
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
