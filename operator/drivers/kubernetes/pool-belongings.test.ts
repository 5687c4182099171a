import { beforeEach, describe, expect, it } from '@jest/globals';
import { agentPoolSpecSchema } from '../../../api/agent-pool.ts';
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import type { Stored } from '../../../platform/kube/kube.ts';
import {
  AGENT_POOLS,
  CONFIG_MAPS,
  type KubeObject,
  NETWORK_POLICIES,
  type Pod,
  POD_DISRUPTION_BUDGETS,
  PODS,
  type Resource,
  SECRETS,
} from '../../../platform/kube/resources.ts';
import type { FakeKube } from '../../../test/fakes/cluster/fake-kube.ts';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { createPool } from '../../../test/fakes/kubernetes-world.ts';
import type { PoolNeeds } from '../../pool/driver.ts';
import { BY_POOL } from './own-pod.ts';
import type { PoolOwner } from './pod-of.ts';
import { PoolBelongings } from './pool-belongings.ts';
import { textOf } from './pool-objects.ts';
import { tenantKey } from './tenant-shards.ts';

const POOL = 'default~pool';
const NEEDS = { shared: 2, dedicated: 0, spec: agentPoolSpecSchema.parse({}) };
const at = (name: string) => ({ namespace: 'default', name });

describe('what a pool has besides its pods', () => {
  let clock: FakeClock;
  let cluster: FakeCluster;
  let belongings: PoolBelongings;
  let changed: string[];
  let kube: FakeKube;
  let owner: PoolOwner;
  let pods: readonly Stored<Pod>[];
  const ensure = async (isStarting = false, more: Partial<PoolNeeds> = {}) => {
    const { signal } = new AbortController();
    await belongings.ensure(POOL, owner, { ...NEEDS, isStarting, ...more }, signal);
    // What no pass waits for.
    await settle();
  };
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
    kube = cluster.connect('operator');
    await createPool(cluster, POOL);
    const { metadata } = await cluster.admin.get(AGENT_POOLS, at('pool'));
    owner = { ...at('pool'), uid: metadata.uid };
    const spec = { containers: [{ name: 'runtime' }] };
    pods = [await cluster.admin.create(PODS, { metadata: at('pool-s1-0'), spec })];
    belongings = new PoolBelongings({
      kube,
      pods: { find: (index, pool) => (index === BY_POOL && pool === POOL ? pods : []) },
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

  describe('that an earlier pool has left', () => {
    const KINDS: [string, Resource<KubeObject>, string][] = [
      ['Secret', SECRETS, 'pool-agentpool-runtime'],
      ['budget', POD_DISRUPTION_BUDGETS, 'pool-shared'],
      ['policy', NETWORK_POLICIES, 'pool-runtimes'],
    ];
    /** The pool is deleted, and another one of its name is made. */
    const makeAnew = async (): Promise<void> => {
      await cluster.admin.delete(AGENT_POOLS, at('pool'));
      await createPool(cluster, POOL);
      const { metadata } = await cluster.admin.get(AGENT_POOLS, at('pool'));
      owner = { ...at('pool'), uid: metadata.uid };
    };
    const leave = async (kind: Resource<KubeObject>, name: string, metadata: object) => {
      const left = await cluster.admin.patch(kind, at(name), { metadata });
      await makeAnew();
      return left;
    };
    const other = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      name: 'o',
      uid: 'o',
      controller: true,
    };

    it.each(KINDS)('a %s that nobody controls becomes its own', async (_, kind, name) => {
      const left = await leave(kind, name, { ownerReferences: [] });
      await ensure();
      const now = await cluster.admin.get(kind, at(name));
      expect(now.metadata.uid).toBe(left.metadata.uid);
      expect(now.metadata.ownerReferences).toMatchObject([{ uid: owner.uid, controller: true }]);
    });

    it.each(KINDS)(
      'a %s of its earlier uid becomes its own, others stay',
      async (_, kind, name) => {
        const { metadata } = await cluster.admin.get(kind, at(name));
        const holder = { apiVersion: 'v1', kind: 'ConfigMap', name: 'holder', uid: 'holder' };
        await cluster.admin.create(CONFIG_MAPS, { metadata: at('holder') });
        const { uid } = (await cluster.admin.get(CONFIG_MAPS, at('holder'))).metadata;
        await leave(kind, name, {
          ownerReferences: [...(metadata.ownerReferences ?? []), { ...holder, uid }],
        });
        await ensure();
        const now = await cluster.admin.get(kind, at(name));
        expect(now.metadata.uid).toBe(metadata.uid);
        expect(now.metadata.ownerReferences?.map((one) => one.uid)).toEqual([uid, owner.uid]);
      },
    );

    it.each<[string, object]>([
      ['has lost its marks', { ownerReferences: [], labels: { 'agentpool.dev/pool': null } }],
      [
        'another manager says is its',
        { ownerReferences: [], labels: { 'app.kubernetes.io/managed-by': 'Helm' } },
      ],
      ['another controller has', { ownerReferences: [other] }],
    ])('one that %s is left alone', async (_, metadata) => {
      const [, kind, name] = KINDS[0]!;
      const left = await leave(kind, name, metadata);
      await expect(ensure()).rejects.toMatchObject({
        reason: 'ObjectNotOwned',
        message: expect.stringContaining(`Secret default/${name}`),
      });
      expect(await cluster.admin.get(kind, at(name))).toEqual(left);
    });

    it('one that is still being deleted is waited for', async () => {
      const [, kind, name] = KINDS[0]!;
      await leave(kind, name, { ownerReferences: [], finalizers: ['test/kept'] });
      await cluster.admin.delete(kind, at(name));
      await expect(ensure()).rejects.toThrow('is still being deleted');
      await cluster.admin.patch(kind, at(name), { metadata: { finalizers: [] } });
      await ensure();
      expect(await exists(kind, name)).toBe(true);
    });

    it('a policy that is not wanted any more goes', async () => {
      await leave(NETWORK_POLICIES, 'pool-runtimes', { ownerReferences: [] });
      await ensure(false, { spec: agentPoolSpecSchema.parse({ networkPolicy: 'Unmanaged' }) });
      expect(await exists(NETWORK_POLICIES, 'pool-runtimes')).toBe(false);
    });

    it('what loses its owner is looked at again at once', async () => {
      const before = await cluster.admin.get(NETWORK_POLICIES, at('pool-runtimes'));
      const after = await cluster.admin.patch(NETWORK_POLICIES, at('pool-runtimes'), {
        metadata: { ownerReferences: [] },
      });
      belongings.noteChange({ key: 'default/pool-runtimes', before, after });
      expect(changed).toEqual([POOL]);
      await ensure();
      const now = await cluster.admin.get(NETWORK_POLICIES, at('pool-runtimes'));
      expect(now.metadata.ownerReferences).toMatchObject([{ uid: owner.uid }]);
    });
  });

  it('its budgets wait for the first pod, and then nothing else is asked again', async () => {
    const there = pods;
    pods = [];
    await ensure(false, { shared: 3 });
    const wanted = async () =>
      (await cluster.admin.get(POD_DISRUPTION_BUDGETS, at('pool-shared'))).spec?.minAvailable;
    expect(await wanted()).toBe(1);
    const before = new Map(kube.calls);
    await ensure(false, { shared: 3 });
    expect(kube.calls).toEqual(before);
    pods = there;
    await ensure(false, { shared: 3 });
    expect(await wanted()).toBe(2);
    const asked = [...kube.calls].filter(([call, count]) => count !== before.get(call));
    expect(asked.map(([call]) => call)).toEqual([
      'get poddisruptionbudgets',
      'apply poddisruptionbudgets',
    ]);
  });

  it('a status that changes is nothing to look at', async () => {
    const before = await cluster.admin.get(POD_DISRUPTION_BUDGETS, at('pool-shared'));
    belongings.noteChange({ key: 'default/pool-shared', before, after: { ...before } });
    expect(changed).toEqual([]);
  });

  describe('of the tenants', () => {
    const spec = agentPoolSpecSchema.parse({
      tenants: ['acme', 'other'].map((name) => ({ name, secretRef: { name } })),
    });
    const write = (name: string, text: string) =>
      cluster.admin.apply(SECRETS, {
        metadata: at(name),
        data: { key: Buffer.from(text).toString('base64') },
      });
    const given = async (tenant: string) =>
      textOf(
        await cluster.admin.get(SECRETS, at('pool-agentpool-tenants')),
        tenantKey(tenant, 'key'),
      );

    beforeEach(async () => {
      await write('acme', 'one');
      await write('other', 'other');
      await ensure(false, { spec });
    });

    it('a Secret that changes is given to the runtimes within half a minute', async () => {
      expect(await given('acme')).toBe('one');
      await write('acme', 'two');
      await clock.advance(30_000);
      await ensure(false, { spec });
      expect([await given('acme'), await given('other')]).toEqual(['two', 'other']);
    });

    it('the Secrets are read no more often, and nothing is written when they are what they were', async () => {
      const reads = () => kube.calls.get('get secrets') ?? 0;
      const writes = () =>
        [...kube.calls].filter(([call]) => !/^get /.test(call)).map(([, count]) => count);
      const [readBefore, writtenBefore] = [reads(), writes()];
      for (let seconds = 0; seconds < 300; seconds++) {
        await clock.advance(1_000);
        await ensure(false, { spec });
      }
      // Those of two tenants, and the one that is made of them.
      expect(reads() - readBefore).toBe(10 * 3);
      expect(writes()).toEqual(writtenBefore);
    });

    it('nothing is left of what they held when no tenant has one any more', async () => {
      await ensure();
      const secret = await cluster.admin.get(SECRETS, at('pool-agentpool-tenants'));
      expect(secret.data ?? {}).toEqual({});
      const writes = () => [...kube.calls].filter(([call]) => !/^get /.test(call));
      const before = writes();
      await clock.advance(600_000);
      await ensure();
      expect(writes()).toEqual(before);
      await ensure(false, { spec });
      expect(await given('acme')).toBe('one');
    });

    it('a key that somebody else has written there goes', async () => {
      const data = { [tenantKey('gone', 'key')]: Buffer.from('old').toString('base64') };
      await cluster.admin.patch(SECRETS, at('pool-agentpool-tenants'), { data });
      await clock.advance(30_000);
      await ensure(false, { spec });
      const secret = await cluster.admin.get(SECRETS, at('pool-agentpool-tenants'));
      expect(Object.keys(secret.data ?? {}).toSorted()).toEqual(
        [tenantKey('acme', 'key'), tenantKey('other', 'key')].toSorted(),
      );
    });

    it('many are read more seldom', async () => {
      const tenants = Array.from({ length: 500 }, (_, index) => ({
        name: `tenant-${index}`,
        secretRef: { name: `tenant-${index}` },
      }));
      const many = agentPoolSpecSchema.parse({ tenants });
      await ensure(false, { spec: many });
      await clock.advance(40_000);
      await ensure(false, { spec: many });
      await clock.advance(10_000);
      const before = kube.calls.get('get secrets') ?? 0;
      await clock.advance(89_000);
      await ensure(false, { spec: many });
      expect(kube.calls.get('get secrets')).toBe(before);
      await clock.advance(1_000);
      await ensure(false, { spec: many });
      await clock.advance(10_000);
      expect(kube.calls.get('get secrets')).toBe(before + 501);
    });
  });

  it('a look that is spared while runtimes start is asked for when the last one is too long ago, once', async () => {
    await cluster.admin.delete(SECRETS, at('pool-agentpool-runtime'));
    await clock.advance(2_000);
    await ensure(true);
    await ensure(true);
    expect(await exists(SECRETS, 'pool-agentpool-runtime')).toBe(false);
    await clock.advance(2_999);
    expect(changed).toEqual([]);
    await clock.advance(1);
    expect(changed).toEqual([POOL]);
    await ensure(true);
    expect(await exists(SECRETS, 'pool-agentpool-runtime')).toBe(true);
    await clock.advance(3_600_000);
    expect(changed).toEqual([POOL]);
  });

  it.each<[string, boolean, () => void]>([
    ['a pool at rest', false, () => undefined],
    ['one whose operator has left', true, () => belongings.close()],
  ])('nothing is asked for of %s', async (_, isStarting, act) => {
    await ensure(isStarting);
    act();
    await clock.advance(3_600_000);
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
