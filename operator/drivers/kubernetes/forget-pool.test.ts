/** What a pool has outside of the cluster goes with it, but not under the feet of runtimes that were left on purpose. */
import { expect, it, jest } from '@jest/globals';
import { AGENT_POOLS, PODS } from '../../../platform/kube/resources.ts';
import { spec } from '../../../test/builders/pool-builders.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { createPool, operatorSide } from '../../../test/fakes/kubernetes-world.ts';
import { SeededRandom } from '../../../test/simulation/seeded-random.ts';

const POOL = 'default~pool';
const at = (name: string) => ({ namespace: 'default', name });

it.each([
  ['with its runtimes', false],
  ['without runtimes that nobody controls', true],
])('a pool that goes %s', async (_, isOrphaned) => {
  const clock = new FakeClock();
  const cluster = new FakeCluster({ clock });
  await createPool(cluster, POOL, { runtime: { image: 'agents:1' } });
  const kube = cluster.connect('operator');
  const closeStore = jest.fn(async (_pool: string) => undefined);
  const random = new SeededRandom(1);
  const side = operatorSide({ reads: kube, writes: kube, clock, random, closeStore });
  await clock.advance(10);
  await side.synced;
  const template = {
    revision: 'r1',
    module: { digest: 'r1', path: '' },
    spec: spec({ runtime: { image: 'agents:1' } }),
  };
  const request = { name: 'pool-sr1-0', pool: POOL, role: 'shared', template, resources: {} };
  await side.driver.create({ ...request, role: 'shared' }, new AbortController().signal);
  if (isOrphaned)
    await cluster.admin.patch(PODS, at(request.name), { metadata: { ownerReferences: [] } });
  await cluster.admin.delete(AGENT_POOLS, at('pool'));
  await clock.advance(60_000);
  expect(await side.driver.list(POOL)).toEqual([]);
  await side.driver.forget(POOL);
  expect(closeStore.mock.calls).toEqual(isOrphaned ? [] : [[POOL]]);
  await side.stop();
});
