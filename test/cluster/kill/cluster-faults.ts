/**
 * The faults of a kill run in a cluster: cards of a deck that a seed shuffles, so that each kind is struck before any comes again. A card waits for
 * its target, and ends by itself.
 */
import { until } from '../../e2e/until.ts';
import type { SeededRandom } from '../../simulation/seeded-random.ts';
import type { Cluster } from '../cluster.ts';
import type { KubeObject } from '../control/kubectl.ts';
import { signalContainer } from '../faults/containers.ts';
import { cutBothWays, cutOneWay } from '../faults/cut.ts';
import { type Installation, OTHER_NODE, RELEASE } from '../product/installation.ts';
import { addressOf, isReady } from '../test-pods.ts';

const POOLS = 'default';
const TARGET_WITHIN_MS = 120_000;
const LASTS_MS_MIN = 3_000;
const LASTS_MS_MAX = 15_000;

type Pick = () => Promise<KubeObject>;
type Ways = 'both ways' | 'there' | 'back';

/** It has begun. In an object, as a promise of a promise is the latter. */
interface Begun {
  readonly over: Promise<void>;
}

export interface Fault extends Begun {
  readonly name: string;
}

const OVER: Begun = { over: Promise.resolve() };

export class ClusterFaults {
  readonly #cluster: Cluster;
  readonly #installation: Installation;
  readonly #random: SeededRandom;
  readonly #deck: Readonly<Record<string, () => Promise<Begun>>>;
  #dealt: string[] = [];
  #going: Promise<void>[] = [];

  constructor(cluster: Cluster, installation: Installation, random: SeededRandom) {
    this.#cluster = cluster;
    this.#installation = installation;
    this.#random = random;
    const runtime = this.#oneOf(POOLS, 'agentpool.dev/role=shared');
    const hot = this.#oneOf(POOLS, 'agentpool.dev/project');
    const standby = this.#oneOf(POOLS, 'agentpool.dev/role=dedicated,!agentpool.dev/project');
    const component = (name: string): Pick =>
      this.#oneOf(RELEASE, `app.kubernetes.io/component=${name}`);
    const [redis, gateway] = [component('redis'), component('gateway')];
    this.#deck = {
      'runtime killed': () => this.#kill(runtime),
      'runtime frozen': () => this.#freeze(runtime),
      'runtime deleted': () => this.#delete(runtime),
      'HOT runtime killed': () => this.#kill(hot),
      'HOT runtime frozen': () => this.#freeze(hot),
      'standby killed': () => this.#kill(standby),
      'gateway killed': () => this.#kill(gateway),
      'gateway frozen': () => this.#freeze(gateway),
      'leading operator killed': () => this.#kill(() => this.#leader()),
      'Redis killed': () => this.#kill(redis),
      'Redis frozen': () => this.#freeze(redis),
      'runtime and Redis cut': () => this.#cut([runtime, redis], 'both ways'),
      'runtime to Redis cut': () => this.#cut([runtime, redis], 'there'),
      'Redis to runtime cut': () => this.#cut([runtime, redis], 'back'),
      'gateway and runtime cut': () => this.#cut([gateway, runtime], 'both ways'),
      'gateway to runtime cut': () => this.#cut([gateway, runtime], 'there'),
      'runtime to gateway cut': () => this.#cut([gateway, runtime], 'back'),
      'node lost': () => this.#loseNode(),
    };
  }

  get kinds(): readonly string[] {
    return Object.keys(this.#deck);
  }

  async strikeNext(): Promise<Fault> {
    if (this.#dealt.length === 0) this.#dealt = this.#shuffled(this.kinds);
    const name = this.#dealt.pop()!;
    const { over } = await this.#deck[name]!();
    this.#going.push(over);
    return { name, over };
  }

  /** Fisher and Yates. */
  #shuffled(cards: readonly string[]): string[] {
    const left = [...cards];
    return cards.map(() => left.splice(this.#random.between(0, left.length), 1)[0]!);
  }

  /** One of those that are ready. */
  #oneOf(namespace: string, selector: string): Pick {
    return async () => {
      const pods = await this.#cluster.kubectl.list('pods', namespace, selector);
      return this.#random.pick(pods.filter(isReady));
    };
  }

  async #leader(): Promise<KubeObject> {
    return this.#cluster.kubectl.get('pod', await this.#installation.leader(), RELEASE);
  }

  async #kill(pick: Pick): Promise<Begun> {
    await this.#struck(pick, (pod) => this.#send(pod, 'SIGKILL'));
    return OVER;
  }

  async #freeze(pick: Pick): Promise<Begun> {
    const pod = await this.#struck(pick, (one) => this.#send(one, 'SIGSTOP'));
    // It may have been ended meanwhile.
    return { over: this.#later(() => this.#send(pod, 'SIGCONT').catch(() => undefined)) };
  }

  async #delete(pick: Pick): Promise<Begun> {
    await this.#struck(pick, async ({ metadata: { name } }) => {
      await this.#cluster.kubectl.run(['delete', 'pod', name, '-n', POOLS, '--wait=false']);
    });
    return OVER;
  }

  async #cut([one, other]: readonly [Pick, Pick], ways: Ways): Promise<Begun> {
    const [a, b] = await until(
      'two ends of a way',
      async () => [addressOf(await one()), addressOf(await other())] as const,
      TARGET_WITHIN_MS,
    );
    const cut = await this.#cutWay(a, b, ways);
    return { over: this.#later(() => cut.heal()) };
  }

  #cutWay(a: string, b: string, ways: Ways): ReturnType<typeof cutOneWay> {
    if (ways === 'both ways') return cutBothWays(this.#cluster, a, b);
    return ways === 'there' ? cutOneWay(this.#cluster, a, b) : cutOneWay(this.#cluster, b, a);
  }

  /** Alone: its network's rules are gone with it. Until it counts as lost, then it is back. */
  async #loseNode(): Promise<Begun> {
    await Promise.all(this.#going.splice(0));
    const node = this.#cluster.node(OTHER_NODE);
    await node.crash();
    try {
      await this.#cluster.untilNode(OTHER_NODE, 'Unknown');
    } finally {
      await node.bootAgain();
    }
    await this.#cluster.untilNode(OTHER_NODE, 'True');
    return OVER;
  }

  /** Whoever was picked may end before it is struck: then another one is. */
  #struck(pick: Pick, strike: (pod: KubeObject) => Promise<void>): Promise<KubeObject> {
    return until(
      'somebody to strike',
      async () => {
        const pod = await pick();
        await strike(pod);
        return pod;
      },
      TARGET_WITHIN_MS,
    );
  }

  async #send({ metadata }: KubeObject, signal: NodeJS.Signals): Promise<void> {
    const target = [metadata.namespace ?? '', metadata.name] as const;
    await signalContainer(this.#cluster.kubectl, target, signal);
  }

  async #later(end: () => Promise<void>): Promise<void> {
    const afterMs = this.#random.between(LASTS_MS_MIN, LASTS_MS_MAX);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await end();
  }
}
