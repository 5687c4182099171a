import { beforeEach, describe, expect, it } from '@jest/globals';
import { type AgentPoolSpec, agentPoolSpecSchema } from '../../../api/agent-pool.ts';
import { RATE_LIMITS, rateBound } from '../../../platform/kube/rate-bound.ts';
import type { Stored } from '../../../platform/kube/kube.ts';
import { AGENT_POOLS, type Pod, PODS, SECRETS } from '../../../platform/kube/resources.ts';
import type { FakeKube } from '../../../test/fakes/cluster/fake-kube.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { createPool } from '../../../test/fakes/kubernetes-world.ts';
import type { PoolOwner } from './pod-of.ts';
import { PoolBelongings } from './pool-belongings.ts';
import { textOf } from './pool-objects.ts';
import { tenantCode, tenantKey } from './tenant-shards.ts';

const POOL = 'default~pool';
const at = (name: string) => ({ namespace: 'default', name });

describe("tenants' Secrets", () => {
  let clock: FakeClock;
  let cluster: FakeCluster;
  let kube: FakeKube;
  let belongings: PoolBelongings;
  let owner: PoolOwner;
  let pods: readonly Stored<Pod>[];

  beforeEach(async () => {
    clock = new FakeClock();
    cluster = new FakeCluster({ clock });
    kube = cluster.connect('operator');
    await createPool(cluster, POOL);
    const { metadata } = await cluster.admin.get(AGENT_POOLS, at('pool'));
    owner = { ...at('pool'), uid: metadata.uid };
    pods = [];
    belongings = new PoolBelongings({
      kube: rateBound(kube, { clock, ...RATE_LIMITS }),
      pods: { find: () => pods },
      secretFiles: async () => ({ key: 'sesame' }),
      releaseNamespace: 'agentpool',
      clock,
    });
  });

  const specOf = (names: readonly string[]) =>
    agentPoolSpecSchema.parse({
      tenants: names.map((name) => ({ name, secretRef: { name } })),
    });
  const write = (name: string, data: Readonly<Record<string, string>>) =>
    cluster.admin.apply(SECRETS, {
      metadata: at(name),
      data: Object.fromEntries(
        Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
      ),
    });

  const keep = async (
    names: readonly string[] | AgentPoolSpec,
    more: { readonly shared?: number; readonly isStarting?: boolean } = {},
  ): Promise<void> => {
    const spec = Array.isArray(names) ? specOf(names) : (names as AgentPoolSpec);
    const needs = { shared: 2, dedicated: 0, isStarting: false, ...more, spec };
    await belongings.ensure(POOL, owner, needs, new AbortController().signal);
  };
  /** Passes of a pool whose pods start, and whose number changes. */
  const passes = async (seconds: number, spec: AgentPoolSpec): Promise<void> => {
    for (let second = 0; second < seconds; second += 5) {
      await clock.advance(5_000);
      await keep(spec, { isStarting: true, shared: 2 + (second % 3) });
    }
  };
  const shards = async () => {
    const found = await cluster.admin.list(SECRETS, { namespace: 'default' });
    return found.items.filter(({ metadata }) => metadata.name.startsWith('pool-agentpool-tenants'));
  };
  const given = async (tenant: string): Promise<string | undefined> => {
    const all = await shards();
    const one = all.find(({ data = {} }) => tenantKey(tenant, 'key') in data);
    return textOf(one, tenantKey(tenant, 'key'));
  };
  const reads = (): number => kube.calls.get('get secrets') ?? 0;
  const aPod = async (): Promise<void> => {
    const spec = { containers: [{ name: 'runtime' }] };
    pods = [await cluster.admin.create(PODS, { metadata: at('pool-s1-0'), spec })];
  };

  describe('of 4,500 tenants', () => {
    const names = Array.from({ length: 4_500 }, (_, index) => `tenant-${index}`);
    const spec = specOf(names);

    it('keep no pod waiting for more than 3 s', async () => {
      const ended: string[] = [];
      const ensured = keep(spec, { isStarting: true }).then(() => ended.push('ensured'));
      for (let second = 0; second < 3; second++) await clock.advance(1_000);
      expect(ended).toEqual(['ensured']);
      await ensured;
    });

    it('are read once, while the pool changes and its pods start, and half of all calls are left to others', async () => {
      for (const name of ['tenant-0', 'tenant-4499']) await write(name, { key: name });
      await aPod();
      await keep(spec);
      await passes(30, spec);
      expect(reads()).toBeLessThan(30 * 50 + 100);
      const at30 = await Promise.all(['tenant-0', 'tenant-4499'].map(given));
      expect(at30).toEqual(['tenant-0', undefined]);
      await passes(70, spec);
      expect(await given('tenant-4499')).toBe('tenant-4499');
      // One for each, and those that are made of them, and the pool's own.
      expect(reads()).toBeLessThan(4_500 + 200);
    }, 60_000);

    it('go on where an API server that was away stopped them', async () => {
      await aPod();
      await keep(spec);
      await passes(30, spec);
      const before = reads();
      kube.isConnected = false;
      for (let second = 0; second < 20; second++) {
        await clock.advance(1_000);
        await keep(spec).catch(() => undefined);
      }
      kube.isConnected = true;
      await passes(80, spec);
      expect(before).toBeGreaterThan(1_400);
      expect(reads()).toBeLessThan(4_500 + 200);
      expect(belongings.complaintOf(POOL)).toBeUndefined();
    }, 60_000);

    it('and one more: only that is read', async () => {
      await aPod();
      await keep(spec);
      await passes(100, spec);
      const before = reads();
      await write('new', { key: 'x' });
      await keep(specOf([...names, 'new']));
      await clock.advance(100);
      expect(await given('new')).toBe('x');
      expect(reads() - before).toBeLessThan(12);
    }, 60_000);
  });

  it('one with a Secret that is not there, or empty, has a file that says so', async () => {
    await write('empty', {});
    await keep(['empty', 'missing']);
    const [first] = await shards();
    expect(first?.data).toEqual({ [tenantCode('empty')]: '', [tenantCode('missing')]: '' });
  });

  describe('that are large', () => {
    const names = Array.from({ length: 12 }, (_, index) => `tenant-${index}`);

    it('share several Secrets, and each is somewhere', async () => {
      for (const name of names) await write(name, { key: 'x'.repeat(100_000) });
      await keep(names, { isStarting: true });
      expect(await shards()).toHaveLength(2);
      for (const name of names) expect(await given(name)).toHaveLength(100_000);
      expect(belongings.complaintOf(POOL)).toBeUndefined();
    });

    it('stay where they are when others come: pods of before mount the first only', async () => {
      for (const name of names) await write(name, { key: 'x'.repeat(50_000) });
      await keep(names);
      const [before] = await shards();
      await write('a', { key: 'y'.repeat(900_000) });
      await keep(['a', ...names]);
      const [first] = await shards();
      expect(first?.data).toEqual(before?.data);
      expect(await given('a')).toHaveLength(900_000);
    });

    it('go with the pool, as they are its own', async () => {
      for (const name of names) await write(name, { key: 'x'.repeat(100_000) });
      await keep(names);
      for (const { metadata } of await shards())
        expect(metadata.ownerReferences).toMatchObject([{ uid: owner.uid, controller: true }]);
    });

    it('are taken back from all when no tenant has one', async () => {
      for (const name of names) await write(name, { key: 'x'.repeat(100_000) });
      await aPod();
      await keep(names);
      await clock.advance(100);
      await keep([]);
      await clock.advance(100);
      expect((await shards()).map(({ data = {} }) => data)).toEqual([{}, {}]);
    });
  });

  describe('that cannot be given', () => {
    const largest = { key: 'x'.repeat(1_048_570) };

    it.each<[string, () => Promise<unknown>, string]>([
      [
        'is too large',
        () => write('bad', largest),
        'it is larger than 1 MiB, with the names of its keys',
      ],
      [
        'has too long a key',
        () => write('bad', { ['k'.repeat(250)]: 'x' }),
        `its key ${'k'.repeat(250)} is too long beside the tenant's name`,
      ],
    ])('one that %s is named, and all others have theirs', async (_, make, why) => {
      await write('good', { key: 'fine' });
      await make();
      const changed: string[] = [];
      belongings.onChange((pool) => changed.push(pool));
      await keep(['bad', 'good']);
      expect(await given('good')).toBe('fine');
      expect(belongings.complaintOf(POOL)).toEqual({
        reason: 'TenantSecretUnusable',
        message: `the Secret default/bad of tenant bad is not given to runtimes: ${why}`,
      });
      expect(changed).toEqual([POOL]);
      await write('bad', { key: 'better' });
      await cluster.admin.patch(SECRETS, at('bad'), {
        data: { ['k'.repeat(250)]: null },
      });
      await clock.advance(30_000);
      await keep(['bad', 'good']);
      expect(await given('bad')).toBe('better');
      expect(belongings.complaintOf(POOL)).toBeUndefined();
      expect(changed).toEqual([POOL, POOL]);
    });

    it('the largest are left out where there is no room for all, whoever came first', async () => {
      const large = Array.from({ length: 9 }, (_, index) => `large-${index}`);
      for (const name of large) await write(name, { key: 'x'.repeat(1_000_000) });
      await keep(large);
      expect(belongings.complaintOf(POOL)?.message).toMatch(/large-8.*8 MiB together/);
      await write('small', { key: 'y'.repeat(60_000) });
      await keep([...large, 'small']);
      expect(await given('small')).toHaveLength(60_000);
      expect(belongings.complaintOf(POOL)?.message).toContain('1 more tenants');
    });

    it("what somebody else has under a shard's name stays, and is told", async () => {
      const data = { theirs: Buffer.from('x').toString('base64') };
      await cluster.admin.create(SECRETS, { metadata: at('pool-agentpool-tenants'), data });
      await write('good', { key: 'fine' });
      await keep(['good']);
      expect(belongings.complaintOf(POOL)?.reason).toBe('ObjectNotOwned');
      const kept = await cluster.admin.get(SECRETS, at('pool-agentpool-tenants'));
      expect(kept.data).toEqual(data);
    });
  });
});
