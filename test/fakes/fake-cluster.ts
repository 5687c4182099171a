/**
 * A Kubernetes cluster in memory that can lie: API server, garbage collector, scheduler and kubelets on one clock and one seed.
 * Each client has its own connection with its own faults; tests change the cluster itself through `admin`, which never lies.
 */
import type { Clock } from '../../platform/clock.ts';
import {
  AGENT_POOLS,
  CONFIG_MAPS,
  EVENTS,
  LEASES,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  SECRETS,
} from '../../platform/kube/resources.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { FakeApiServer } from './cluster/api-server.ts';
import { FakeKube } from './cluster/fake-kube.ts';
import { FakeKubelet } from './cluster/fake-kubelet.ts';
import { FakeGarbageCollector } from './cluster/garbage-collector.ts';
import type { KubeFaults } from './cluster/kube-faults.ts';

export interface FakeClusterOptions {
  readonly clock: Clock;
  readonly seed?: number;
  /** Default: two. */
  readonly nodeNames?: readonly string[];
}

const COLLECTED = [
  AGENT_POOLS,
  PODS,
  SECRETS,
  CONFIG_MAPS,
  POD_DISRUPTION_BUDGETS,
  NETWORK_POLICIES,
  LEASES,
  EVENTS,
];

export class FakeCluster {
  readonly server: FakeApiServer;
  readonly kubelet: FakeKubelet;
  readonly garbage: FakeGarbageCollector;
  /** The test's own client: no faults. */
  readonly admin: FakeKube;
  readonly #clock: Clock;
  readonly #random: SeededRandom;

  constructor({ clock, seed = 1, nodeNames = ['node-1', 'node-2'] }: FakeClusterOptions) {
    this.#clock = clock;
    this.#random = new SeededRandom(seed);
    this.server = new FakeApiServer({ clock, random: this.#random });
    this.kubelet = new FakeKubelet(this.server, clock, nodeNames);
    this.garbage = new FakeGarbageCollector(this.server, clock, COLLECTED);
    this.admin = this.connect('kubectl');
  }

  connect(fieldManager: string, faults?: Partial<KubeFaults>): FakeKube {
    const kube = new FakeKube({
      server: this.server,
      clock: this.#clock,
      random: this.#random,
      fieldManager,
    });
    kube.faults = { ...kube.faults, ...faults };
    return kube;
  }

  /** Every watch that goes on from before now gets Expired, as after a compaction of etcd. */
  compact(): void {
    this.server.store.compact();
  }
}
