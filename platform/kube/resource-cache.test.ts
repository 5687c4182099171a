import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../test/fakes/fake-cluster.ts';
import type { FakeKube } from '../../test/fakes/cluster/fake-kube.ts';
import { MANY_FAULTS, NO_FAULTS } from '../../test/fakes/cluster/kube-faults.ts';
import { SeededRandom } from '../../test/simulation/seeded-random.ts';
import { silentLog } from '../log.ts';
import type { CacheLimits } from './cache-limits.ts';
import { CONFIG_MAPS, type ConfigMap } from './resources.ts';
import { ResourceCache } from './resource-cache.ts';

const map = (name: string, value = '', colour = 'red'): ConfigMap => ({
  metadata: { name, namespace: 'default', labels: { colour } },
  data: { value },
});
const ref = (name: string) => ({ namespace: 'default', name });

describe('the cache of a kind', () => {
  let clock: FakeClock;
  let cluster: FakeCluster;
  let kube: FakeKube;
  let cache: ResourceCache<ConfigMap>;
  let changes: string[];

  const open = (limits: Partial<CacheLimits> = {}, seed = 1): void => {
    cache = new ResourceCache({
      kube,
      resource: CONFIG_MAPS,
      selection: { namespace: '' },
      clock,
      random: new SeededRandom(seed),
      log: silentLog,
      indexes: { colour: ({ metadata }) => [metadata.labels?.['colour'] ?? ''] },
      limits,
    });
    changes = [];
    cache.onChange(({ key, before, after }) => {
      const what = before === undefined ? '+' : after === undefined ? '-' : '~';
      changes.push(`${what}${key.split('/')[1] ?? ''}`);
    });
    cache.start();
  };
  /** First what can happen at once: it sets the timers. */
  const advance = async (byMs: number): Promise<void> => {
    await clock.advance(0);
    await clock.advance(byMs);
  };
  const names = (): readonly string[] => cache.list().map(({ metadata }) => metadata.name);

  beforeEach(() => {
    clock = new FakeClock();
    cluster = new FakeCluster({ clock });
    kube = cluster.connect('agentpool-operator');
  });
  afterEach(async () => {
    await cache.stop();
  });

  it('holds what a list shows, in however many pages, and says when it does', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      await cluster.admin.create(CONFIG_MAPS, map(name));
    open({ pageObjects: 2 });
    expect(cache.isSynced).toBe(false);
    await advance(0);
    await cache.synced;
    expect(cache.isSynced).toBe(true);
    expect(names()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(kube.calls.get('list configmaps')).toBe(3);
  });

  it('follows what happens, by key and by index', async () => {
    await cluster.admin.create(CONFIG_MAPS, map('a'));
    open();
    await advance(0);
    await cluster.admin.create(CONFIG_MAPS, map('b', '', 'blue'));
    await cluster.admin.apply(CONFIG_MAPS, map('a', 'new', 'blue'));
    await advance(0);
    expect(cache.get(ref('a'))?.data).toEqual({ value: 'new' });
    expect(cache.find('colour', 'blue').map(({ metadata }) => metadata.name)).toEqual(['b', 'a']);
    expect(cache.find('colour', 'red')).toEqual([]);
    await cluster.admin.delete(CONFIG_MAPS, ref('b'));
    await advance(0);
    expect(changes).toEqual(['+a', '+b', '~a', '-b']);
    expect(cache.find('colour', 'blue')).toHaveLength(1);
  });

  it('keeps no managedFields', async () => {
    const managedFields = [{ manager: 'somebody' }];
    await cluster.admin.create(CONFIG_MAPS, {
      ...map('a'),
      metadata: { ...map('a').metadata, managedFields },
    });
    open();
    await advance(0);
    expect(cache.get(ref('a'))?.metadata).not.toHaveProperty('managedFields');
  });

  it('goes on where a cut watch ended, and lists nothing anew', async () => {
    open();
    await advance(0);
    kube.cutWatches();
    await cluster.admin.create(CONFIG_MAPS, map('a'));
    await advance(1_000);
    expect(names()).toEqual(['a']);
    expect(kube.calls.get('list configmaps')).toBe(1);
  });

  it('lists anew when where it was is compacted, and tells the difference', async () => {
    for (const name of ['a', 'b']) await cluster.admin.create(CONFIG_MAPS, map(name));
    open();
    await advance(0);
    kube.isConnected = false;
    kube.cutWatches();
    await cluster.admin.delete(CONFIG_MAPS, ref('a'));
    await cluster.admin.create(CONFIG_MAPS, map('c'));
    cluster.compact();
    kube.isConnected = true;
    await advance(2_000);
    expect(changes).toEqual(['+a', '+b', '-a', '+c']);
    expect(kube.calls.get('list configmaps')).toBe(2);
  });

  it('leaves a watch that says nothing at all, but not one that only has nothing to say', async () => {
    open({ stallMs: 100_000, watchSeconds: 10_000 });
    await advance(1_000_000);
    expect(kube.calls.get('watch configmaps')).toBe(1);
    kube.stallWatches();
    await cluster.admin.create(CONFIG_MAPS, map('a'));
    await advance(50_000);
    expect(names()).toEqual([]);
    await advance(51_000);
    expect(names()).toEqual(['a']);
    expect(kube.openWatches).toBe(1);
  });

  it('lists now and then, so that what no event told is healed', async () => {
    open({ relistMs: 600_000, watchSeconds: 60 });
    await advance(0);
    kube.faults = { ...NO_FAULTS, watchLoss: 1 };
    await cluster.admin.create(CONFIG_MAPS, map('a'));
    await advance(10_000);
    expect(names()).toEqual([]);
    await advance(660_000);
    expect(names()).toEqual(['a']);
  });

  it('waits longer after each failure, never more than the most, and not at all after success', async () => {
    kube.isConnected = false;
    open({ backoffMinMs: 100, backoffMaxMs: 10_000 });
    await advance(60_000);
    const tries = kube.calls.get('list configmaps') ?? 0;
    expect(tries).toBeGreaterThan(8);
    expect(tries).toBeLessThan(25);
    kube.isConnected = true;
    await advance(10_000);
    expect(cache.isSynced).toBe(true);
  });

  it('waits as long as the API server asks', async () => {
    kube.faults = { ...NO_FAULTS, tooManyRequests: 1 };
    open({ backoffMinMs: 1 });
    await advance(10_500);
    expect(kube.calls.get('list configmaps')).toBe(11);
  });

  it('makes no storm of watches that end at once', async () => {
    open({ watchSeconds: 0, backoffMinMs: 100 });
    await advance(60_000);
    expect(kube.calls.get('watch configmaps') ?? 0).toBeLessThan(30);
  });

  it('asks for a list in one piece when the pages grow too old', async () => {
    for (const name of ['a', 'b', 'c']) await cluster.admin.create(CONFIG_MAPS, map(name));
    kube.faults = { ...NO_FAULTS, latencyMaxMs: 100 };
    open({ pageObjects: 1 });
    for (let step = 0; step < 30 && !cache.isSynced; step++) {
      await cluster.admin.apply(CONFIG_MAPS, map('a', String(step)));
      cluster.compact();
      await advance(100);
    }
    expect(names()).toEqual(['a', 'b', 'c']);
  });

  it('leaves no timer and no watch behind', async () => {
    open();
    await advance(0);
    await cache.stop();
    expect([kube.openWatches, clock.pendingTimers]).toEqual([0, 0]);
    expect(names()).toEqual([]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'is right in the end, whatever goes wrong (seed %d)',
    async (seed) => {
      const random = new SeededRandom(seed);
      cluster = new FakeCluster({ clock, seed });
      kube = cluster.connect('agentpool-operator', {
        ...MANY_FAULTS,
        watchCut: 0.1,
        watchStall: 0.02,
      });
      open({ pageObjects: 3, watchSeconds: 20 }, seed);
      const told = new Map<string, string | undefined>();
      cache.onChange(({ key, after }) => told.set(key, after?.data?.['value']));
      for (let step = 0; step < 400; step++) {
        const name = `m${random.between(0, 12)}`;
        if (random.chance(0.3))
          await cluster.admin.delete(CONFIG_MAPS, ref(name)).catch(() => undefined);
        else await cluster.admin.apply(CONFIG_MAPS, map(name, String(step)));
        if (random.chance(0.02)) cluster.compact();
        await advance(random.between(0, 500));
      }
      kube.faults = NO_FAULTS;
      await advance(200_000);
      const { items } = await cluster.admin.list(CONFIG_MAPS, { namespace: '' });
      const truth = items.map(({ metadata, data }) => [metadata.name, data]);
      const held = cache.list().map(({ metadata, data }) => [metadata.name, data]);
      expect(held.toSorted()).toEqual(truth.toSorted());
      const listened = [...told].filter(([, value]) => value !== undefined).map(([key]) => key);
      expect(listened.toSorted()).toEqual(
        items.map((one) => `default/${one.metadata.name}`).toSorted(),
      );
    },
  );

  describe('renewed', () => {
    const renew = (): { isDone: boolean } => {
      const renewal = { isDone: false };
      void cache.renew().then(() => (renewal.isDone = true));
      return renewal;
    };

    it('shows what its watch, which fell silent, has not told', async () => {
      open();
      await advance(10);
      kube.stallWatches();
      await cluster.admin.create(CONFIG_MAPS, map('a'));
      await advance(1_000);
      expect(names()).toEqual([]);
      const renewal = renew();
      await advance(1_000);
      expect(renewal.isDone).toBe(true);
      expect(names()).toEqual(['a']);
      await cluster.admin.create(CONFIG_MAPS, map('b'));
      await advance(1_000);
      expect(names()).toEqual(['a', 'b']);
    });

    it('waits for a list that began after it was asked for, and succeeded', async () => {
      open();
      await advance(10);
      kube.isConnected = false;
      const renewal = renew();
      await advance(10_000);
      expect(renewal.isDone).toBe(false);
      kube.isConnected = true;
      await advance(60_000);
      expect(renewal.isDone).toBe(true);
    });

    it('costs one list, whoever else asks meanwhile', async () => {
      open();
      await advance(10);
      const before = kube.calls.get('list configmaps') ?? 0;
      const renewals = [renew(), renew()];
      await advance(1_000);
      expect(renewals).toEqual([{ isDone: true }, { isDone: true }]);
      expect(kube.calls.get('list configmaps')).toBe(before + 1);
    });

    it('keeps nobody waiting when it is stopped', async () => {
      kube.isConnected = false;
      open();
      const renewal = renew();
      await cache.stop();
      await advance(0);
      expect(renewal.isDone).toBe(true);
    });
  });

  describe('refused', () => {
    const refuse = (isRefused: boolean): void => {
      kube.mayCall = () => !isRefused;
      kube.cutWatches();
    };
    const seen = (): readonly unknown[] => [cache.isCurrent, cache.refusal?.reason, names()];

    it('holds what it held, says that this may be old, and goes on by a list when it may look again', async () => {
      await cluster.admin.create(CONFIG_MAPS, map('a'));
      open();
      await advance(10);
      expect(seen()).toEqual([true, undefined, ['a']]);
      refuse(true);
      await cluster.admin.delete(CONFIG_MAPS, ref('a'));
      await cluster.admin.create(CONFIG_MAPS, map('b'));
      await advance(60_000);
      expect(seen()).toEqual([false, 'Forbidden', ['a']]);
      refuse(false);
      await advance(30_000);
      expect(seen()).toEqual([true, undefined, ['b']]);
    });

    it('from the start it holds nothing, and is not synced', async () => {
      refuse(true);
      await cluster.admin.create(CONFIG_MAPS, map('a'));
      open();
      await advance(10_000);
      expect([cache.isSynced, ...seen()]).toEqual([false, false, 'Forbidden', []]);
      refuse(false);
      await advance(30_000);
      expect(seen()).toEqual([true, undefined, ['a']]);
    });

    it('and to be renewed, it is current only by a list that began after that', async () => {
      open();
      await advance(10);
      refuse(true);
      await advance(60_000);
      kube.faults = { ...NO_FAULTS, latencyMaxMs: 1_000 };
      refuse(false);
      const lists = kube.calls.get('list configmaps') ?? 0;
      while (kube.calls.get('list configmaps') === lists) await clock.advance(10);
      void cache.renew();
      const turns: boolean[] = [];
      cache.follow(() => turns.push(cache.isCurrent));
      await advance(10_000);
      expect(turns).toEqual([false, true]);
      expect(kube.calls.get('list configmaps')).toBe(lists + 2);
    });

    it('tells those who follow', async () => {
      const turns: unknown[] = [];
      open();
      cache.follow(() => turns.push(cache.refusal?.reason));
      await advance(10);
      refuse(true);
      await advance(1_000);
      refuse(false);
      await advance(30_000);
      expect([turns[0], turns[1], turns.at(-1)]).toEqual([undefined, 'Forbidden', undefined]);
    });
  });
});
