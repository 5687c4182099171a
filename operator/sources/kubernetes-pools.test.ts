/** What is remembered of pools that do not parse. */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { AgentPoolSpec, AgentPoolStatus } from '../../api/agent-pool.ts';
import { LABELS } from '../../api/names.ts';
import { type PoolKey, poolKeyOf } from '../../core/identifiers.ts';
import { AGENT_POOLS, CONFIG_MAPS } from '../../platform/kube/resources.ts';
import { spec } from '../../test/builders/pool-builders.ts';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../test/fakes/fake-cluster.ts';
import { createPool, type OperatorSide, operatorSide } from '../../test/fakes/kubernetes-world.ts';
import { SeededRandom } from '../../test/simulation/seeded-random.ts';
import { textDigest } from '../../platform/text-digest.ts';
import { digestsOnly } from './digests-only.ts';
import { ERASE_FINALISER } from './pool-writer.ts';

const POOL: PoolKey = 'default~main';
const REF = { namespace: 'default', name: 'main' };
const STATUS: AgentPoolStatus = {
  ...{ observedGeneration: 1, selector: '', currentRevision: '', updateRevision: '' },
  ...{ replicas: 0, readyReplicas: 0, desiredReplicas: 0, updatedReplicas: 0 },
  ...{ tiers: [], conditions: [] },
};
let cluster: FakeCluster;
let side: OperatorSide | undefined;

beforeEach(async () => {
  cluster = new FakeCluster({ clock: new FakeClock() });
  // A field of a later version: this operator cannot read the pool.
  await createPool(cluster, POOL, { deletionPolicy: 'Delete', later: true });
  const metadata = { finalizers: [ERASE_FINALISER] };
  await cluster.admin.patch(AGENT_POOLS, REF, { metadata }, {});
});
afterEach(() => side?.stop());

it.each<[string, AgentPoolSpec | undefined, readonly string[]]>([
  ['stays where it was served with Delete', spec({ deletionPolicy: 'Delete' }), [ERASE_FINALISER]],
  ['goes where it was served with Retain', spec({ deletionPolicy: 'Retain' }), []],
  ['stays where nobody knows', undefined, [ERASE_FINALISER]],
])(
  'after a restart the finaliser of a pool that does not parse %s',
  async (_which, last, wanted) => {
    const kube = cluster.connect('operator');
    const clock = new FakeClock();
    const lastSpecs = new Map(last === undefined ? [] : [[POOL, last]]);
    side = operatorSide({
      ...{ reads: kube, writes: kube, clock, lastSpecs },
      random: new SeededRandom(1),
    });
    await side.synced;
    expect(side.source.get(POOL)?.problems).toBeDefined();
    await side.source.report(POOL, STATUS, new AbortController().signal);
    const { metadata } = await cluster.admin.get(AGENT_POOLS, REF);
    expect(metadata.finalizers ?? []).toEqual(wanted);
  },
);

it('a pool that has labels which no pod may have, from before they were refused, goes on as it was and says which', async () => {
  const podTemplate = { metadata: { labels: { team: 'a b', 'app.kubernetes.io/name': 'x' } } };
  const before = spec({ replicas: 2, runtime: { image: 'agents:1' } });
  const ref = { namespace: 'default', name: 'earlier' };
  await cluster.admin.create(AGENT_POOLS, {
    metadata: ref,
    spec: { replicas: 5, runtime: { image: 'agents:1', podTemplate } },
  });
  const kube = cluster.connect('operator');
  side = operatorSide({
    ...{ reads: kube, writes: kube, clock: new FakeClock(), random: new SeededRandom(1) },
    lastSpecs: new Map([[poolKeyOf(ref), before]]),
  });
  await side.synced;
  const pool = side.source.get(poolKeyOf(ref));
  expect(pool?.spec).toEqual(before);
  expect(pool?.problems).toEqual([
    expect.stringContaining('spec.runtime.podTemplate.metadata.labels.team: must be the value of'),
    expect.stringMatching(/metadata[.]labels: app[.]kubernetes[.]io\/name.* set by the operator/),
  ]);
});

it('of ConfigMaps it keeps digests and whose they are, nothing that holds their content again', async () => {
  const content = 'export default []'.repeat(1_000);
  const configMap = await cluster.admin.create(CONFIG_MAPS, {
    metadata: {
      ...{ name: 'agents', namespace: 'default' },
      labels: { [LABELS.pool]: 'main', more: 'x' },
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': content },
    },
    data: { 'agents.ts': content },
  });
  const kept = digestsOnly(configMap);
  expect(JSON.stringify(kept).length).toBeLessThan(500);
  const { uid, resourceVersion } = configMap.metadata;
  expect(kept).toMatchObject({
    metadata: { name: 'agents', namespace: 'default', uid, resourceVersion },
    data: { 'agents.ts': textDigest(content) },
  });
  expect(kept.metadata.labels).toEqual({ [LABELS.pool]: 'main' });
});

it('remembers nothing that it wrote of a pool that is gone', async () => {
  const kube = cluster.connect('operator');
  const [clock, random] = [new FakeClock(), new SeededRandom(1)];
  side = operatorSide({ reads: kube, writes: kube, clock, random });
  const key: PoolKey = 'default~short-lived';
  await createPool(cluster, key);
  await side.synced;
  while (side.source.get(key) === undefined) await settle();
  await side.source.report(key, STATUS, new AbortController().signal);
  expect(side.writer.size).toBe(1);
  await cluster.admin.delete(AGENT_POOLS, { namespace: 'default', name: 'short-lived' });
  while (side.source.get(key) !== undefined) await settle();
  expect(side.writer.size).toBe(0);
});

it('says when to undo what another one made of the status just after it was written', async () => {
  const kube = cluster.connect('operator');
  const [clock, random] = [new FakeClock(), new SeededRandom(1)];
  const own = operatorSide({ reads: kube, writes: kube, clock, random });
  side = own;
  const key: PoolKey = 'default~fought';
  const ref = { namespace: 'default', name: 'fought' };
  await createPool(cluster, key);
  await own.synced;
  const report = () => own.source.report(key, STATUS, new AbortController().signal);
  const written = () => own.source.get(key)?.status;
  while (own.source.get(key) === undefined) await settle();
  expect(await report()).toBeUndefined();
  while (written() === undefined) await settle();
  cluster.server.writeStatus(AGENT_POOLS, ref, { readyReplicas: 77 });
  while (written()?.readyReplicas !== 77) await settle();
  await clock.advance(4_000);
  expect(await report()).toBe(6_000);
  await clock.advance(6_000);
  expect(await report()).toBeUndefined();
  while (written()?.readyReplicas === 77) await settle();
});

it('a change of the status leaves the spec the same object, for the cache and for who asks', async () => {
  const kube = cluster.connect('operator');
  const [clock, random] = [new FakeClock(), new SeededRandom(1)];
  side = operatorSide({ reads: kube, writes: kube, clock, random });
  const key: PoolKey = 'default~steady';
  await createPool(cluster, key, { replicas: 0 });
  await side.synced;
  while (side.source.get(key) === undefined) await settle();
  const before = side.source.get(key);
  await side.source.report(key, STATUS, new AbortController().signal);
  while (side.source.get(key)?.status === undefined) await settle();
  expect(side.source.get(key)?.spec).toBe(before?.spec);
  await cluster.admin.patch(
    AGENT_POOLS,
    { namespace: 'default', name: 'steady' },
    { spec: { replicas: 2 } },
    {},
  );
  while (side.source.get(key)?.spec === before?.spec) await settle();
  expect(side.source.get(key)?.spec.replicas).toBe(2);
});
