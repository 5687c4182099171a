/** Names of pods that are not the pool's own are left to those who have them: the pool takes others. */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { LABELS, MANAGED_BY } from '../../../api/names.ts';
import { AGENT_POOLS, type ObjectMeta, type Pod, PODS } from '../../../platform/kube/resources.ts';
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
type KubeOwner = NonNullable<ObjectMeta['ownerReferences']>[number];

/** The pod that the pool would make, but as somebody else has left it there. */
async function leavePod(
  ownerReferences: readonly KubeOwner[],
  labels: Readonly<Record<string, string>>,
): Promise<string> {
  await start();
  const [name = ''] = names();
  await operator?.stop();
  const found = await cluster.admin.get(PODS, { namespace: 'default', name });
  await cluster.admin.delete(PODS, { namespace: 'default', name }, { gracePeriodSeconds: 0 });
  const left: Pod = {
    metadata: {
      ...{ namespace: 'default', name, ownerReferences, finalizers: ['test/kept'] },
      labels: { ...found.metadata.labels, [LABELS.pool]: 'pool', ...labels },
    },
    ...(found.spec === undefined ? {} : { spec: found.spec }),
  };
  await cluster.admin.create(PODS, left);
  return name;
}

const names = (): readonly string[] =>
  cluster.server.store.list(PODS).map(({ metadata }) => metadata.name);

it.each<[string, readonly KubeOwner[], Readonly<Record<string, string>>]>([
  ['an orphan without our marks', [], { [MANAGED_BY]: 'somebody' }],
  [
    'one that an earlier pool of this name has left',
    [ownerReference({ namespace: 'default', name: 'pool', uid: 'earlier' })],
    {},
  ],
])('%s has its name, and the pool takes another one', async (_who, ownerReferences, labels) => {
  const name = await leavePod(ownerReferences, labels);
  await start();
  // What has no owner any more the cluster takes away meanwhile.
  expect(names().filter((one) => one !== name)).toEqual([name.replace(/-0$/, '-1')]);
});

it('a stranger with all our labels, and no name of a runtime, is left alone', async () => {
  await start();
  const [name = ''] = names();
  const { metadata, spec: podSpec } = await cluster.admin.get(PODS, { namespace: 'default', name });
  const stranger = { namespace: 'default', name: 'stranger' };
  await cluster.admin.create(PODS, {
    metadata: {
      ...stranger,
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
    },
    ...(podSpec === undefined ? {} : { spec: podSpec }),
  });
  await clock.advance(60_000);
  expect([...names()].sort()).toEqual([name, 'stranger']);
  const { metadata: after } = await cluster.admin.get(PODS, stranger);
  expect(after.ownerReferences ?? []).toEqual([]);
});

it('an orphan with our marks is the pool’s own again: it is not made a second time, and keeps running', async () => {
  const name = await leavePod([], {});
  const left = await cluster.admin.get(PODS, { namespace: 'default', name });
  await start();
  expect(names()).toEqual([name]);
  const { metadata } = await cluster.admin.get(PODS, { namespace: 'default', name });
  expect(metadata.uid).toBe(left.metadata.uid);
  expect(metadata.ownerReferences).toMatchObject([{ kind: 'AgentPool', controller: true }]);
});
