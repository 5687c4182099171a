import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { agentPoolSpecSchema } from '../../api/agent-pool.ts';
import { silentLog } from '../../platform/log.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import type { RuntimeRecord } from '../../platform/store/store.ts';
import { runtimeRecord } from '../../test/conformance/store-builders.ts';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { FlakyStore } from '../../test/fakes/flaky-store.ts';
import { PoolView } from './pool-view.ts';

const POOL = 'default~main';
const MINE = `${POOL}~acme~mine`;
const record = {
  key: POOL,
  generation: 1,
  spec: agentPoolSpecSchema.parse({}),
  status: {},
  revision: 'r1',
};

describe('what a dedicated runtime asks of its pool', () => {
  let clock: FakeClock;
  let store: MemoryStore;
  let flaky: FlakyStore;
  let asked: string[];
  let view: PoolView;
  const onChange = jest.fn();

  const setTier = async (key: string, tier: 'HOT' | 'WARM', expected = 0): Promise<void> => {
    await store.setTierOverride(key, { tier, sinceMs: 1 }, expected);
    await settle();
  };

  beforeEach(async () => {
    clock = new FakeClock();
    store = new MemoryStore(clock);
    asked = [];
    flaky = new FlakyStore(store, {
      clock,
      plan: (method) => {
        asked.push(method);
        return undefined;
      },
    });
    await store.putPool(record);
    view = new PoolView({ clock, store: flaky.store, log: silentLog, onChange }, POOL, 'dedicated');
    await view.start();
    asked.length = 0;
  });

  it('is nothing while it stands by and others change', async () => {
    await setTier(`${POOL}~acme~other`, 'HOT');
    await store.putPool({ ...record, status: { observedGeneration: 1 } });
    await settle();
    expect(asked).toEqual([]);
  });

  it('is the pool when that has changed', async () => {
    await store.putPool({ ...record, revision: 'r2' });
    await settle();
    expect(asked).toEqual(['listPools']);
    expect(view.revision).toBe('r2');
  });

  it('is the tier of its own project once it has one', async () => {
    await setTier(MINE, 'HOT');
    view.followProject(MINE);
    await settle();
    expect(view.tierOf(MINE)).toBe('HOT');
    await setTier(MINE, 'WARM', 1);
    expect(view.tierOf(MINE)).toBe('WARM');
    expect(new Set(asked)).toEqual(new Set(['readTierOverride']));
  });

  it('lets nobody move its project before it has read the tier', async () => {
    await setTier(MINE, 'HOT');
    flaky.reachable = false;
    view.followProject(MINE);
    await settle();
    expect(view.tierOf(MINE)).toBe('HOT');
    flaky.reachable = true;
    await setTier(MINE, 'WARM', 1);
    await clock.advance(1_000);
    expect(view.tierOf(MINE)).toBe('WARM');
  });
});

describe('what a shared runtime knows of the others', () => {
  let clock: FakeClock;
  let store: MemoryStore;
  let answerDelayMs: number;
  let asked: string[];
  let view: PoolView;
  const onChange = jest.fn();
  const own = { role: 'dedicated', ready: false, pool: POOL, incarnation: 'own' } as const;

  const say = async (more: Partial<RuntimeRecord>): Promise<void> => {
    await store.heartbeat(runtimeRecord({ ...own, ...more }), 60_000);
    await settle();
  };

  beforeEach(async () => {
    clock = new FakeClock();
    store = new MemoryStore(clock);
    asked = [];
    answerDelayMs = 0;
    const { store: flaky } = new FlakyStore(store, {
      clock,
      plan: (method) => {
        asked.push(method);
        return { answerDelayMs };
      },
    });
    await store.putPool(record);
    await say({});
    view = new PoolView({ clock, store: flaky, log: silentLog, onChange }, POOL, 'shared');
    await view.start();
    asked.length = 0;
    onChange.mockClear();
  });

  it('is what they say, at once and without asking', async () => {
    await say({ bound: MINE });
    expect([view.hotProjects, view.dedicatedOf(MINE)]).toEqual([1, undefined]);
    await say({ bound: MINE, ready: true });
    expect(view.dedicatedOf(MINE)).toMatchObject({ incarnation: 'own' });
    expect(onChange).toHaveBeenCalledTimes(2);
    await store.deregister('own');
    await settle();
    expect(view.dedicatedOf(MINE)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  it('outlasts a read that was under way and answers with what was before', async () => {
    answerDelayMs = 100;
    const read = view.refreshAll();
    while (asked.at(-1) !== 'listRuntimes') await clock.advance(50);
    await say({ bound: MINE, ready: true });
    expect(view.dedicatedOf(MINE)).toBeDefined();
    await clock.advance(100);
    await read;
    expect(view.dedicatedOf(MINE)).toBeDefined();
  });

  it('is of no consequence where only the number of instances has changed', async () => {
    await say({ instances: { HOT: 1, WARM: 0, COLD: 0 }, blanks: 1 });
    expect(onChange).not.toHaveBeenCalled();
  });
});
