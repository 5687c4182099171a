/** What pods have of the installation, not of their spec (its image, its key), when an operator with another one takes over. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { agentPoolSpecSchema, type AgentPoolStatus } from '../../../api/agent-pool.ts';
import { refOf, type Stored } from '../../../platform/kube/kube.ts';
import {
  AGENT_POOLS,
  type AgentPoolObject,
  CONFIG_MAPS,
  type ConfigMap,
  type Pod,
  PODS,
} from '../../../platform/kube/resources.ts';
import { MemoryStore } from '../../../platform/store/memory-store.ts';
import { NO_FAULTS } from '../../../test/fakes/cluster/kube-faults.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { poolObject } from '../../../test/fakes/kubernetes-world.ts';
import {
  OperatorProcess,
  type OperatorSurroundings,
} from '../../../test/fakes/operator-process.ts';
import { PodRuntimes } from '../../../test/fakes/pod-runtimes.ts';
import { SeededRandom } from '../../../test/simulation/seeded-random.ts';
import { POOL_LIMITS } from '../../pool/pool-limits.ts';

type Installed = Pick<OperatorSurroundings, 'defaultImage' | 'installationKey'>;

const POOL = { namespace: 'default', name: 'pool' };
const BEFORE = { installationKey: 'the key of the first installation' };
const AFTER = { installationKey: 'the key of the next installation' };

let clock: FakeClock;
let cluster: FakeCluster;
let leader: OperatorProcess | undefined;
let runtimes: PodRuntimes;
let store: MemoryStore;
let areBadBroken: boolean;

const imageOf = ({ spec }: Pod): string => spec?.containers[0]?.image ?? '';
const pods = (): readonly Stored<Pod>[] => cluster.server.store.list(PODS);
const of = (image: string): readonly Stored<Pod>[] =>
  pods().filter((pod) => imageOf(pod) === image);
const uids = (): readonly string[] => pods().map(({ metadata }) => metadata.uid);
const kept = (): readonly string[] =>
  (cluster.server.store.list(CONFIG_MAPS) as readonly Stored<ConfigMap>[])
    .map(({ metadata }) => metadata.name)
    .filter((name) => name.startsWith('pool-template-'));
const status = async (): Promise<AgentPoolStatus> => {
  const { status: found } = await cluster.admin.get(AGENT_POOLS, POOL);
  return found as AgentPoolStatus;
};
const condition = async (type: string): Promise<string | undefined> =>
  (await status()).conditions.find((one) => one.type === type)?.reason;
const pass = async (ms: number): Promise<void> => {
  await clock.advance(0);
  await clock.advance(ms);
};
const lead = (installed: Installed): void => {
  leader?.crash();
  const dice = new SeededRandom(1);
  const world = { cluster, dice, store, clock, limits: POOL_LIMITS, runtimes, ...installed };
  leader = new OperatorProcess({ ...world, faults: NO_FAULTS }, JSON.stringify(installed));
};
const patchRuntime = (runtime: object): Promise<Stored<AgentPoolObject>> =>
  cluster.admin.patch(AGENT_POOLS, POOL, { spec: { runtime } }, {});

beforeEach(async () => {
  clock = new FakeClock();
  cluster = new FakeCluster({ clock });
  store = new MemoryStore(clock);
  leader = undefined;
  areBadBroken = true;
  const isBroken = (pod: Pod): boolean => areBadBroken && imageOf(pod) === 'agents:bad';
  cluster.kubelet.fateOf = (pod) =>
    isBroken(pod)
      ? { type: 'ends', exitCode: 1, message: 'a dependency is missing' }
      : { type: 'ready' };
  const common = { cluster, store, clock };
  runtimes = new PodRuntimes({
    ...common,
    fateOf: (pod) => (isBroken(pod) ? 'Hangs' : 'Serves'),
    isHot: () => false,
  });
  const metadata = { namespace: 'default', name: 'agents' };
  await cluster.admin.create(CONFIG_MAPS, { metadata, data: { 'agents.ts': 'export default []' } });
  const spec = agentPoolSpecSchema.parse({
    replicas: 2,
    updateStrategy: { progressDeadlineSeconds: 60 },
    runtime: { moduleFrom: { configMapRef: { name: 'agents', key: 'agents.ts' } } },
  });
  await cluster.admin.create(AGENT_POOLS, poolObject('default~pool', spec));
});

it('a good pod that ends is made again of the image that it had', async () => {
  lead({ defaultImage: 'agents:good' });
  await pass(60_000);
  expect(pods().map(imageOf)).toEqual(['agents:good', 'agents:good']);
  lead({ defaultImage: 'agents:bad' });
  await pass(300_000);
  expect(of('agents:good')).toHaveLength(2);
  for (const pod of of('agents:good')) await cluster.admin.delete(PODS, refOf(pod));
  await pass(300_000);
  expect(of('agents:good')).toHaveLength(2);
});

describe('the key inside, which pods have of their start', () => {
  let first: readonly string[];
  beforeEach(async () => {
    lead(BEFORE);
    await pass(60_000);
    first = uids();
    expect(first).toHaveLength(2);
  });

  it('is another one: all pods are replaced, new ones first, and what was kept with them', async () => {
    const { goodRevision } = await status();
    const before = kept();
    let ready = Infinity;
    cluster.server.store.onChange(({ kind }) => {
      const isReady = ({ status: found, metadata }: Stored<Pod>): boolean =>
        metadata.deletionTimestamp === undefined && found?.phase === 'Running';
      if (kind === '/pods') ready = Math.min(ready, pods().filter(isReady).length);
    });
    lead(AFTER);
    await pass(60_000);
    expect(pods()).toHaveLength(2);
    expect(first.filter((uid) => uids().includes(uid))).toEqual([]);
    expect(ready).toBe(2);
    expect(await condition('Ready')).toBe('AllReady');
    const now = (await status()).goodRevision;
    expect(now).not.toBe(goodRevision);
    expect(kept()).toEqual([`pool-template-${now ?? ''}`]);
    expect(kept()).not.toEqual(before);
  });

  it('is the same: they stay', async () => {
    lead({ ...BEFORE });
    await pass(60_000);
    expect(uids()).toEqual(first);
  });

  describe('is another one while a roll-out is stalled', () => {
    beforeEach(async () => {
      await patchRuntime({ image: 'agents:bad' });
      await pass(60_000);
      expect(await condition('Progressing')).toBe('RolloutStalled');
      lead(AFTER);
      await pass(60_000);
    });

    it('the good ones stay, though nobody reaches them, and it is told that it is stalled', async () => {
      expect(first.every((uid) => uids().includes(uid))).toBe(true);
      expect(await condition('Progressing')).toBe('RolloutStalled');
    });

    it.each<[string, () => Promise<unknown>]>([
      ['the spec is put right', () => patchRuntime({ image: 'agents:other' })],
      ['the spec is what it was', () => patchRuntime({ image: null })],
      ['what it lacks is there', async () => void (areBadBroken = false)],
    ])('all are replaced once %s', async (_what, mend) => {
      await mend();
      await pass(400_000);
      expect(await condition('Ready')).toBe('AllReady');
      expect(pods()).toHaveLength(2);
      expect(first.filter((uid) => uids().includes(uid))).toEqual([]);
    });

    it('and all good ones end: the new revision is tried all the same', async () => {
      for (const pod of pods())
        if (first.includes(pod.metadata.uid)) await cluster.admin.delete(PODS, refOf(pod));
      areBadBroken = false;
      await pass(400_000);
      expect(await condition('Ready')).toBe('AllReady');
      expect(of('agents:bad')).toHaveLength(2);
    });
  });
});
