/** What the operator counts: how long its passes take, and which projects it moves into and out of runtimes of their own. */
import type { EventReason } from '../api/reasons.ts';
import type { PoolRef } from '../core/identifiers.ts';
import { DURATION_BUCKETS, type Metrics } from '../platform/metrics/registry.ts';

const POOL = ['namespace', 'pool'];

export class OperatorMetrics {
  readonly #reconciled;
  readonly #promotions;
  readonly #demotions;

  constructor(metrics: Metrics) {
    this.#reconciled = metrics.histogram({
      name: 'agent_pool_reconcile_seconds',
      help: 'Time of a pass over a pool, by outcome.',
      labels: ['outcome'],
      buckets: DURATION_BUCKETS,
    });
    this.#promotions = metrics.counter({
      name: 'agent_pool_promotions_total',
      help: 'Projects that were given a runtime of their own.',
      labels: POOL,
    });
    this.#demotions = metrics.counter({
      name: 'agent_pool_demotions_total',
      help: 'Projects that left the runtime of their own.',
      labels: POOL,
    });
  }

  reconciled(durationMs: number, succeeded: boolean): void {
    const outcome = succeeded ? 'success' : 'error';
    this.#reconciled.observe({ outcome }, durationMs / 1_000);
  }

  told({ namespace, name }: PoolRef, reason: EventReason): void {
    if (reason === 'Promoted') this.#promotions.add({ namespace, pool: name });
    if (reason === 'Demoted') this.#demotions.add({ namespace, pool: name });
  }
}
