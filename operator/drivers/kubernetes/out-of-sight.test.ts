/** Operators that may not look into one of the namespaces that they watch: nothing happens there, and everything in the others. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { type PoolKey, poolRefOfKey } from '../../../core/identifiers.ts';
import { KubeError } from '../../../platform/kube/kube-error.ts';
import { type KubeObject, AGENT_POOLS, PODS } from '../../../platform/kube/resources.ts';
import { type LogFields, silentLog } from '../../../platform/log.ts';
import { MemoryStore } from '../../../platform/store/memory-store.ts';
import { NO_FAULTS } from '../../../test/fakes/cluster/kube-faults.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { createPool } from '../../../test/fakes/kubernetes-world.ts';
import {
  OperatorProcess,
  type OperatorSurroundings,
} from '../../../test/fakes/operator-process.ts';
import { PodRuntimes } from '../../../test/fakes/pod-runtimes.ts';
import { SeededRandom } from '../../../test/simulation/seeded-random.ts';
import { POOL_LIMITS } from '../../pool/pool-limits.ts';

const SEEN: PoolKey = 'seen~pool';
const LOST: PoolKey = 'lost~pool';
const GONE: PoolKey = 'lost~gone';
const IMAGE = { runtime: { image: 'agents:1' } };
/** Until a dead leader's Lease is over, and pods run. */
const SETTLED_MS = 60_000;

let world: OperatorSurroundings & { readonly cluster: FakeCluster };
let told: string[];
let operators: number;

const start = (isRefused: boolean): OperatorProcess => {
  const operator = new OperatorProcess(world, `operator-${operators++}`);
  refuse(operator, isRefused);
  return operator;
};
const refuse = ({ kube }: OperatorProcess, isRefused: boolean): void => {
  if (isRefused) kube.refused.add('lost');
  else kube.refused.delete('lost');
  kube.cutWatches();
};
const pass = async (ms: number): Promise<void> => {
  await world.clock.advance(0);
  await world.clock.advance(ms);
};
const objects = (): readonly KubeObject[] => world.cluster.server.store.list(PODS);
const pods = (pool: PoolKey): readonly (string | undefined)[] =>
  objects().flatMap(({ metadata }) => {
    const { namespace, name } = poolRefOfKey(pool);
    const isOne = metadata?.namespace === namespace && metadata.name?.startsWith(`${name}-`);
    return isOne === true ? [metadata.uid] : [];
  });
const records = async (): Promise<readonly PoolKey[]> =>
  (await world.store.listPools()).map(({ key }) => key).toSorted();
const scale = (pool: PoolKey, replicas: number): Promise<unknown> =>
  world.cluster.admin.patch(AGENT_POOLS, poolRefOfKey(pool), { spec: { replicas } });

beforeEach(async () => {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  const cluster = new FakeCluster({ clock });
  cluster.kubelet.fateOf = () => ({ type: 'ready' });
  const runtimes = new PodRuntimes({
    ...{ cluster, store, clock },
    fateOf: () => 'Serves',
    isHot: () => false,
  });
  told = [];
  operators = 0;
  const note = (message: string, { namespace }: LogFields = {}): void => {
    if (message.startsWith('the API server')) told.push(`${message.split(':')[0]}: ${namespace}`);
  };
  world = {
    ...{ clock, store, cluster, runtimes },
    ...{ dice: new SeededRandom(1), limits: POOL_LIMITS, faults: NO_FAULTS },
    watched: ['seen', 'lost'],
    log: { ...silentLog, info: note, warn: note },
  };
  await createPool(cluster, SEEN, { ...IMAGE, replicas: 1 });
  await createPool(cluster, LOST, { ...IMAGE, replicas: 1 });
  await createPool(cluster, GONE, { ...IMAGE, replicas: 1 });
});

/** From one that is there still to one that leads and may not look. */
const BLINDED: readonly (readonly [string, () => Promise<OperatorProcess>])[] = [
  [
    'leads',
    async () => {
      const leader = start(false);
      await pass(SETTLED_MS);
      refuse(leader, true);
      return leader;
    },
  ],
  [
    'takes over with caches that were warm',
    async () => {
      const leader = start(false);
      const standby = start(false);
      await pass(SETTLED_MS);
      refuse(standby, true);
      await pass(100);
      leader.crash();
      return standby;
    },
  ],
  [
    'takes over just after it was started',
    async () => {
      const leader = start(false);
      await pass(SETTLED_MS);
      leader.crash();
      return start(true);
    },
  ],
];

describe.each(BLINDED)('an operator that %s while one namespace is refused', (_which, blinded) => {
  it('serves the others, and does nothing in that one until it may look again', async () => {
    const operator = await blinded();
    const [before, others] = [pods(LOST), pods(GONE)];
    expect([before.length, others.length]).toEqual([1, 1]);
    await scale(SEEN, 3);
    await scale(LOST, 3);
    await world.cluster.admin.delete(AGENT_POOLS, poolRefOfKey(GONE));
    await pass(SETTLED_MS);
    await pass(10 * SETTLED_MS);
    expect(pods(SEEN)).toHaveLength(3);
    expect(pods(LOST)).toEqual(before);
    expect(await records()).toEqual([GONE, LOST, SEEN]);
    expect(operator.missing).toBeUndefined();
    refuse(operator, false);
    await pass(SETTLED_MS);
    expect(pods(LOST)).toHaveLength(3);
    expect(pods(LOST)).toEqual(expect.arrayContaining([...before]));
    expect(await records()).toEqual([LOST, SEEN]);
    expect(told).toEqual([
      'the API server refuses to show a namespace: lost',
      'the API server shows a namespace again: lost',
    ]);
  });
});

it('an operator that may see the pools of a namespace, and write there, but not see its pods tells nothing of them', async () => {
  const leader = start(false);
  await pass(SETTLED_MS);
  const before = pods(LOST);
  const poolBefore = await world.cluster.admin.get(AGENT_POOLS, poolRefOfKey(LOST));
  leader.crash();
  const { kube } = start(false);
  const list = kube.list.bind(kube);
  let isRefused = true;
  kube.list = async (resource, selection, options) => {
    if (isRefused && resource.plural === 'pods' && selection.namespace === 'lost')
      throw new KubeError('Forbidden', 'pods is forbidden: cannot list');
    return list(resource, selection, options);
  };
  await scale(SEEN, 3);
  await pass(10 * SETTLED_MS);
  expect(pods(SEEN)).toHaveLength(3);
  expect(pods(LOST)).toEqual(before);
  expect(await world.cluster.admin.get(AGENT_POOLS, poolRefOfKey(LOST))).toEqual(poolBefore);
  expect(told).toEqual(['the API server refuses to show a namespace: lost']);
  isRefused = false;
  await scale(LOST, 2);
  await pass(SETTLED_MS);
  expect(pods(LOST)).toHaveLength(2);
  expect(pods(LOST)).toEqual(expect.arrayContaining([...before]));
});

describe('an operator that may look into no namespace', () => {
  it('is not ready, changes nothing, and begins with the first that it may look into', async () => {
    const leader = start(false);
    await pass(SETTLED_MS);
    leader.crash();
    const operator = start(true);
    expect(operator.missing).toMatch('has not been read yet');
    operator.kube.refused.add('seen');
    await scale(SEEN, 3);
    await pass(SETTLED_MS);
    expect(operator.missing).toMatch('refuses to show');
    expect(pods(SEEN)).toHaveLength(1);
    operator.kube.refused.delete('seen');
    await pass(SETTLED_MS);
    expect(operator.missing).toBeUndefined();
    expect(pods(SEEN)).toHaveLength(3);
  });

  it('any more while it leads says so, too', async () => {
    const leader = start(false);
    await pass(SETTLED_MS);
    expect(leader.missing).toBeUndefined();
    leader.kube.refused.add('seen');
    refuse(leader, true);
    await pass(SETTLED_MS);
    expect(leader.missing).toMatch('refuses to show');
    leader.kube.refused.clear();
    await pass(SETTLED_MS);
    expect(leader.missing).toBeUndefined();
  });
});
