/** What a process counts of its talk with the API server. */
import { DURATION_BUCKETS, type Metrics } from '../metrics/registry.ts';

export class KubeMetrics {
  readonly #requests;
  readonly #lists;
  readonly #objects;
  readonly #failures;
  readonly #leading;

  constructor(metrics: Metrics) {
    this.#requests = metrics.histogram({
      name: 'agent_pool_kube_request_seconds',
      help: 'Time of a request to the API server, by verb, kind and outcome; watches not included.',
      labels: ['verb', 'kind', 'outcome'],
      buckets: DURATION_BUCKETS,
    });
    this.#lists = metrics.counter({
      name: 'agent_pool_kube_lists_total',
      help: 'Lists of all objects of a kind: at the start, and when a watch could not go on where it broke.',
      labels: ['kind'],
    });
    this.#objects = metrics.gauge({
      name: 'agent_pool_kube_cached_objects',
      help: 'Objects of a kind that are held in memory.',
      labels: ['kind'],
    });
    this.#failures = metrics.counter({
      name: 'agent_pool_kube_watch_failures_total',
      help: 'Lists and watches that ended with an error, by its reason.',
      labels: ['kind', 'reason'],
    });
    this.#leading = metrics.gauge({
      name: 'agent_pool_leader',
      help: '1 while this process holds the Lease, else 0.',
      labels: [],
    });
  }

  requested(verb: string, kind: string, outcome: string, durationMs: number): void {
    this.#requests.observe({ verb, kind, outcome }, durationMs / 1_000);
  }

  listed(kind: string): void {
    this.#lists.add({ kind });
  }

  changed(kind: string, objects: number): void {
    this.#objects.set({ kind }, objects);
  }

  watchFailed(kind: string, reason: string): void {
    this.#failures.add({ kind, reason });
  }

  leads(isLeader: boolean): void {
    this.#leading.set({}, isLeader ? 1 : 0);
  }
}
