/** The fixture of the driver's conformance suite for pods of a cluster in memory. */
import { AppError } from '../../core/errors.ts';
import type { KubernetesDriver } from '../../operator/drivers/kubernetes/kubernetes-driver.ts';
import type { Driver } from '../../operator/pool/driver.ts';
import { PODS, type Pod } from '../../platform/kube/resources.ts';
import type { DriverFixture } from '../conformance/driver.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import type { PodFate } from './cluster/fake-kubelet.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeCluster } from './fake-cluster.ts';
import { createPool, operatorSide } from './kubernetes-world.ts';

const POOLS = ['default~assistants', 'default~other'];
const LAST_WORDS = JSON.stringify({
  reason: 'AgentModuleInvalid',
  message: 'agents.ts:3:1: no agent',
});
/** Longer than a node needs to start a pod, or to end one that is in a hurry. */
const START_MS = 1_300;
const SEEN_MS = 10;
const LOST_MS = 5_000;

function fateOf(pod: Pod): PodFate {
  switch (pod.metadata?.labels?.['agentpool.dev/revision']) {
    case 'rev-invalid':
      return { type: 'ends', exitCode: 3, message: LAST_WORDS };
    case 'rev-crashes':
      return { type: 'ends', exitCode: 1, message: '' };
    default:
      return { type: 'ready' };
  }
}

export async function kubernetesFixture(): Promise<DriverFixture> {
  const clock = new FakeClock();
  const cluster = new FakeCluster({ clock });
  cluster.kubelet.fateOf = fateOf;
  for (const pool of POOLS) await createPool(cluster, pool, { runtime: { image: 'agents:1' } });
  const kube = cluster.connect('agentpool-operator');
  const random = new SeededRandom(1);
  const bound = new Map<string, string>();
  const onBind = (_pool: string, address: string, project: string): void => {
    const before = bound.get(address) ?? project;
    bound.set(address, before);
    if (before !== project)
      throw new AppError('INTERNAL', 'taken', { metadata: { project: before } });
  };
  const side = operatorSide({ reads: kube, writes: kube, clock, random, onBind });
  await clock.advance(SEEN_MS);
  await side.synced;
  const podOf = async (name: string): Promise<Pod> =>
    cluster.admin.get(PODS, { namespace: 'default', name });
  let lost: string | undefined;
  return {
    driver: settling(side.driver, clock),
    moduleOf: (behaviour) => behaviour,
    kill: async (name) => {
      cluster.kubelet.end(await podOf(name), 137);
      await clock.advance(SEEN_MS);
    },
    freeze: async (name) => {
      lost = (await podOf(name)).spec?.nodeName;
      cluster.kubelet.loseNode(lost ?? '');
      await clock.advance(SEEN_MS);
    },
    frozenAs: 'unseen',
    listening: () => clock.advance(START_MS),
    isAlive: (name) => cluster.server.store.list(PODS).some((pod) => pod.metadata.name === name),
    async until(holds) {
      const untilMs = clock.nowMs() + 30_000;
      for (let ms = 0; clock.nowMs() < untilMs; ms += SEEN_MS) {
        if (await holds()) return;
        // The node comes back: only then does what was deleted end.
        if (ms === LOST_MS && lost !== undefined) cluster.kubelet.findNode(lost);
        await clock.advance(SEEN_MS);
      }
      throw new Error('it did not come about');
    },
    async close() {
      const stopped = side.stop();
      await clock.advance(1_000);
      await stopped;
    },
  };
}

/** Lets the cluster act on an order before the test looks: a cache lags, which is no part of what is tested here. */
function settling(driver: KubernetesDriver, clock: FakeClock): Driver {
  const then = async (order: Promise<void>, ms: number): Promise<void> => {
    await order;
    await clock.advance(ms);
  };
  return {
    kind: driver.kind,
    enforces: driver.enforces,
    create: (request, signal) => then(driver.create(request, signal), START_MS),
    bind: (runtime, project, signal) => then(driver.bind(runtime, project, signal), SEEN_MS),
    mark: (runtime, project, signal) => then(driver.mark(runtime, project, signal), SEEN_MS),
    drain: (runtime, withinMs) => then(driver.drain(runtime, withinMs), SEEN_MS),
    remove: (runtime) => then(driver.remove(runtime), START_MS),
    keepTemplate: (pool, template, signal) =>
      then(driver.keepTemplate(pool, template, signal), SEEN_MS),
    keptTemplate: (pool, revision, spec, signal) =>
      driver.keptTemplate(pool, revision, spec, signal),
    list: (pool) => driver.list(pool),
    listPools: () => driver.listPools(),
    watch: (onChange) => driver.watch(onChange),
  };
}
