import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLog } from '../../platform/log.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { STORE_METHODS, type StoreMethod } from '../../platform/store/store-methods.ts';
import { type Store, StoreError } from '../../platform/store/store.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { LateStore } from './late-store.ts';

const KEY = 'default~pool~acme~docs';
const RETRY_MS = 2_000;

describe('a store that is away when it is opened', () => {
  let clock: FakeClock;
  let inner: MemoryStore;
  let isAway: boolean;
  let opened: number;
  let read: () => Promise<void>;
  let late: LateStore;
  let store: Store;
  beforeEach(async () => {
    clock = new FakeClock();
    inner = new MemoryStore(clock);
    isAway = true;
    opened = 0;
    read = async () => undefined;
    late = new LateStore({
      kind: 'redis',
      open: async () => {
        if (isAway) throw new Error('ECONNREFUSED');
        opened += 1;
        return inner;
      },
      onOpen: () => read(),
      ...{ retryMs: RETRY_MS, clock, log: silentLog },
    });
    store = late.store;
    await clock.advance(0);
  });
  afterEach(() => store.close());
  const come = async (): Promise<void> => {
    isAway = false;
    await clock.advance(RETRY_MS);
  };

  it('is said to have been tried, and fails each call as one that was lost does', async () => {
    await late.tried;
    expect([store.kind, late.isOpen]).toEqual(['redis', false]);
    expect(store.durability).toBeUndefined();
    for (const method of Object.keys(STORE_METHODS) as StoreMethod[]) {
      const call = (store[method] as (key: string) => Promise<unknown>)(KEY);
      await expect(call).rejects.toMatchObject({ outcome: 'not-applied' });
      await expect(call).rejects.toBeInstanceOf(StoreError);
      await expect(call).rejects.toThrow('ECONNREFUSED');
    }
  });

  it('is used as soon as it comes, and opened once', async () => {
    await come();
    expect(late.isOpen).toBe(true);
    await store.setTierOverride(KEY, { tier: 'HOT', sinceMs: 1 }, 0);
    expect((await inner.readTierOverride(KEY))?.tier).toBe('HOT');
    await clock.advance(10 * RETRY_MS);
    expect(opened).toBe(1);
  });

  it('tells those who asked before, once it comes and when something changes, until they want no more', async () => {
    const heard: unknown[] = [];
    const stop = store.subscribe('tiers', (pool) => heard.push(pool));
    const none = store.subscribe('tiers', () => heard.push('never'));
    none();
    await clock.advance(10 * RETRY_MS);
    expect(heard).toEqual([]);
    await come();
    expect(heard).toEqual([undefined]);
    await inner.setTierOverride(KEY, { tier: 'HOT', sinceMs: 1 }, 0);
    await clock.advance(1_000);
    expect(heard.length).toBeGreaterThan(1);
    const before = heard.length;
    stop();
    await inner.setTierOverride(KEY, undefined, 1);
    await clock.advance(1_000);
    expect(heard).toHaveLength(before);
  });

  it('is tried again where what must be read first cannot be', async () => {
    read = () => Promise.reject(new StoreError('away again', 'not-applied'));
    await come();
    await expect(store.listPools()).rejects.toThrow('away again');
    inner = new MemoryStore(clock);
    read = async () => undefined;
    await clock.advance(RETRY_MS);
    expect(await store.listPools()).toEqual([]);
    expect(opened).toBe(2);
  });

  it('is not opened any more once it is closed', async () => {
    await store.close();
    await come();
    expect(opened).toBe(0);
    await expect(store.listPools()).rejects.toBeInstanceOf(StoreError);
  });
});
