/** The operator's loop over a driver that fails or lies. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Hindered } from './hindered.ts';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';

describe('over a driver that fails or lies the operator', () => {
  let world: OperatorWorld;
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.stop());

  it('makes no more than is wanted while lists do not show what was made', async () => {
    world.driver.faults.createDelayMs = 5_000;
    world.put({ replicas: 3 });
    await world.start();
    for (let i = 0; i < 20; i++) {
      await world.pass(200);
      world.put({ replicas: 3, maxInstances: 50 + i });
    }
    await world.pass(10_000);
    expect(world.driver.creates).toBe(3);
  });

  it('makes anew what was refused', async () => {
    world.driver.faults.refuseCreates = 3;
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(5_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.driver.creates).toBe(1);
  });

  it('begins anew with a pool that was deleted and made again while nobody looked', async () => {
    const broken = { at: 'broken', message: 'no such module' } as const;
    const isReady = () => world.status.conditions.find(({ type }) => type === 'Ready');
    world.put({ replicas: 1 }, broken);
    await world.start();
    await world.pass(1_000);
    const before = isReady();
    expect(before?.status).toBe('False');
    await world.pass(60_000);
    expect(isReady()).toEqual(before);
    world.source.uid = 'uid-2';
    world.put({ replicas: 1 }, broken);
    await world.pass(1_000);
    expect(isReady()).toMatchObject({ status: 'False' });
    expect(isReady()?.lastTransitionTime).not.toBe(before?.lastTransitionTime);
  });

  it('finds an exit that nobody told of', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    world.driver.faults.losesEvents = true;
    const [name = ''] = world.running();
    world.driver.runtime(name).exit('Crashed', 'was ended by SIGKILL');
    await world.pass(35_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.running()).not.toContain(name);
  });

  it('says what has kept it from making runtimes for some seconds, and that it is over', async () => {
    world.driver.faults.failPrepare = new Hindered('OperatorForbidden', 'cannot get secrets');
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(4_000);
    expect(world.condition('Degraded')).toBe('False AsExpected');
    await world.pass(16_000);
    for (const [type, status] of Object.entries({ Ready: 'False', Degraded: 'True' }))
      expect(world.condition(type)).toBe(`${status} OperatorForbidden`);
    expect(world.condition('Progressing')).toBe('False OperatorForbidden');
    expect(world.events().filter((one) => one === 'OperatorForbidden')).toHaveLength(1);
    expect(world.driver.creates).toBe(0);
    world.driver.faults.failPrepare = undefined;
    await world.pass(12_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.condition('Degraded')).toBe('False AsExpected');
    expect(world.events()).toContain('Recovered');
  });

  it('says the same of a pool that serves, and that it is over without anything else to do', async () => {
    world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    world.driver.faults.failPrepare = new Hindered('ObjectNotOwned', 'not ours');
    await world.pass(60_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.condition('Degraded')).toBe('True ObjectNotOwned');
    world.driver.faults.failPrepare = undefined;
    await world.pass(12_000);
    expect(world.condition('Degraded')).toBe('False AsExpected');
  });

  it('says that projects get no runtimes, however long each new standby takes, until one has one', async () => {
    const bind = world.driver.bind.bind(world.driver);
    world.driver.bind = async () => {
      throw new Hindered('OperatorForbidden', 'cannot patch pods');
    };
    world.driver.times.startMs = 8_000;
    world.put({ replicas: 1, tiers: { hot: { standby: 1 } } });
    await world.start();
    await world.pass(30_000);
    await world.setTier('default~pool~acme~website', 'HOT');
    await world.pass(30_000);
    for (let passes = 0; passes < 60; passes++) {
      expect(world.condition('Degraded')).toBe('True OperatorForbidden');
      await world.pass(500);
    }
    expect(world.events().filter((one) => one === 'OperatorForbidden')).toHaveLength(1);
    world.driver.bind = bind;
    await world.pass(30_000);
    expect(world.condition('Degraded')).toBe('False AsExpected');
  });

  it('says no more that projects get no runtimes once no project wants one', async () => {
    world.driver.bind = async () => {
      throw new Hindered('OperatorForbidden', 'cannot patch pods');
    };
    world.put({ replicas: 1, tiers: { hot: { standby: 1 } } });
    await world.start();
    await world.setTier('default~pool~acme~website', 'HOT');
    await world.pass(60_000);
    expect(world.condition('Degraded')).toBe('True OperatorForbidden');
    await world.setTier('default~pool~acme~website', 'WARM');
    await world.pass(660_000);
    expect(world.condition('Degraded')).toBe('False AsExpected');
  });

  it('tells of a deleted pool whose runtimes it cannot remove', async () => {
    const key = world.put({ replicas: 1 });
    await world.start();
    await world.pass(10_000);
    world.driver.faults.failRemove = new Hindered('OperatorForbidden', 'cannot delete pods');
    world.source.take(key);
    await world.pass(30_000);
    expect(world.told).toContain('OperatorForbidden');
    world.driver.faults.failRemove = undefined;
    await world.pass(30_000);
    expect(world.operator.pools()).toEqual([]);
  });

  it('over lists that lag drains no more than it should', async () => {
    world.put({ replicas: 3 });
    await world.start();
    await world.pass(10_000);
    world.driver.faults.staleMs = 3_000;
    world.put({ replicas: 2 });
    for (let i = 0; i < 10; i++) {
      await world.pass(300);
      world.put({ replicas: 2, maxInstances: 50 + i });
    }
    await world.pass(30_000);
    expect(world.running()).toHaveLength(2);
    expect(world.driver.creates).toBe(3);
  });
});
