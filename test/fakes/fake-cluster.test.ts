/** What the fake cluster adds to the API server's port, and that its lies are lies: the port itself is in test/conformance/kube.ts. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { PODS, SECRETS, type Pod } from '../../platform/kube/resources.ts';
import { NO_FAULTS, type KubeFaults } from './cluster/kube-faults.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeCluster } from './fake-cluster.ts';

const at = (name: string) => ({ namespace: 'default', name });
const pod = (name: string): Pod => ({
  metadata: at(name),
  spec: { containers: [{ name: 'main' }], terminationGracePeriodSeconds: 30 },
});

describe('the fake cluster', () => {
  let clock: FakeClock;
  let cluster: FakeCluster;
  beforeEach(() => {
    clock = new FakeClock();
    cluster = new FakeCluster({ clock });
  });
  const phase = async (name: string) => (await cluster.admin.get(PODS, at(name))).status?.phase;
  const isReady = async (name: string) => {
    const { status } = await cluster.admin.get(PODS, at(name));
    return (
      status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false
    );
  };

  it('starts pods, and ends them within their grace', async () => {
    await cluster.admin.create(PODS, pod('a'));
    expect(await phase('a')).toBe('Pending');
    await clock.advance(5_000);
    expect([await phase('a'), await isReady('a')]).toEqual(['Running', true]);
    expect((await cluster.admin.get(PODS, at('a'))).spec?.nodeName).toBe('node-1');
    await cluster.admin.delete(PODS, at('a'));
    expect((await cluster.admin.get(PODS, at('a'))).metadata.deletionGracePeriodSeconds).toBe(30);
    await clock.advance(1_000);
    await expect(cluster.admin.get(PODS, at('a'))).rejects.toMatchObject({ reason: 'NotFound' });
  });

  it.each([
    ['unschedulable', { type: 'unschedulable' }, 'Pending'],
    ['without its image', { type: 'image-missing' }, 'Pending'],
    ['that ends', { type: 'ends', exitCode: 3, message: 'why' }, 'Failed'],
  ] as const)('knows pods %s', async (_title, fate, expected) => {
    cluster.kubelet.fateOf = () => fate;
    await cluster.admin.create(PODS, pod('a'));
    await clock.advance(60_000);
    expect([await phase('a'), await isReady('a')]).toEqual([expected, false]);
  });

  it('keeps pods of a lost node, also those that were deleted, until it is back', async () => {
    await cluster.admin.create(PODS, pod('a'));
    await clock.advance(5_000);
    cluster.kubelet.loseNode('node-1');
    expect(await isReady('a')).toBe(false);
    await cluster.admin.delete(PODS, at('a'));
    await clock.advance(600_000);
    expect(await phase('a')).toBe('Running');
    cluster.kubelet.findNode('node-1');
    await clock.advance(30_000);
    await expect(cluster.admin.get(PODS, at('a'))).rejects.toMatchObject({ reason: 'NotFound' });
  });

  it('takes dependents away with their owner, also those that come too late', async () => {
    const owner = await cluster.admin.create(SECRETS, { metadata: at('owner') });
    const { uid } = owner.metadata;
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Secret', name: 'owner', uid }];
    await cluster.admin.create(SECRETS, { metadata: { ...at('kept'), ownerReferences: [] } });
    await cluster.admin.create(SECRETS, { metadata: { ...at('owned'), ownerReferences } });
    await cluster.admin.delete(SECRETS, at('owner'));
    await cluster.admin.create(SECRETS, { metadata: { ...at('late'), ownerReferences } });
    await clock.advance(1_000);
    const { items } = await cluster.admin.list(SECRETS, { namespace: '' });
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['kept']);
  });

  it('holds to a quota', async () => {
    cluster.server.quotas.set('/pods', 1);
    await cluster.admin.create(PODS, pod('a'));
    await expect(cluster.admin.create(PODS, pod('b'))).rejects.toMatchObject({
      reason: 'QuotaExceeded',
    });
  });

  describe('lies', () => {
    const create = async (faults: Partial<KubeFaults>) => {
      const kube = cluster.connect('agentpool-operator', faults);
      const failed = kube.create(SECRETS, { metadata: at('a') }).catch((error: unknown) => error);
      await clock.advance(0);
      await clock.advance(NO_FAULTS.timeoutMs);
      return { failure: await failed, kube };
    };
    const isThere = () => cluster.server.store.get(SECRETS, 'default/a') !== undefined;

    it.each([
      ['applied', { unknownApplied: 1 }, true],
      ['lost', { unknownLost: 1 }, false],
    ])('a write of unknown outcome may be %s', async (_title, faults, expected) => {
      const { failure } = await create(faults);
      expect(failure).toMatchObject({ reason: 'OutcomeUnknown' });
      expect(isThere()).toBe(expected);
      await clock.advance(1_000_000);
      expect(isThere()).toBe(expected);
    });

    it('a write of unknown outcome may come late, and then meets what is there', async () => {
      const { failure } = await create({ unknownLate: 1, timeoutMs: 1 });
      expect(failure).toMatchObject({ reason: 'OutcomeUnknown' });
      await clock.advance(10);
      expect(isThere()).toBe(true);
    });

    it('a list may be as it was some writes ago, and a watch from there tells the rest', async () => {
      for (const name of ['a', 'b', 'c'])
        await cluster.admin.create(SECRETS, { metadata: at(name) });
      const kube = cluster.connect('agentpool-operator', { staleList: 1, staleWritesMax: 3 });
      const sizes = new Set<number>();
      for (let time = 0; time < 30; time++) {
        const { items, resourceVersion } = await kube.list(SECRETS, { namespace: '' });
        sizes.add(items.length);
        const rest = cluster.server.store.changesAfter(Number(resourceVersion));
        expect(items.length + rest.length).toBe(3);
      }
      expect([...sizes].toSorted()).toEqual([0, 1, 2, 3]);
    });
  });
});
