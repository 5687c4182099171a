import { beforeEach, describe, expect, it } from '@jest/globals';
import { LABELS } from '../../../api/names.ts';
import { type Pod, PODS } from '../../../platform/kube/resources.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { NameTaken } from '../../pool/create-refused.ts';
import { makePod, reclaimPod } from './make-pod.ts';
import { ownerReference } from './pod-of.ts';

const OWNER = { namespace: 'default', name: 'pool', uid: 'uid-of-pool' };
const AT = { namespace: 'default', name: 'pool-s1-0' };
const WANTED = { [LABELS.pool]: 'pool', [LABELS.role]: 'shared' };

const pod = (labels: Readonly<Record<string, string>>, uid = OWNER.uid): Pod => ({
  metadata: { ...AT, labels, ownerReferences: [ownerReference({ ...OWNER, uid })] },
  spec: { containers: [{ name: 'runtime' }] },
});

describe('a pod whose name is taken', () => {
  let cluster: FakeCluster;
  beforeEach(() => {
    cluster = new FakeCluster({ clock: new FakeClock() });
  });
  const make = () =>
    makePod(cluster.connect('operator'), pod(WANTED), OWNER, new AbortController().signal);
  const labels = async () => (await cluster.admin.get(PODS, AT)).metadata.labels;

  it('is there when it is the same', async () => {
    await cluster.admin.create(PODS, pod({ ...WANTED, mine: 'kept' }));
    await make();
    expect(await labels()).toEqual({ ...WANTED, mine: 'kept' });
  });

  it('has its labels put back when somebody has taken off that of its pool', async () => {
    await cluster.admin.create(PODS, pod({ mine: 'kept' }));
    await make();
    expect(await labels()).toEqual({ ...WANTED, mine: 'kept' });
  });

  it("is left alone when it is another one's", async () => {
    await cluster.admin.create(PODS, pod({}, 'another'));
    await expect(make()).rejects.toThrow(NameTaken);
    expect(await labels()).toEqual({});
  });
});

describe('a pod that no cache shows any more', () => {
  let cluster: FakeCluster;
  beforeEach(() => {
    cluster = new FakeCluster({ clock: new FakeClock() });
  });

  it.each([
    ['is had back when only its label was taken off', OWNER.uid, WANTED],
    ['is left alone when its owner was changed, too', 'another', {}],
  ])('%s', async (_, uid, expected) => {
    const before = await cluster.admin.create(PODS, pod(WANTED));
    await cluster.admin.patch(PODS, AT, {
      metadata: {
        labels: { [LABELS.pool]: null, [LABELS.role]: null },
        ownerReferences: [ownerReference({ ...OWNER, uid })],
      },
    });
    await reclaimPod(cluster.connect('operator'), before);
    expect((await cluster.admin.get(PODS, AT)).metadata.labels ?? {}).toEqual(expected);
  });

  it('is left alone when no pool had it, whatever labels somebody gave it and takes off again', async () => {
    const { metadata, ...rest } = pod(WANTED);
    const { ownerReferences: _, ...stranger } = metadata ?? {};
    const before = await cluster.admin.create(PODS, { ...rest, metadata: stranger });
    await cluster.admin.patch(PODS, AT, {
      metadata: { labels: { [LABELS.pool]: null, [LABELS.role]: null } },
    });
    await reclaimPod(cluster.connect('operator'), before);
    expect((await cluster.admin.get(PODS, AT)).metadata.labels ?? {}).toEqual({});
  });

  it('is nothing to have back when it is gone', async () => {
    const before = await cluster.admin.create(PODS, pod(WANTED));
    await cluster.admin.delete(PODS, AT, { gracePeriodSeconds: 0 });
    await expect(reclaimPod(cluster.connect('operator'), before)).resolves.toBeUndefined();
  });
});
