/** Pools that name no image run that of the installation: with a broken one after an upgrade, good pods are made again of the one they had. */
import { expect, it } from '@jest/globals';
import { agentPoolSpecSchema } from '../../../api/agent-pool.ts';
import { refOf } from '../../../platform/kube/kube.ts';
import { AGENT_POOLS, CONFIG_MAPS, type Pod, PODS } from '../../../platform/kube/resources.ts';
import { MemoryStore } from '../../../platform/store/memory-store.ts';
import { NO_FAULTS } from '../../../test/fakes/cluster/kube-faults.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { poolObject } from '../../../test/fakes/kubernetes-world.ts';
import { OperatorProcess } from '../../../test/fakes/operator-process.ts';
import { PodRuntimes } from '../../../test/fakes/pod-runtimes.ts';
import { SeededRandom } from '../../../test/simulation/seeded-random.ts';
import { POOL_LIMITS } from '../../pool/pool-limits.ts';

const imageOf = ({ spec }: Pod): string => spec?.containers[0]?.image ?? '';

it('a good pod that ends is made again of the image that it had', async () => {
  const clock = new FakeClock();
  const cluster = new FakeCluster({ clock });
  const store = new MemoryStore(clock);
  cluster.kubelet.fateOf = (pod) => ({
    type: imageOf(pod) === 'agents:good' ? 'ready' : 'image-missing',
  });
  const runtimes = new PodRuntimes({
    ...{ cluster, store, clock },
    fateOf: () => 'Serves',
    isHot: () => false,
  });
  const operatorWith = (defaultImage: string): OperatorProcess => {
    const dice = new SeededRandom(1);
    const world = { cluster, dice, store, clock, limits: POOL_LIMITS, runtimes, defaultImage };
    return new OperatorProcess({ ...world, faults: NO_FAULTS }, defaultImage);
  };
  const pass = async (ms: number): Promise<void> => {
    await clock.advance(0);
    await clock.advance(ms);
  };
  const pods = (): readonly Pod[] => cluster.server.store.list(PODS);
  const good = (): readonly Pod[] => pods().filter((pod) => imageOf(pod) === 'agents:good');

  const metadata = { namespace: 'default', name: 'agents' };
  await cluster.admin.create(CONFIG_MAPS, { metadata, data: { 'agents.ts': 'export default []' } });
  const spec = agentPoolSpecSchema.parse({
    replicas: 2,
    updateStrategy: { progressDeadlineSeconds: 60 },
    runtime: { moduleFrom: { configMapRef: { name: 'agents', key: 'agents.ts' } } },
  });
  await cluster.admin.create(AGENT_POOLS, poolObject('default~pool', spec));
  const before = operatorWith('agents:good');
  await pass(60_000);
  expect(pods().map(imageOf)).toEqual(['agents:good', 'agents:good']);

  before.crash();
  operatorWith('agents:bad');
  await pass(300_000);
  expect(good()).toHaveLength(2);
  for (const pod of good()) await cluster.admin.delete(PODS, refOf(pod));
  await pass(300_000);
  expect(good()).toHaveLength(2);
});
