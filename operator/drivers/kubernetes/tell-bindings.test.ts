/** A bound pod that nobody owns may come from a backup, and not know its project: it is told before it is the pool's own. */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { AGENT_POOLS, PODS } from '../../../platform/kube/resources.ts';
import { spec } from '../../../test/builders/pool-builders.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import {
  createPool,
  type OperatorSide,
  operatorSide,
} from '../../../test/fakes/kubernetes-world.ts';
import { SeededRandom } from '../../../test/simulation/seeded-random.ts';

const POOL = 'default~main';
const PROJECT = `${POOL}~acme~website`;
const POD = { namespace: 'default', name: 'main-done-0' };
const UP_MS = 1_300;
const signal = new AbortController().signal;
let clock: FakeClock;
let cluster: FakeCluster;
let side: OperatorSide;
let told: string[];
let isDeaf: boolean;

beforeEach(async () => {
  clock = new FakeClock();
  cluster = new FakeCluster({ clock });
  [told, isDeaf] = [[], false];
  await createPool(cluster, POOL, { runtime: { image: 'agents:1' } });
  const kube = cluster.connect('agentpool-operator');
  side = operatorSide({
    ...{ reads: kube, writes: kube, clock, random: new SeededRandom(1) },
    onBind: (_pool, _address, project) => {
      if (isDeaf) throw new Error('nobody listens');
      told.push(project);
    },
  });
  await clock.advance(10);
  await side.synced;
  const module = { digest: 'one', path: 'agents.ts' };
  const template = { revision: 'one', module, spec: spec({ runtime: { image: 'agents:1' } }) };
  const { name } = POD;
  await side.driver.create(
    { name, pool: POOL, role: 'dedicated', template, resources: {} },
    signal,
  );
  await clock.advance(UP_MS);
  await side.driver.bind({ pool: POOL, name }, PROJECT, signal);
  await side.driver.mark({ pool: POOL, name }, PROJECT, signal);
  await restore();
});
afterEach(async () => {
  const stopped = side.stop();
  await clock.advance(1_000);
  await stopped;
});

/** The same pod as another one, without an owner; nobody has told it anything. */
async function restore(): Promise<void> {
  const { spec: podSpec, metadata } = await cluster.admin.get(PODS, POD);
  const { labels = {}, annotations = {} } = metadata;
  await cluster.admin.delete(PODS, POD, { gracePeriodSeconds: 0 });
  await cluster.admin.create(PODS, {
    metadata: { ...POD, labels, annotations },
    ...(podSpec === undefined ? {} : { spec: { ...podSpec, nodeName: '' } }),
  });
  told = [];
  await clock.advance(10);
}

async function prepare(): Promise<void> {
  const done = side.driver.prepare(POOL, { shared: 0, dedicated: 1, spec: spec() }, signal);
  await clock.advance(10);
  await done;
}

async function isOwn(): Promise<boolean> {
  const pool = await cluster.admin.get(AGENT_POOLS, { namespace: 'default', name: 'main' });
  const { ownerReferences = [] } = (await cluster.admin.get(PODS, POD)).metadata;
  return ownerReferences.some(({ uid }) => uid === pool.metadata.uid);
}

it('waits until it runs, is told, and is the pool’s own then', async () => {
  await prepare();
  expect([told, await isOwn()]).toEqual([[], false]);
  await clock.advance(UP_MS);
  await prepare();
  expect([told, await isOwn()]).toEqual([[PROJECT], true]);
  await prepare();
  expect(told).toEqual([PROJECT]);
});

it('is told another time where it did not listen', async () => {
  await clock.advance(UP_MS);
  isDeaf = true;
  await prepare();
  expect([told, await isOwn()]).toEqual([[], false]);
  isDeaf = false;
  await prepare();
  expect([told, await isOwn()]).toEqual([[PROJECT], true]);
});
