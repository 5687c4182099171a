/** Runtimes inside the pods of a cluster in memory: each registers in the store while its pod runs, drains when told, and goes with it. */
import { LABELS } from '../../api/names.ts';
import {
  bindingOfPod,
  poolOfPod,
  resourcesOfPod,
  roleOfPod,
} from '../../operator/drivers/kubernetes/own-pod.ts';
import type { Clock } from '../../platform/clock.ts';
import { type Pod, PODS } from '../../platform/kube/resources.ts';
import type { Store } from '../../platform/store/store.ts';
import { spec } from '../builders/pool-builders.ts';
import type { FakeCluster } from './fake-cluster.ts';
import { FakeRuntime, type Fate } from './fake-runtime.ts';

export interface PodRuntimesOptions {
  readonly cluster: FakeCluster;
  readonly store: Store;
  readonly clock: Clock;
  readonly fateOf: (pod: Pod) => Fate;
  readonly isHot: (project: string) => boolean;
}

const TIMES = { startMs: 200, initializeMs: 200, drainMs: 300 };

export class PodRuntimes {
  readonly #options: PodRuntimesOptions;
  /** By the uid of the pod. */
  readonly #runtimes = new Map<string, FakeRuntime>();

  constructor(options: PodRuntimesOptions) {
    this.#options = options;
    options.cluster.server.store.onChange(({ kind, before, after }) => {
      if (kind !== '/pods') return;
      if (after === undefined) this.#gone(before?.metadata.uid ?? '');
      else this.#changed(after.metadata.uid, after);
    });
  }

  /** What the operator asks of the runtime at an address. */
  bind(address: string, project: string): void {
    const pod = this.#options.cluster.server.store
      .list(PODS)
      .find((one) => `${(one as Pod).status?.podIP}:50051` === address);
    const runtime = this.#runtimes.get(pod?.metadata.uid ?? '');
    if (runtime === undefined) throw new Error(`nobody listens on ${address}`);
    runtime.bind(project);
  }

  /** The store does not hear of it any more, and it does not know. */
  cutOff(pod: Pod): void {
    this.#runtimes.get(pod.metadata?.uid ?? '')?.cutOff();
  }

  mend(pod: Pod): void {
    this.#runtimes.get(pod.metadata?.uid ?? '')?.mend();
  }

  #changed(uid: string, pod: Pod): void {
    const { phase } = pod.status ?? {};
    const known = this.#runtimes.get(uid);
    if (phase === 'Failed' || phase === 'Succeeded') {
      this.#gone(uid);
      return;
    }
    if (known === undefined && phase === 'Running' && bindingOfPod(pod) === undefined)
      this.#start(uid, pod);
    if (pod.metadata?.deletionTimestamp !== undefined)
      known?.drain((pod.metadata.deletionGracePeriodSeconds ?? 0) * 1_000);
  }

  #start(uid: string, pod: Pod): void {
    const { clock, store, isHot, fateOf } = this.#options;
    const pool = poolOfPod(pod);
    const { name = '', labels = {} } = pod.metadata ?? {};
    if (pool === undefined) return;
    const template = {
      revision: labels[LABELS.revision] ?? '',
      module: { digest: '', path: '' },
      spec: spec(),
    };
    const request = { name, pool, role: roleOfPod(pod), resources: resourcesOfPod(pod), template };
    const runtime = new FakeRuntime({
      request,
      incarnation: `${name}.${uid}`,
      fate: fateOf(pod),
      times: TIMES,
      clock,
      store,
      isHot,
      onChange: () => undefined,
    });
    this.#runtimes.set(uid, runtime);
  }

  #gone(uid: string): void {
    this.#runtimes.get(uid)?.exit('Crashed', 'its pod is gone');
    this.#runtimes.delete(uid);
  }
}
