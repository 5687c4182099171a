/** Names of pods that are not the pool's own are left to those who have them: the pool takes others. */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { LABELS } from '../../../api/names.ts';
import { AGENT_POOLS, type Pod, PODS } from '../../../platform/kube/resources.ts';
import { MemoryStore } from '../../../platform/store/memory-store.ts';
import { silentLog } from '../../../platform/log.ts';
import { agentPoolSpecSchema } from '../../../api/agent-pool.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { operatorSide, poolObject } from '../../../test/fakes/kubernetes-world.ts';
import { SeededRandom } from '../../../test/simulation/seeded-random.ts';
import { type Operator, startOperator } from '../../main.ts';
import { ownerReference } from './pod-of.ts';
import { ordinalNames } from './runtime-names.ts';

const POOL = 'default~pool';
const random = new SeededRandom(1);
let clock: FakeClock;
let cluster: FakeCluster;
let operator: Operator | undefined;

beforeEach(async () => {
  clock = new FakeClock();
  cluster = new FakeCluster({ clock });
  const spec = agentPoolSpecSchema.parse({ replicas: 1, runtime: { image: 'agents:1' } });
  await cluster.admin.create(AGENT_POOLS, poolObject(POOL, spec));
});
afterEach(async () => {
  const stopped = operator?.stop();
  await clock.advance(1_000);
  await stopped;
});

async function start(): Promise<void> {
  const kube = cluster.connect('agentpool-operator');
  const side = operatorSide({ reads: kube, writes: kube, clock, random });
  await clock.advance(10);
  await side.synced;
  operator = await startOperator({
    ...{ store: new MemoryStore(clock), clock, random, log: silentLog, nameRuntime: ordinalNames },
    ...{ driver: side.driver, source: side.source },
  });
  await clock.advance(3_000);
}
const names = (): readonly string[] =>
  cluster.server.store.list(PODS).map(({ metadata }) => metadata.name);

it.each([
  ['an orphan', []],
  [
    'one that an earlier pool of this name has left',
    [ownerReference({ namespace: 'default', name: 'pool', uid: 'earlier' })],
  ],
])('%s has its name, and the pool takes another one', async (_who, ownerReferences) => {
  await start();
  const [name = ''] = names();
  await operator?.stop();
  const found = await cluster.admin.get(PODS, { namespace: 'default', name });
  await cluster.admin.delete(PODS, { namespace: 'default', name }, { gracePeriodSeconds: 0 });
  const labels = { ...found.metadata.labels, [LABELS.pool]: 'pool' };
  const finalizers = ['test/kept'];
  const left: Pod = {
    metadata: { namespace: 'default', name, labels, ownerReferences, finalizers },
    ...(found.spec === undefined ? {} : { spec: found.spec }),
  };
  await cluster.admin.create(PODS, left);
  await start();
  // What has no owner any more the cluster takes away meanwhile.
  expect(names().filter((one) => one !== name)).toEqual([name.replace(/-0$/, '-1')]);
});
