/** The operator's loop over runtimes that run, and that the store does not hear of. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';

const PROJECT = 'default~pool~acme~website';
/** The lease, and the time after it. */
const LOST_MS = 40_000;

describe('of runtimes that are not heard of the operator', () => {
  let world: OperatorWorld;
  beforeEach(async () => {
    world = new OperatorWorld();
    world.put({ replicas: 2, tiers: { hot: { standby: 0, maxInstances: 2 } } });
    await world.start();
    await world.pass(10_000);
  });
  afterEach(() => world.stop());

  it('replaces one in time, without being told', async () => {
    const [name = '', other = ''] = world.running();
    world.driver.runtime(name).cutOff();
    await world.pass(LOST_MS - 5_000);
    expect(world.running()).toContain(name);
    await world.pass(6_000);
    expect(world.running()).not.toContain(name);
    expect(world.running()).toContain(other);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.events()).toContain('RuntimeLost');
  });

  it('gives those that a new pool of the name finds the same time', async () => {
    await world.pass(120_000);
    const before = world.running();
    for (const name of before) world.driver.runtime(name).cutOff();
    await world.pass(11_000);
    world.source.uid = 'uid-2';
    world.put({ replicas: 2, maxInstances: 7 });
    await world.pass(20_000);
    expect(world.running()).toEqual(before);
    for (const name of before) world.driver.runtime(name).mend();
    await world.pass(10_000);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.running()).toEqual(before);
  });

  it('keeps one that is heard of again', async () => {
    const before = world.running();
    for (let i = 0; i < 3; i++) {
      world.driver.runtime(before[0] ?? '').cutOff();
      await world.pass(LOST_MS - 5_000);
      world.driver.runtime(before[0] ?? '').mend();
      await world.pass(3_000);
    }
    expect(world.running()).toEqual(before);
  });

  it('replaces that of a HOT project', async () => {
    await world.setTier(PROJECT, 'HOT');
    await world.pass(5_000);
    const [name = ''] = world.running('dedicated');
    world.driver.runtime(name).cutOff();
    await world.pass(LOST_MS + 5_000);
    const [now = ''] = world.running('dedicated');
    expect(now).not.toBe(name);
    expect(world.driver.runtime(now).binding?.project).toBe(PROJECT);
  });

  it('replaces all, when the first that comes in their place is heard of', async () => {
    const before = world.running();
    for (const name of before) world.driver.runtime(name).cutOff();
    world.driver.times.startMs = 10_000;
    await world.pass(LOST_MS + 5_000);
    expect(world.running().filter((name) => before.includes(name))).toHaveLength(1);
    await world.pass(30_000);
    expect(world.running().filter((name) => before.includes(name))).toEqual([]);
    expect(world.condition('Ready')).toBe('True AllReady');
  });

  it('leaves all alone where the store takes nothing, and says so', async () => {
    const before = world.running();
    world.refused.add('heartbeat').add('putPool');
    await world.pass(300_000);
    expect(world.running()).toEqual(before);
    expect(world.driver.creates).toBe(2);
    expect(world.condition('Degraded')).toBe('True StoreUnavailable');
    world.refused.clear();
    await world.pass(15_000);
    expect(world.running()).toEqual(before);
    expect(world.condition('Ready')).toBe('True AllReady');
    expect(world.condition('Degraded')).toBe('False AsExpected');
  });

  it('counts their time from when the store was away last', async () => {
    const [name = ''] = world.running();
    world.driver.runtime(name).cutOff();
    await world.pass(LOST_MS - 5_000);
    world.link.reachable = false;
    await world.pass(60_000);
    world.link.reachable = true;
    await world.pass(25_000);
    expect(world.running()).toContain(name);
    await world.pass(10_000);
    expect(world.running()).not.toContain(name);
  });
});
