/** An order to end a pod whose answer says little: the pod is read before it is believed that it stays. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { KubeError, type KubeErrorReason } from '../../../platform/kube/kube-error.ts';
import type { Kube, Stored } from '../../../platform/kube/kube.ts';
import { type Pod, PODS } from '../../../platform/kube/resources.ts';
import { aroundCalls } from '../../../platform/kube/around-calls.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { endPod } from './end-pod.ts';

const REF = { namespace: 'default', name: 'a' };
const POD: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: REF,
  spec: { containers: [{ name: 'runtime', image: 'agents:1' }], terminationGracePeriodSeconds: 30 },
};

describe('a pod that is to end', () => {
  let cluster: FakeCluster;
  let known: Stored<Pod>;
  beforeEach(async () => {
    const clock = new FakeClock();
    cluster = new FakeCluster({ clock });
    await cluster.admin.create(PODS, POD);
    await clock.advance(5_000);
    known = await cluster.admin.get(PODS, REF);
  });

  /** Each delete ends so, and is carried out or not. */
  const failing = (reason: KubeErrorReason, isApplied: boolean, canRead = true): Kube =>
    aroundCalls(cluster.connect('operator'), async (call, send) => {
      if (!call.isWrite) {
        if (!canRead) throw new KubeError('Unavailable', 'nobody answers');
        return send();
      }
      if (isApplied) await send();
      throw new KubeError(reason, 'etcd is away');
    });
  const end = (kube: Kube, gracePeriodSeconds = 10): Promise<void> =>
    endPod(kube, known, { gracePeriodSeconds, mayBeLeft: false });

  it('is found to end, though the answer says that nobody knows', async () => {
    await end(failing('OutcomeUnknown', true));
    expect((await cluster.admin.get(PODS, REF)).metadata.deletionTimestamp).toBeDefined();
  });

  it.each<[string, KubeErrorReason, boolean, boolean]>([
    ['it is there as it was', 'OutcomeUnknown', false, true],
    ['nobody can say', 'OutcomeUnknown', true, false],
    ['another one wrote to it', 'Conflict', false, true],
    ['another one wrote to it, and nobody can say more', 'Conflict', false, false],
    ['it is refused', 'Forbidden', false, true],
  ])('is reported by what became of the order: %s', async (_, reason, isApplied, canRead) => {
    await expect(end(failing(reason, isApplied, canRead))).rejects.toMatchObject({ reason });
  });

  it('is to end sooner than it was told before: that it ends is no answer', async () => {
    await end(cluster.connect('operator'), 30);
    const kube = failing('OutcomeUnknown', false);
    await expect(end(kube, 1)).rejects.toMatchObject({ reason: 'OutcomeUnknown' });
  });

  it.each<KubeErrorReason>(['OutcomeUnknown', 'Conflict'])(
    'has gone, and another one has its name: %s',
    async (reason) => {
      await cluster.admin.delete(PODS, REF, { gracePeriodSeconds: 0 });
      await cluster.admin.create(PODS, POD);
      await end(failing(reason, false));
      expect((await cluster.admin.get(PODS, REF)).metadata.deletionTimestamp).toBeUndefined();
    },
  );
});
