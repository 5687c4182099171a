/** The operator's loop over a driver that fails or lies. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
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
