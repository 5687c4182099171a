import { beforeEach, describe, expect, it } from '@jest/globals';
import { agentPoolSpecSchema } from '../../../api/agent-pool.ts';
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import {
  type KubeObject,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  type Resource,
  SECRETS,
} from '../../../platform/kube/resources.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { PoolBelongings } from './pool-belongings.ts';

const POOL = 'default~pool';
const OWNER = { namespace: 'default', name: 'pool', uid: 'uid-of-pool' };
const NEEDS = { shared: 2, dedicated: 0, spec: agentPoolSpecSchema.parse({}) };
const at = (name: string) => ({ namespace: 'default', name });

describe('what a pool has besides its pods', () => {
  let clock: FakeClock;
  let cluster: FakeCluster;
  let belongings: PoolBelongings;
  let changed: string[];
  const ensure = (isStarting = false) =>
    belongings.ensure(POOL, OWNER, { ...NEEDS, isStarting }, new AbortController().signal);
  const exists = (resource: Resource<KubeObject>, name: string) =>
    cluster.admin.get(resource, at(name)).then(
      () => true,
      (error: unknown) => {
        if (isKubeError(error, 'NotFound')) return false;
        throw error;
      },
    );

  beforeEach(async () => {
    clock = new FakeClock();
    cluster = new FakeCluster({ clock });
    belongings = new PoolBelongings({
      kube: cluster.connect('operator'),
      secretFiles: async () => ({ key: 'sesame' }),
      releaseNamespace: 'agentpool',
      clock,
    });
    changed = [];
    belongings.onChange((pool) => changed.push(pool));
    await ensure();
  });

  it.each<[string, Resource<KubeObject>, string]>([
    ['policy', NETWORK_POLICIES, 'pool-runtimes'],
    ['budget', POD_DISRUPTION_BUDGETS, 'pool-shared'],
  ])('a %s that somebody deletes is made again when the watch tells', async (_, kind, name) => {
    const before = await cluster.admin.get(kind, at(name));
    await cluster.admin.delete(kind, at(name));
    await ensure();
    expect(await exists(kind, name)).toBe(false);
    belongings.noteChange({ key: `default/${name}`, before, after: undefined });
    expect(changed).toEqual([POOL]);
    await ensure();
    expect(await exists(kind, name)).toBe(true);
  });

  it('a status that changes is nothing to look at', async () => {
    const before = await cluster.admin.get(POD_DISRUPTION_BUDGETS, at('pool-shared'));
    belongings.noteChange({ key: 'default/pool-shared', before, after: { ...before } });
    expect(changed).toEqual([]);
  });

  it('a Secret that somebody deletes is made again while runtimes start, which need it', async () => {
    await cluster.admin.delete(SECRETS, at('pool-agentpool-runtime'));
    await clock.advance(5_000);
    await ensure();
    expect(await exists(SECRETS, 'pool-agentpool-runtime')).toBe(false);
    await ensure(true);
    expect(await exists(SECRETS, 'pool-agentpool-runtime')).toBe(true);
  });
});
