import { describe, expect, it, jest } from '@jest/globals';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import type { PoolRecord } from '../../platform/store/store.ts';
import { FakeClock, settle } from './fake-clock.ts';
import { FlakyStore, type CallPlan } from './flaky-store.ts';

const POOL: PoolRecord = {
  key: 'default~demo',
  generation: 1,
  spec: {},
  status: {},
  revision: 'r',
};

function setUp(plan?: CallPlan) {
  const clock = new FakeClock();
  const inner = new MemoryStore(clock);
  const flaky = new FlakyStore(inner, {
    clock,
    plan: (method) => (method === 'putPool' ? plan : undefined),
  });
  return { clock, inner, flaky };
}

describe('a flaky store', () => {
  it('passes calls on, and survives being returned from a promise', async () => {
    const { flaky } = setUp();
    const store = await Promise.resolve(flaky.store);
    await store.putPool(POOL);
    expect(await store.listPools()).toEqual([POOL]);
    expect(store.kind).toBe('memory');
  });

  it.each([
    ['before', 'not-applied', 0],
    ['lost', 'unknown', 0],
    ['after', 'unknown', 1],
    ['late', 'unknown', 1],
  ] as const)('with fault %s fails as %s with %d applied', async (fault, outcome, applied) => {
    const { flaky, inner, clock } = setUp({ fault });
    const failed = expect(flaky.store.putPool(POOL)).rejects.toMatchObject({ outcome });
    await clock.advance(2_000);
    await failed;
    expect(await inner.listPools()).toHaveLength(applied);
  });

  it('applies a late call after its caller has given up', async () => {
    const { flaky, inner, clock } = setUp({ fault: 'late', requestDelayMs: 3_000 });
    const failed = expect(flaky.store.putPool(POOL)).rejects.toMatchObject({ outcome: 'unknown' });
    await clock.advance(2_000);
    await failed;
    expect(await inner.listPools()).toEqual([]);
    await clock.advance(1_000);
    expect(await inner.listPools()).toEqual([POOL]);
  });

  it('delays request and answer', async () => {
    const { flaky, inner, clock } = setUp({ requestDelayMs: 10, answerDelayMs: 10 });
    const done = jest.fn();
    void flaky.store.putPool(POOL).then(done);
    await clock.advance(9);
    expect(await inner.listPools()).toEqual([]);
    await clock.advance(1);
    expect(await inner.listPools()).toEqual([POOL]);
    expect(done).not.toHaveBeenCalled();
    await clock.advance(10);
    expect(done).toHaveBeenCalled();
  });

  it('fails everything while it is away, and tells subscribers when it is back', async () => {
    const { flaky, inner } = setUp();
    const heard = jest.fn();
    flaky.store.subscribe('pools', heard);
    flaky.reachable = false;
    await expect(flaky.store.listPools()).rejects.toMatchObject({ outcome: 'not-applied' });
    await inner.putPool(POOL);
    await settle();
    expect(heard).not.toHaveBeenCalled();
    flaky.reachable = true;
    await settle();
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it('goes on with a store restored from a snapshot: data there, leases gone', async () => {
    const { flaky, inner, clock } = setUp();
    await flaky.store.putPool(POOL);
    const heard = jest.fn();
    flaky.store.subscribe('pools', heard);
    flaky.replace(new MemoryStore(clock, inner.dump()));
    await settle();
    expect(heard).toHaveBeenCalledTimes(1);
    expect(await flaky.store.listPools()).toEqual([POOL]);
    await flaky.store.deletePool(POOL.key);
    expect(await inner.listPools()).toEqual([POOL]);
    await settle();
    expect(heard).toHaveBeenCalledTimes(2);
  });
});
