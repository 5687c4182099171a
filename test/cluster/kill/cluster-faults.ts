/** The faults of a kill run in a cluster, from a seed: what happens to which pods and ways between them, and for how long. Each ends by itself. */
import type { Cluster } from '../cluster.ts';
import { signalContainer } from '../faults/containers.ts';
import { cutBothWays, cutOneWay } from '../faults/cut.ts';
import type { SeededRandom } from '../../simulation/seeded-random.ts';
import { addressOf, isReady } from '../test-pods.ts';
import type { KubeObject } from '../control/kubectl.ts';

const RELEASE = 'agentpool';
const POOLS = 'default';
const FROZEN_MS_MIN = 3_000;
const FROZEN_MS_MAX = 15_000;

/** It has begun. */
interface Fault {
  readonly name: string;
  readonly over: Promise<void>;
}

export class ClusterFaults {
  readonly #cluster: Cluster;
  readonly #random: SeededRandom;

  constructor(cluster: Cluster, random: SeededRandom) {
    this.#cluster = cluster;
    this.#random = random;
  }

  /** The next one; undefined where its pods are away just now. */
  async strikeNext(): Promise<Fault> {
    const forMs = this.#random.between(FROZEN_MS_MIN, FROZEN_MS_MAX);
    const kind = this.#random.between(0, 100);
    const runtime = await this.#pod(POOLS, 'agentpool.dev/role');
    if (kind < 25) return this.#signal('runtime killed', runtime, 'SIGKILL');
    if (kind < 45) return this.#freeze('runtime frozen', runtime, forMs);
    if (kind < 57) return this.#delete('runtime deleted', runtime);
    if (kind < 65)
      return this.#signal('gateway killed', await this.#component('gateway'), 'SIGKILL');
    if (kind < 70)
      return this.#signal('operator killed', await this.#component('operator'), 'SIGKILL');
    if (kind < 75) return this.#signal('Redis killed', await this.#component('redis'), 'SIGKILL');
    if (kind < 80) return this.#freeze('Redis frozen', await this.#component('redis'), forMs);
    const [name, other] =
      kind < 90
        ? (['runtime and Redis', await this.#component('redis')] as const)
        : (['runtime and gateway', await this.#component('gateway')] as const);
    return this.#cut(name, [runtime, other], forMs);
  }

  #component(name: string): Promise<KubeObject | undefined> {
    return this.#pod(RELEASE, `app.kubernetes.io/component=${name}`);
  }

  /** One of those that are ready. */
  async #pod(namespace: string, selector: string): Promise<KubeObject | undefined> {
    const pods = (await this.#cluster.kubectl.list('pods', namespace, selector)).filter(isReady);
    return pods[Math.floor(this.#random.float() * pods.length)];
  }

  async #signal(name: string, pod: KubeObject | undefined, signal: NodeJS.Signals) {
    if (pod !== undefined) await this.#send(pod, signal);
    return { name, over: Promise.resolve() };
  }

  async #freeze(name: string, pod: KubeObject | undefined, forMs: number) {
    if (pod === undefined) return { name, over: Promise.resolve() };
    await this.#send(pod, 'SIGSTOP');
    return { name, over: after(forMs, () => this.#send(pod, 'SIGCONT')) };
  }

  async #delete(name: string, pod: KubeObject | undefined) {
    if (pod !== undefined)
      await this.#cluster.kubectl.attempt([
        'delete',
        'pod',
        pod.metadata.name,
        '-n',
        POOLS,
        '--wait=false',
      ]);
    return { name, over: Promise.resolve() };
  }

  async #cut(
    name: string,
    [one, other]: readonly [KubeObject | undefined, KubeObject | undefined],
    forMs: number,
  ) {
    if (one === undefined || other === undefined) return { name, over: Promise.resolve() };
    const [a, b] = [addressOf(one), addressOf(other)];
    const way = this.#random.between(0, 3);
    const cluster = this.#cluster;
    const cut = await (way === 0
      ? cutBothWays(cluster, a, b)
      : way === 1
        ? cutOneWay(cluster, a, b)
        : cutOneWay(cluster, b, a));
    const ways = ['both ways', 'from the runtime', 'to the runtime'][way] ?? '';
    return { name: `${name} cut ${ways}`, over: after(forMs, () => cut.heal()) };
  }

  /** A container that has ended meanwhile is no fault of the run. */
  async #send({ metadata }: KubeObject, signal: NodeJS.Signals): Promise<void> {
    const target = [metadata.namespace ?? '', metadata.name] as const;
    await signalContainer(this.#cluster.kubectl, target, signal).catch(() => undefined);
  }
}

async function after(forMs: number, end: () => Promise<void>): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, forMs));
  await end();
}
