/** Orders to end whose answer is lost: nobody knows whether they are carried out, and no other runtime goes, or comes, for that. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { noAnswer } from '../../test/fakes/fake-driver.ts';
import { loaded } from '../../test/fakes/fake-pool-source.ts';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';

const STEP_MS = 25;
const STALE_MS = 4_000;

describe('while nobody knows whether a runtime ends', () => {
  let world: OperatorWorld;
  let made: number;
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.stop());

  const ready = (): number =>
    world.driver.runtimes.filter((one) => one.counts && !one.isStarting).length;
  const began = async (replicas: number): Promise<void> => {
    world.driver.times.drainMs = 20_000;
    world.put({ replicas });
    await world.start();
    await world.pass(10_000);
    made = world.driver.creates;
  };
  /** Neither lists nor the store tell for a while that some of them are going. */
  const blur = (names: readonly string[]): void => {
    world.driver.faults.staleMs = STALE_MS;
    for (const name of names) world.driver.runtime(name).cutOff();
  };
  const clear = (): void => {
    world.driver.faults.staleMs = 0;
    for (const one of world.driver.runtimes) one.mend();
  };
  /** The fewest that served at any time, and the most that ran. */
  const within = async (ms: number): Promise<{ fewest: number; most: number }> => {
    let [fewest, most] = [Infinity, 0];
    for (let leftMs = ms; leftMs > 0; leftMs -= STEP_MS) {
      await world.pass(STEP_MS);
      fewest = Math.min(fewest, ready());
      most = Math.max(most, world.running().length);
    }
    return { fewest, most };
  };

  it.each([
    ['they are carried out', { unansweredDrains: 2, lostDrains: 0 }],
    ['they are lost', { unansweredDrains: 0, lostDrains: 2 }],
    ['one is carried out and one is lost', { unansweredDrains: 1, lostDrains: 1 }],
  ])('no others are drained when fewer are wanted: %s', async (_which, faults) => {
    await began(4);
    blur(world.running());
    Object.assign(world.driver.faults, faults);
    world.put({ replicas: 2 });
    expect((await within(3_500)).fewest).toBe(2 + faults.lostDrains);
    clear();
    expect((await within(120_000)).fewest).toBe(2);
    expect(world.running()).toHaveLength(2);
    expect(world.driver.creates).toBe(made);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.condition('Degraded')).toBe('False AsExpected');
  });

  it.each([
    ['it is carried out', { unansweredDrains: 1, lostDrains: 0 }],
    ['it is lost', { unansweredDrains: 0, lostDrains: 1 }],
  ])('as many serve as should while a new revision replaces them: %s', async (_which, faults) => {
    await began(3);
    const old = world.running();
    blur([]);
    world.put({ replicas: 3 }, loaded('two'));
    await world.pass(STALE_MS - 100);
    blur(old);
    Object.assign(world.driver.faults, faults);
    const soon = await within(3_500);
    clear();
    const later = await within(120_000);
    expect([soon.fewest, soon.most, later.fewest, later.most]).toEqual([
      3 + faults.lostDrains,
      4,
      3,
      4,
    ]);
    expect(world.driver.creates).toBe(made + 3);
    expect(world.condition('Ready')).toBe('True AllReady');
  });

  it('none is drained in the place of one that was to be removed', async () => {
    await began(2);
    world.driver.fateOfRequest = () => 'Hangs';
    world.driver.faults.failRemove = noAnswer();
    world.put({ replicas: 3 });
    await world.pass(75_000);
    const [hanging] = world.driver.runtimes.slice(-1);
    expect([hanging?.isStarting, ready()]).toEqual([true, 2]);
    world.put({ replicas: 2 });
    expect((await within(20_000)).fewest).toBe(2);
    world.driver.faults.failRemove = undefined;
    expect((await within(120_000)).fewest).toBe(2);
    expect(world.running()).toHaveLength(2);
    expect(world.driver.creates).toBe(made + 1);
  });

  it('those that are known to stay count, and others go in their place, not one more', async () => {
    await began(4);
    const refused = world.running().slice(2);
    world.driver.faults.stuck = new Set(refused);
    world.put({ replicas: 2 });
    const { fewest } = await within(60_000);
    expect([fewest, world.running()]).toEqual([2, refused]);
    expect(world.driver.creates).toBe(made);
  });
});
