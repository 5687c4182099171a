/** HOT projects under the operator's loop, over a fake driver and a real memory store. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loaded } from '../../test/fakes/fake-pool-source.ts';
import { warm } from '../../test/builders/pool-builders.ts';
import { LEASE_TTL_MS } from '../../platform/store/store.ts';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';

const PROJECT = 'default~pool~acme~website';

describe('HOT projects', () => {
  let world: OperatorWorld;
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.stop());

  it('get a standby at once, and the standby is made good', async () => {
    world.put({ replicas: 1, tiers: { hot: { standby: 1 } } });
    await world.start();
    await world.pass(10_000);
    const [standby = ''] = world.running('dedicated');
    await world.setTier(PROJECT, 'HOT');
    await world.pass(300);
    expect(world.driver.runtime(standby).binding?.project).toBe(PROJECT);
    expect((await world.store.readOwner(PROJECT))?.incarnation).toBe(standby);
    await world.pass(2_000);
    expect(world.running('dedicated')).toHaveLength(2);
    expect(world.status.tiers[0]).toEqual({
      name: 'HOT',
      desired: 1,
      ready: 1,
      allocated: 1,
      idle: 1,
    });
    expect(world.events()).toEqual(expect.arrayContaining(['Bound', 'Promoted']));
  });

  it('get a runtime that is made for them where there is no standby', async () => {
    world.put({ replicas: 1, projects: [{ tenant: 'acme', project: 'website', tier: 'HOT' }] });
    world.driver.isHot.add(PROJECT);
    await world.start();
    await world.pass(10_000);
    expect(world.running('dedicated')).toHaveLength(1);
    expect(world.status.tiers[0]).toMatchObject({ desired: 1, ready: 1, idle: 0 });
    expect(world.condition('Ready')).toBe('True AllReady');
  });

  it('lose it when they are demoted, after it was released', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.setTier(PROJECT, 'HOT');
    await world.pass(10_000);
    const [name = ''] = world.running('dedicated');
    await world.setTier(PROJECT, 'WARM');
    await world.pass(100);
    expect(world.running('dedicated')).toEqual([name]);
    await world.pass(5_000);
    expect(world.running('dedicated')).toEqual([]);
    expect(world.events()).toContain('Demoted');
  });

  it('lose it when the override expires', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.setTier(PROJECT, 'HOT');
    const wallMs = world.clock.wallMs();
    await world.store.setTierOverride(
      PROJECT,
      { tier: 'HOT', sinceMs: wallMs, expiresAtMs: wallMs + 20_000 },
      1,
    );
    await world.pass(19_000);
    expect(world.running('dedicated')).toHaveLength(1);
    world.driver.isHot.delete(PROJECT);
    await world.pass(5_000);
    expect(world.running('dedicated')).toEqual([]);
  });

  it('lose it when they are idle', async () => {
    world.put({ replicas: 1, tiers: { hot: { idleSeconds: 60 } } });
    await world.start();
    await world.setTier(PROJECT, 'HOT');
    await world.pass(50_000);
    expect(world.running('dedicated')).toHaveLength(1);
    await world.pass(15_000);
    expect(world.running('dedicated')).toEqual([]);
  });

  it('are served in the order of their rank when there are too many', async () => {
    const pinned = 'default~pool~acme~pinned';
    world.put({ replicas: 1, tiers: { hot: { maxInstances: 1 } } });
    await world.start();
    await world.setTier(PROJECT, 'HOT');
    await world.pass(10_000);
    world.driver.isHot.add(pinned);
    world.put({
      replicas: 1,
      tiers: { hot: { maxInstances: 1 } },
      projects: [{ tenant: 'acme', project: 'pinned', tier: 'HOT' }],
    });
    await world.pass(10_000);
    expect(world.driver.runtimes.map((one) => one.binding?.project).filter(Boolean)).toEqual([
      pinned,
    ]);
    expect(world.condition('Degraded')).toBe('True HotCapacityReached');
    expect(world.events()).toContain('HotCapacityReached');
  });

  it('by default: those that are used', async () => {
    world.put({ replicas: 1, tiers: { default: 'HOT' } });
    await world.start();
    await world.pass(5_000);
    expect(world.running('dedicated')).toEqual([]);
    let scans = 0;
    const listProjects = world.store.listProjects.bind(world.store);
    world.store.listProjects = (...args) => {
      scans += 1;
      return listProjects(...args);
    };
    await world.pass(20_000);
    expect(scans).toBe(0);
    world.driver.isHot.add(PROJECT);
    const [runtime] = await world.store.listRuntimes();
    await world.store.claim({
      key: PROJECT,
      incarnation: runtime?.incarnation ?? '',
      claimId: 'c',
    });
    await world.store.heartbeat({ ...runtime!, instances: warm(1) }, LEASE_TTL_MS);
    await world.pass(1_000);
    expect(world.driver.runtimes.map((one) => one.binding?.project)).toContain(PROJECT);
  });

  it('roll with the others, and are never without a ready runtime', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.setTier(PROJECT, 'HOT');
    await world.pass(10_000);
    const [old = ''] = world.running('dedicated');
    world.put({ replicas: 1 }, loaded('two'));
    for (let i = 0; i < 60; i++) {
      await world.pass(100);
      const ready = (await world.store.listRuntimes()).filter(
        (one) => one.bound === PROJECT && one.ready,
      );
      expect(ready.length).toBeGreaterThan(0);
    }
    expect(world.running('dedicated')).toHaveLength(1);
    expect(world.running('dedicated')).not.toContain(old);
    expect(world.events().filter((reason) => reason === 'Promoted')).toHaveLength(1);
    expect(world.view().events.find((one) => one.reason === 'Promoted')?.count).toBe(1);
    expect(world.told.filter((reason) => reason === 'Promoted')).toHaveLength(1);
  });

  it('are bound before anything is published, also when one follows the other', async () => {
    const projects = ['a', 'b', 'c'].map((name) => `default~pool~acme~${name}`);
    world.put({ replicas: 1, tiers: { hot: { standby: 3 } } });
    await world.start();
    await world.pass(10_000);
    const steps: string[] = [];
    const bind = world.driver.bind.bind(world.driver);
    const create = world.driver.create.bind(world.driver);
    world.driver.bind = async (...args) => {
      steps.push('bind');
      await world.clock.sleep(20);
      await bind(...args);
    };
    world.driver.create = async (...args) => {
      steps.push('create');
      await create(...args);
    };
    world.store.subscribe('pools', () => steps.push('record'));
    for (const project of projects) {
      await world.setTier(project, 'HOT');
      await world.pass(5);
    }
    await world.pass(300);
    expect(steps.slice(0, 3)).toEqual(['bind', 'bind', 'bind']);
    await world.pass(2_000);
    expect(steps.filter((step) => step === 'create')).toHaveLength(3);
    expect(world.status.tiers[0]).toMatchObject({ desired: 3, ready: 3, idle: 3 });
  });

  it('a bind whose answer got lost costs the runtime, not the project', async () => {
    world.put({ replicas: 1, tiers: { hot: { standby: 1 } } });
    await world.start();
    await world.pass(10_000);
    world.driver.faults.failBinds = 1;
    await world.setTier(PROJECT, 'HOT');
    await world.pass(5_000);
    expect(world.driver.runtimes.filter((one) => one.binding?.project === PROJECT)).toHaveLength(1);
    expect(world.status.tiers[0]).toMatchObject({ ready: 1, idle: 1 });
  });

  it('a standby that another operator gave away is left to its project, and another one is bound', async () => {
    const other = 'default~pool~acme~other';
    world.put({ replicas: 1, tiers: { hot: { standby: 2 } } });
    await world.start();
    await world.pass(10_000);
    const bind = world.driver.bind.bind(world.driver);
    let stolen = '';
    world.driver.bind = async (runtime, project) => {
      if (stolen === '') {
        stolen = runtime.name;
        await bind(runtime, other);
      }
      await bind(runtime, project);
    };
    await world.setTier(PROJECT, 'HOT');
    await world.setTier(other, 'HOT');
    await world.pass(5_000);
    const bound = world.driver.runtimes.filter((one) => one.binding !== undefined);
    expect(bound.find(({ binding }) => binding?.project === other)?.request.name).toBe(stolen);
    expect(bound.map(({ binding }) => binding?.project).sort()).toEqual([other, PROJECT].sort());
    expect(world.status.tiers[0]).toMatchObject({ desired: 2, ready: 2 });
  });
});
