/** P9, making: the operator asked for many runtimes at once, beside the controller of Kubernetes that makes as many equal pods. */
import { startOperator } from '../cluster/cluster-process.ts';
import { ClusterOperators } from '../../test/controller/operator-world.ts';
import { AGENT_POOLS, PODS, type Resource } from '../../platform/kube/resources.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { adminKube, templateOf, timePods } from '../cluster/kube-clients.ts';
import { median, percentile } from '../measure/figures.ts';
import { quiet } from '../measure/quiet.ts';
import { atMost, type BenchProgram } from '../program.ts';

const REPLICA_SETS: Resource<object> = {
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  scope: 'Namespaced',
};
/** Flags of the controller manager: as it is by default (its own rate limit is all that is seen: once is enough), and not held back by itself. */
const MANAGERS = [
  { manager: 'ReplicaSet controller', flags: [], roundsMax: 1 },
  {
    manager: 'ReplicaSet controller, kube-api-qps 500',
    flags: ['--kube-api-qps=500', '--kube-api-burst=500'],
    roundsMax: 3,
  },
] as const;

const pool = (name: string, replicas: number): object => ({
  apiVersion: 'agentpool.dev/v1alpha1',
  kind: 'AgentPool',
  metadata: { name, namespace: 'default' },
  spec: { replicas, runtime: { image: 'agents:1' } },
});

interface Made {
  readonly way: string;
  /** Of each pod, from the request for all of them. */
  readonly appearedMs: readonly number[];
}

export const operator: BenchProgram = {
  name: 'operator',
  id: 'P9',
  about:
    'one AgentPool with 300 shared runtimes wanted at once of the operator (as the image has it), until the last pod is made; beside a ReplicaSet of 300 equal pods on the same API server, no kubelet',
  async run(size) {
    const [count, most] = size === 'full' ? [300, Infinity] : [5, 1];
    const made: Made[] = [];
    for (const { manager, flags, roundsMax } of MANAGERS) {
      const rounds = Math.min(roundsMax, most);
      made.push(...(await onOneServer(manager, flags, { count, rounds })));
    }
    const ways = [...new Set(made.map(({ way }) => way))];
    const lastMs = (way: string): number =>
      median(made.flatMap((one) => (one.way === way ? (one.appearedMs.at(-1) ?? NaN) : [])));
    const [ours = '', byDefault = '', fast = ''] = ways.sort((a) => (a === 'operator' ? -1 : 0));
    return {
      manifests: [`${JSON.stringify(pool('bench', count), undefined, 2)}\n`],
      rows: ways.map((way) => rowOf(way, made)),
      goals: [
        atMost('last create beside the ReplicaSet’s', lastMs(ours) / lastMs(byDefault), 1, 'x'),
        atMost('… with kube-api-qps 500', lastMs(ours) / lastMs(fast), 1, 'x'),
      ],
      data: made,
    };
  },
};

function rowOf(way: string, made: readonly Made[]): Record<string, string> {
  const rounds = made.filter((one) => one.way === way).map((one) => one.appearedMs);
  const of = (share: number): string =>
    median(rounds.map((all) => percentile(all, share))).toFixed(0);
  return {
    way,
    'first ms': median(rounds.map(([first = NaN]) => first)).toFixed(0),
    'half ms': of(0.5),
    'last ms': of(1),
    rounds: String(rounds.length),
  };
}

async function onOneServer(
  manager: string,
  flags: readonly string[],
  { count, rounds }: { readonly count: number; readonly rounds: number },
): Promise<readonly Made[]> {
  const world = await ClusterOperators.start({ controllers: true, controllerFlags: flags });
  const ended: (() => Promise<void>)[] = [() => world.stop()];
  try {
    // As a pod has it, with a token: a client certificate is verified anew with each request, which its rival does not pay.
    const started = await startOperator(world);
    ended.unshift(() => started.stop());
    const kube = await adminKube(world.api.kubeconfig);
    const template = await makeOne(kube);
    const made: Made[] = [];
    const time = async (way: string, labels: string, act: () => Promise<unknown>) => {
      const appearedMs = await quiet.run(() => timePods(kube, labels, count, act));
      made.push({ way, appearedMs });
    };
    for (let round = 0; round < rounds; round += 1) {
      const name = `bench-${round}`;
      const both = [
        () =>
          time('operator', `agentpool.dev/pool=${name}`, () =>
            kube.create(AGENT_POOLS, pool(name, count)),
          ),
        () =>
          time(manager, `bench=${name}`, () =>
            kube.create(REPLICA_SETS, replicaSet(name, count, template)),
          ),
      ];
      for (const way of round % 2 === 0 ? both : both.toReversed()) await way();
    }
    return made;
  } finally {
    for (const end of ended) await end();
  }
}

/** The first pod of a first pool: what a ReplicaSet is to make, too. */
async function makeOne(kube: Kube): Promise<(labels: Record<string, string>) => object> {
  const labels = 'agentpool.dev/pool=first';
  await timePods(kube, labels, 1, () => kube.create(AGENT_POOLS, pool('first', 1)));
  const { items } = await kube.list(PODS, { namespace: 'default', labelSelector: labels });
  const [pod] = items;
  if (pod === undefined) throw new Error('the operator has made no pod');
  return (own) => templateOf(pod, own);
}

function replicaSet(
  name: string,
  replicas: number,
  template: (labels: Record<string, string>) => object,
): object {
  const labels = { bench: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template: template(labels) },
  };
}
