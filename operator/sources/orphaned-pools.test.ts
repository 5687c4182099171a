/** A pool that is deleted with `--cascade=orphan` keeps its pods and its projects, whatever deletionPolicy says. */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { agentPoolSpecSchema } from '../../api/agent-pool.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { AGENT_POOLS, PODS } from '../../platform/kube/resources.ts';
import { silentLog } from '../../platform/log.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { claimed, join } from '../../test/conformance/store-builders.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../test/fakes/fake-cluster.ts';
import { type OperatorSide, operatorSide, poolObject } from '../../test/fakes/kubernetes-world.ts';
import { SeededRandom } from '../../test/simulation/seeded-random.ts';
import { ordinalNames } from '../drivers/kubernetes/runtime-names.ts';
import { type Operator, startOperator } from '../main.ts';
import { ERASE_FINALISER } from './pool-writer.ts';

const POOL = 'default~main';
const REF = { namespace: 'default', name: 'main' };
const PROJECT = `${POOL}~acme~website`;
const random = new SeededRandom(1);
let clock: FakeClock;
let cluster: FakeCluster;
let store: MemoryStore;
let side: OperatorSide;
let operator: Operator;

beforeEach(async () => {
  clock = new FakeClock();
  cluster = new FakeCluster({ clock });
  store = new MemoryStore(clock);
  const runtime = await join(store, { pool: POOL });
  await claimed(store, PROJECT, runtime.incarnation);
  await store.deregister(runtime.incarnation);
  const spec = { replicas: 2, deletionPolicy: 'Delete', runtime: { image: 'agents:1' } };
  await cluster.admin.create(AGENT_POOLS, poolObject(POOL, agentPoolSpecSchema.parse(spec)));
  const kube = cluster.connect('agentpool-operator');
  side = operatorSide({ reads: kube, writes: kube, clock, random });
  await clock.advance(10);
  await side.synced;
  operator = await startOperator({
    ...{ store, clock, random, log: silentLog, nameRuntime: ordinalNames },
    ...{ driver: side.driver, source: side.source },
  });
  await clock.advance(3_000);
  expect(await finalisers()).toEqual([ERASE_FINALISER]);
});
afterEach(async () => {
  const stopped = operator.stop();
  await clock.advance(1_000);
  await stopped;
});

/** Undefined: it is gone. */
async function finalisers(): Promise<readonly string[] | undefined> {
  try {
    return (await cluster.admin.get(AGENT_POOLS, REF)).metadata.finalizers ?? [];
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return undefined;
    throw error;
  }
}

const setFinalisers = (finalizers: readonly string[]): Promise<unknown> =>
  cluster.admin.patch(AGENT_POOLS, REF, { metadata: { finalizers } }, {});
const podNames = (): readonly string[] =>
  cluster.server.store.list(PODS).map(({ metadata }) => metadata.name);

/** As the API server does. */
async function deleteAsOrphaning(): Promise<void> {
  await setFinalisers([ERASE_FINALISER, 'orphan']);
  await cluster.admin.delete(AGENT_POOLS, REF);
}

/** As the garbage collector does. */
async function takeOwnersAway(): Promise<void> {
  for (const name of podNames())
    await cluster.admin.patch(PODS, { ...REF, name }, { metadata: { ownerReferences: [] } }, {});
  const left = (await finalisers()) ?? [];
  await setFinalisers(left.filter((one) => one !== 'orphan'));
}

async function expectAllLeft(names: readonly string[]): Promise<void> {
  expect(await finalisers()).toBeUndefined();
  expect(await store.listPools()).toEqual([]);
  expect(podNames()).toEqual(names);
  expect(await store.readProject(PROJECT)).toBeDefined();
}

it('leaves its pods and its projects, and is not held by what would erase them', async () => {
  const names = podNames();
  await deleteAsOrphaning();
  await clock.advance(1_000);
  expect(await finalisers()).toEqual(['orphan']);
  await takeOwnersAway();
  await clock.advance(120_000);
  expect(names).toHaveLength(2);
  await expectAllLeft(names);
});

it('leaves them where the garbage collector is the faster one, too', async () => {
  const names = podNames();
  await deleteAsOrphaning();
  await takeOwnersAway();
  await clock.advance(120_000);
  await expectAllLeft(names);
});

it('is left alone meanwhile: nothing is made for it, and nothing is said to be wrong', async () => {
  const before = (await cluster.admin.get(AGENT_POOLS, REF)).status;
  await deleteAsOrphaning();
  const [name = ''] = podNames();
  await cluster.admin.delete(PODS, { ...REF, name }, { gracePeriodSeconds: 0 });
  await clock.advance(60_000);
  expect(podNames()).toHaveLength(1);
  expect((await cluster.admin.get(AGENT_POOLS, REF)).status).toEqual(before);
});

it('loses both where it is deleted in the usual way', async () => {
  await cluster.admin.delete(AGENT_POOLS, REF);
  await clock.advance(120_000);
  expect(await finalisers()).toBeUndefined();
  expect(podNames()).toEqual([]);
  expect(await store.readProject(PROJECT)).toBeUndefined();
});
