/** The operator's loop while the store is away: what needs no store goes on, the rest waits for it. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loaded } from '../../test/fakes/fake-pool-source.ts';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';

const PROJECT = 'default~pool~acme~website';
const REASONS = ['StoreUnavailable', 'StoreRestored'] as const;

describe('while the store is away the operator', () => {
  let world: OperatorWorld;
  beforeEach(async () => {
    world = new OperatorWorld();
    world.put({ replicas: 2 });
    await world.start();
    await world.pass(10_000);
  });
  afterEach(() => world.stop());

  const lose = async (forMs = 10_000): Promise<void> => {
    world.link.reachable = false;
    await world.pass(forMs);
  };
  const regain = async (): Promise<void> => {
    world.link.reachable = true;
    await world.pass(5_000);
  };
  const told = (): readonly string[] =>
    world.told.filter((reason) => (REASONS as readonly string[]).includes(reason));

  it('says so, once, and that it is back', async () => {
    await lose(120_000);
    expect(world.condition('Degraded')).toBe('True StoreUnavailable');
    expect(world.condition('StoreDurable')).toBe('Unknown StoreUnavailable');
    expect(told()).toEqual(['StoreUnavailable']);
    await regain();
    expect(world.condition('Degraded')).toBe('False AsExpected');
    expect(world.condition('StoreDurable')).toBe('False StoreInMemory');
    expect(told()).toEqual(REASONS);
    const [record] = await world.store.listPools();
    expect(record?.status).toEqual(world.status);
  });

  it('leaves alone what runs, before and after', async () => {
    const before = world.running();
    await lose(300_000);
    expect(world.running()).toEqual(before);
    await regain();
    await world.pass(300_000);
    expect(world.running()).toEqual(before);
    expect(world.driver.creates).toBe(2);
  });

  it('replaces a runtime that dies', async () => {
    const [name = '', other = ''] = world.running();
    await lose(1_000);
    world.driver.runtime(name).exit('Crashed', 'was ended by SIGKILL');
    await world.pass(1_000);
    expect(world.running()).toHaveLength(2);
    expect(world.running()).toContain(other);
    expect(world.status.readyReplicas).toBe(1);
    expect(world.told).toContain('RuntimeLost');
  });

  it('waits for one that cannot say that it is ready, and counts its time from the return on', async () => {
    const [name = ''] = world.running();
    await lose(1_000);
    world.driver.times.startMs = 20_000;
    world.driver.runtime(name).exit('Crashed', 'was ended by SIGKILL');
    await world.pass(600_000);
    expect(world.driver.creates).toBe(3);
    await regain();
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.driver.creates).toBe(3);
  });

  it('holds failures for want of the store against nobody', async () => {
    const revision = world.status.updateRevision;
    const before = world.running();
    await lose(1_000);
    world.driver.fates.set(revision, 'Crashed');
    for (const name of before) world.driver.runtime(name).exit('Crashed', 'was ended by SIGKILL');
    await world.pass(300_000);
    expect(world.driver.creates).toBeLessThan(2 + 2 * 16);
    world.driver.fates.clear();
    await regain();
    expect(world.condition('Ready')).toBe('True AllReady');
  });

  it('lets no roll-out fail for want of the store', async () => {
    world.put({ replicas: 2, updateStrategy: { progressDeadlineSeconds: 10 } }, loaded('two'));
    await world.pass(100);
    world.driver.fateOfDigest.set('two', 'Crashed');
    await lose(300_000);
    world.driver.fateOfDigest.clear();
    await regain();
    await world.pass(30_000);
    expect(world.condition('Progressing')).toBe('True RolloutComplete');
    expect(world.told).not.toContain('RolloutStalled');
  });

  it('begins with a new revision, and takes away no old one for it', async () => {
    const before = world.running();
    await lose(1_000);
    world.put({ replicas: 2 }, loaded('two'));
    await world.pass(60_000);
    expect(world.running()).toHaveLength(3);
    expect(world.running()).toEqual(expect.arrayContaining([...before]));
    await regain();
    await world.pass(30_000);
    expect(world.running()).toHaveLength(2);
    expect(world.running()).not.toContain(before[0]);
    expect(world.condition('Progressing')).toBe('True RolloutComplete');
  });

  it('ends the runtimes of a deleted pool at once, and forgets it when the store is back', async () => {
    await lose(1_000);
    world.source.take('default~pool');
    await world.pass(10_000);
    expect(world.driver.runtimes).toEqual([]);
    expect(await world.store.listPools()).toHaveLength(1);
    await regain();
    expect(await world.store.listPools()).toEqual([]);
    expect(world.operator.pools()).toEqual([]);
  });

  it('scales up, and down when the store is back', async () => {
    await lose(1_000);
    world.put({ replicas: 4 });
    await world.pass(1_000);
    expect(world.running()).toHaveLength(4);
    world.put({ replicas: 1 });
    await world.pass(60_000);
    expect(world.running()).toHaveLength(4);
    await regain();
    await world.pass(10_000);
    expect(world.running()).toHaveLength(1);
  });

  it('keeps HOT projects where they are, whatever time has passed', async () => {
    world.put({ replicas: 2, tiers: { hot: { idleSeconds: 60 } } });
    await world.setTier(PROJECT, 'HOT');
    await world.pass(10_000);
    const [name = ''] = world.running('dedicated');
    await lose(300_000);
    expect(world.running('dedicated')).toEqual([name]);
    expect(world.status.tiers[0]).toMatchObject({ name: 'HOT', desired: 1 });
    await regain();
    expect(world.running('dedicated')).toEqual([]);
  });
});

describe('an operator that never heard of the store', () => {
  it('says what the one before it said of readiness, and that the store is away', async () => {
    const world = new OperatorWorld();
    world.put({ replicas: 2 });
    await world.start();
    await world.pass(10_000);
    const { conditions, tiers, readyReplicas } = world.status;
    world.source.leftStatus = world.status;
    await world.stop();
    world.link.reachable = false;
    world.put({ replicas: 2 });
    await world.start();
    await world.pass(60_000);
    expect(world.status).toMatchObject({ readyReplicas, tiers });
    expect(readyReplicas).toBe(2);
    const still = (types: readonly string[]) =>
      conditions.filter((one) => types.includes(one.type));
    expect(world.status.conditions).toEqual(
      expect.arrayContaining(still(['Ready', 'Available', 'Progressing'])),
    );
    expect(world.condition('Degraded')).toBe('True StoreUnavailable');
    expect(world.condition('StoreDurable')).toBe('Unknown StoreUnavailable');
    const [name = ''] = world.running();
    world.driver.runtime(name).exit('Crashed', 'was ended by SIGKILL');
    await world.pass(5_000);
    expect(world.running()).toHaveLength(2);
    world.link.reachable = true;
    await world.pass(20_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.condition('Degraded')).toBe('False AsExpected');
    await world.stop();
  });

  it('ends nothing that another one has made, and makes what is missing', async () => {
    const world = new OperatorWorld();
    world.put({ replicas: 2 });
    await world.start();
    await world.pass(10_000);
    const before = world.running();
    await world.stop();
    world.link.reachable = false;
    world.put({ replicas: 3 }, loaded('two'));
    await world.start();
    await world.pass(600_000);
    expect(world.running()).toEqual(expect.arrayContaining([...before]));
    expect(world.running().length).toBeLessThanOrEqual(4);
    world.link.reachable = true;
    await world.pass(60_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.running()).toHaveLength(3);
    await world.stop();
  });
});
