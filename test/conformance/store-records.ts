/** Project records, pauses, listings, erasure, tier overrides, pools and who hears of changes. */
import { expect, it, jest } from '@jest/globals';
import type { PoolKey } from '../../core/identifiers.ts';
import type { OnChange, Topic } from '../../platform/store/store.ts';
import { LISTED_MAX } from '../../platform/store/reads.ts';
import { settle } from '../fakes/fake-clock.ts';
import {
  claimed,
  commitOf,
  committed,
  join,
  newKey,
  POOL,
  taskCommit,
  unique,
} from './store-builders.ts';
import type { Subject } from './store.ts';

export function recordCases(subject: Subject): void {
  projectCases(subject);
  pauseCases(subject);
  erasureCases(subject);
  overrideCases(subject);
  poolCases(subject);
  subscriptionCases(subject);
}

function projectCases(subject: Subject): void {
  it('reads records one by one and many at once, undefined where there is none', async () => {
    const { store } = subject;
    const { incarnation } = await join(store);
    const keys = [newKey(), newKey(), newKey()] as const;
    const { claim } = await claimed(store, keys[0], incarnation);
    await claimed(store, keys[2], incarnation);
    const records = await store.readProjects(keys);
    expect(records.map((record) => record?.key)).toEqual([keys[0], undefined, keys[2]]);
    expect(await store.readProject(keys[0])).toEqual(records[0]);
    expect(records[0]).toEqual({
      key: keys[0],
      owner: { incarnation, claimId: claim.claimId },
      epoch: 1,
      seq: 0,
      paused: false,
      leases: [],
      storedBytes: 0,
      requests: 0,
      lastUsedMs: 0,
    });
    expect(await store.readProject(keys[1])).toBeUndefined();
    expect(await store.readOwner(keys[1])).toBeUndefined();
  });

  it('reads as many records at once as a listing has, and refuses more', async () => {
    const keys = Array.from({ length: LISTED_MAX }, () => newKey());
    expect(await subject.store.readProjects(keys)).toHaveLength(LISTED_MAX);
    const more = subject.store.readProjects([...keys, newKey()]);
    await expect(more).rejects.toThrow(`at most ${LISTED_MAX}`);
  });

  it('lists the projects of a pool or tenant in key order, paged, and no others', async () => {
    const { store } = subject;
    const { incarnation } = await join(store);
    const pool = `default~${unique('listed')}`;
    const names = ['b~1', 'a~2', 'a~1', 'a-1~1', 'aa~1', 'a~10', 'a~1.1'];
    const others = [`${pool}-2~a~1`, `default~other~a~1`];
    for (const key of [...names.map((name) => `${pool}~${name}`), ...others])
      await claimed(store, key, incarnation);
    const list = async (tenant?: string): Promise<string[]> => {
      const found: string[] = [];
      const scope = tenant === undefined ? {} : { tenant };
      for (let page = await store.listProjects(pool, { limit: 2, ...scope }); page.length > 0;) {
        found.push(...page.map(({ key }) => key));
        page = await store.listProjects(pool, { limit: 2, after: found.at(-1)!, ...scope });
      }
      return found;
    };
    const full = names.map((name) => `${pool}~${name}`).sort();
    expect(await list()).toEqual(full);
    expect(await list('a')).toEqual(full.filter((key) => key.startsWith(`${pool}~a~`)));
    expect(await list('nobody')).toEqual([]);
  });
}

function pauseCases(subject: Subject): void {
  it('pauses a project that nobody knows, and resumes it', async () => {
    const { store } = subject;
    const key = newKey();
    expect(await store.setPaused(key, true, 1)).toBe('changed');
    expect(await store.setPaused(key, true, 0)).toBe('set');
    expect(await store.readProject(key)).toMatchObject({ paused: true });
    expect((await claimed(store, key, (await join(store)).incarnation)).paused).toBe(true);
  });

  it('leaves no record when a project that nobody knows is resumed', async () => {
    const { store } = subject;
    const key = newKey();
    expect(await store.setPaused(key, false, 0)).toBe('set');
    expect(await store.readProject(key)).toBeUndefined();
  });

  it('does not write past a living owner, whatever the epoch', async () => {
    const { store } = subject;
    const key = newKey();
    const { incarnation } = await join(store);
    const { claim } = await claimed(store, key, incarnation);
    expect(await store.setPaused(key, true, 1)).toBe('changed');
    await store.release(claim);
    expect(await store.setPaused(key, true, 0)).toBe('changed');
    expect(await store.setPaused(key, true, 1)).toBe('set');
    expect(await store.readProject(key)).toMatchObject({ paused: true, epoch: 1 });
  });

  it('takes the project from an owner whose lease has ended: it would not know of the flag', async () => {
    const { store, fixture } = subject;
    const key = newKey();
    const owner = await join(store);
    const { claim } = await claimed(store, key, owner.incarnation);
    await fixture.clock.advance(10_000);
    expect(await store.setPaused(key, true, 1)).toBe('set');
    await store.heartbeat(owner, 10_000);
    expect(await store.commit(commitOf(claim))).toEqual({ type: 'refused' });
    expect(await store.readOwner(key)).toBeUndefined();
  });
}

function erasureCases(subject: Subject): void {
  it('erases every trace: not one raw key is left', async () => {
    const { store, fixture } = subject;
    const { incarnation } = await join(store);
    const keep = newKey();
    await committed(store, (await claimed(store, keep, incarnation)).claim);
    await store.setTierOverride(keep, { tier: 'HOT', sinceMs: 1 }, 0);
    const key = `${keep}0`;
    const before = await fixture.keyCount();
    let { claim } = await claimed(store, key, incarnation);
    for (let i = 0; i < 3; i++) {
      const writes = [
        { agent: 'a', key: `k${i}`, json: '1' },
        { agent: 'a', conversation: 'c', key: `k${i}`, json: '1' },
      ];
      const tasks = Array.from({ length: 200 }, () =>
        taskCommit({ conversationId: `c${i}` }, { writes }),
      );
      claim = await committed(store, claim, { tasks });
    }
    await store.setTierOverride(key, { tier: 'COLD', sinceMs: 1 }, 0);
    expect(await fixture.keyCount()).toBeGreaterThan(before + 2_000);
    expect(await store.eraseProject(key)).toBe(true);
    expect(await fixture.keyCount()).toBe(before);
    expect(await store.readProject(key)).toBeUndefined();
    expect(await store.readTierOverride(key)).toBeUndefined();
    expect(await store.listConversations(key, { limit: 5 })).toEqual([]);
    expect(await store.readTurns(keep, 'c1', { limit: 9 })).toHaveLength(2);
    expect(await store.eraseProject(key)).toBe(false);
  });

  it('refuses the commit of an owner whose project was erased, also when it is claimed anew', async () => {
    const { store } = subject;
    const key = newKey();
    const { incarnation } = await join(store);
    const before = await committed(store, (await claimed(store, key, incarnation)).claim);
    await store.eraseProject(key);
    expect(await store.commit(commitOf(before))).toEqual({ type: 'refused' });
    const { claim, known, state, results } = await claimed(store, key, incarnation);
    expect({ seq: claim.seq, known, state, results }).toEqual({
      seq: 0,
      known: false,
      state: [],
      results: [],
    });
    expect(await store.commit(commitOf(before))).toEqual({ type: 'refused' });
  });

  it('goes on with a higher epoch after an erasure: routes move only forward', async () => {
    const { store } = subject;
    const key = newKey();
    const { incarnation } = await join(store);
    await claimed(store, key, incarnation);
    const { claim } = await claimed(store, key, incarnation);
    await store.eraseProject(key);
    expect((await claimed(store, key, incarnation)).claim.epoch).toBeGreaterThan(claim.epoch);
  });

  it('knows of no erasure that is left to be done once all are', async () => {
    const { store } = subject;
    const pool = `default~${unique('erasing')}`;
    const keys = [`${pool}~a~1`, `${pool}~a~2`] as const;
    const { incarnation } = await join(store, { pool });
    for (const key of keys) await committed(store, (await claimed(store, key, incarnation)).claim);
    await store.eraseProject(keys[0]);
    await store.eraseProject(`${pool}~a~unknown`);
    for (const which of ['begun', 'listed'] as const)
      expect(await store.endErasures(pool, which)).toBe(false);
    expect((await store.listProjects(pool, { limit: 9 })).map(({ key }) => key)).toEqual([keys[1]]);
  });

  it('erases a project only as it was seen, if so asked: not once it was claimed or committed since', async () => {
    const { store } = subject;
    const key = newKey();
    const { incarnation } = await join(store);
    expect(await store.eraseProject(key, { epoch: 0, seq: 0 })).toBe(false);
    const claim = await committed(store, (await claimed(store, key, incarnation)).claim);
    const seen = (await store.readProject(key))!;
    await committed(store, claim);
    expect(await store.eraseProject(key, seen)).toBe(false);
    const released = (await store.readProject(key))!;
    await store.release(claim);
    await claimed(store, key, incarnation);
    expect(await store.eraseProject(key, released)).toBe(false);
    expect(await store.readConversation(key, 'c1')).toMatchObject({ turnCount: 4 });
    expect(await store.eraseProject(key, { epoch: 2, seq: 2 })).toBe(true);
    expect(await store.readProject(key)).toBeUndefined();
  });

  it('erases an override that has no project', async () => {
    const { store } = subject;
    const key = newKey();
    await store.setTierOverride(key, { tier: 'HOT', sinceMs: 1 }, 0);
    expect(await store.eraseProject(key)).toBe(true);
    expect(await store.readTierOverride(key)).toBeUndefined();
  });
}

function overrideCases(subject: Subject): void {
  it('writes overrides by compare-and-set on their generation', async () => {
    const { store } = subject;
    const key = newKey();
    expect(await store.readTierOverride(key)).toBeUndefined();
    expect(await store.setTierOverride(key, { tier: 'HOT', sinceMs: 1 }, 7)).toBe('conflict');
    expect(await store.setTierOverride(key, { tier: 'HOT', sinceMs: 1, expiresAtMs: 9 }, 0)).toBe(
      'set',
    );
    const first = await store.readTierOverride(key);
    expect(first).toEqual({
      tier: 'HOT',
      sinceMs: 1,
      expiresAtMs: 9,
      generation: expect.any(Number),
    });
    expect(await store.setTierOverride(key, { tier: 'COLD', sinceMs: 2 }, 0)).toBe('conflict');
    expect(await store.readTierOverride(key)).toEqual(first);
    expect(await store.setTierOverride(key, { tier: 'COLD', sinceMs: 2 }, first!.generation)).toBe(
      'set',
    );
    const second = await store.readTierOverride(key);
    expect(second).toMatchObject({ tier: 'COLD', sinceMs: 2 });
    expect(second).not.toHaveProperty('expiresAtMs');
    expect(await store.setTierOverride(key, undefined, first!.generation)).toBe('conflict');
    expect(await store.setTierOverride(key, undefined, second!.generation)).toBe('set');
    expect(await store.readTierOverride(key)).toBeUndefined();
  });

  it('never gives a new override the generation of an ended one', async () => {
    const { store } = subject;
    const key = newKey();
    await store.setTierOverride(key, { tier: 'HOT', sinceMs: 1 }, 0);
    const ended = (await store.readTierOverride(key))!.generation;
    await store.setTierOverride(key, undefined, ended);
    await store.setTierOverride(key, { tier: 'COLD', sinceMs: 1 }, 0);
    expect(await store.setTierOverride(key, undefined, ended)).toBe('conflict');
  });

  it('lets one of two simultaneous writers win', async () => {
    const { store } = subject;
    const key = newKey();
    const write = (sinceMs: number) => store.setTierOverride(key, { tier: 'HOT', sinceMs }, 0);
    expect((await Promise.all([write(1), write(2)])).sort()).toEqual(['conflict', 'set']);
  });

  it('lists the overrides of a pool', async () => {
    const { store } = subject;
    const pool = `default~${unique('overridden')}`;
    const keys = [`${pool}~a~1`, `${pool}~b~1`];
    for (const key of [...keys, `${pool}-2~a~1`])
      await store.setTierOverride(key, { tier: 'HOT', sinceMs: 1 }, 0);
    const listed = await store.listTierOverrides(pool);
    expect(listed.map(({ key }) => key)).toEqual(keys);
    expect(listed[0]?.override).toMatchObject({ tier: 'HOT', sinceMs: 1 });
  });
}

function poolCases(subject: Subject): void {
  it('keeps pools as they were put, until they are deleted', async () => {
    const { store } = subject;
    const record = {
      key: POOL,
      generation: 1,
      spec: { a: [1, 'x', null, true] },
      status: { b: {} },
      revision: 'r1',
    };
    await store.putPool(record);
    await store.putPool({ ...record, key: `${POOL}-2` });
    expect(await store.listPools()).toEqual([record, { ...record, key: `${POOL}-2` }]);
    await store.putPool({ ...record, generation: 2 });
    expect(await store.listPools()).toContainEqual({ ...record, generation: 2 });
    expect(await store.listPools(POOL)).toEqual([{ ...record, generation: 2 }]);
    expect(await store.listPools('default~unknown')).toEqual([]);
    await store.deletePool(POOL);
    expect((await store.listPools()).map(({ key }) => key)).toEqual([`${POOL}-2`]);
    await store.deletePool('default~unknown');
  });
}

function subscriptionCases(subject: Subject): void {
  const record = { key: POOL, generation: 1, spec: {}, status: {}, revision: 'r1' };
  const elsewhere = `${POOL}-elsewhere`;
  let changes = 0;
  const put = (pool: string, part: object): Promise<void> =>
    subject.store.putPool({ ...record, key: pool, ...part });
  const changeOf: Record<Topic, (pool: string) => Promise<unknown>> = {
    pools: (pool) => put(pool, { generation: (changes += 1), status: {} }),
    reports: (pool) => put(pool, { status: { changes: (changes += 1) } }),
    runtimes: (pool) => join(subject.store, { pool }),
    tiers: (pool) =>
      subject.store.setTierOverride(`${pool}~a~${unique('p')}`, { tier: 'HOT', sinceMs: 1 }, 0),
  };
  const change: Record<Topic, () => Promise<unknown>> = {
    pools: () => changeOf.pools(POOL),
    reports: () => changeOf.reports(POOL),
    runtimes: () => join(subject.store),
    tiers: () => subject.store.setTierOverride(newKey(), { tier: 'HOT', sinceMs: 1 }, 0),
  };

  it.each(['pools', 'reports', 'runtimes', 'tiers'] as const)(
    'calls back after a change of %s, until told to stop',
    async (topic) => {
      const heard = jest.fn();
      const stop = subject.store.subscribe(topic, heard);
      while (heard.mock.calls.length === 0) {
        await change[topic]();
        await settle();
      }
      await quiet(heard);
      stop();
      const calls = heard.mock.calls.length;
      await change[topic]();
      await subject.store.listPools();
      await settle();
      expect(heard.mock.calls).toHaveLength(calls);
    },
  );

  it.each(['pools', 'reports', 'runtimes', 'tiers'] as const)(
    'says whose %s changed, so that nobody need read those of all pools',
    async (topic) => {
      const heard = jest.fn<OnChange>();
      subject.store.subscribe(topic, heard);
      await quiet(heard);
      heard.mockClear();
      await changeOf[topic](elsewhere);
      await subject.store.listPools();
      await quiet(heard);
      expect(poolsOf(heard.mock.calls)).toEqual(new Set([elsewhere]));
    },
  );

  it.each([
    ['reports', 'pools'],
    ['pools', 'reports'],
  ] as const)('wakes nobody with a change of %s who follows %s', async (changed, followed) => {
    const heard = jest.fn<OnChange>();
    await changeOf[changed](elsewhere);
    subject.store.subscribe(followed, heard);
    await quiet(heard);
    heard.mockClear();
    await changeOf[changed](elsewhere);
    await quiet(heard);
    expect(heard).not.toHaveBeenCalled();
    await changeOf[followed](elsewhere);
    while (heard.mock.calls.length === 0) await settle();
  });

  it('tells who follows one project when its tier changes', async () => {
    const { store } = subject;
    const key = newKey();
    const heard = jest.fn<OnChange>();
    store.subscribe('tiers', heard, key);
    await quiet(heard);
    heard.mockClear();
    await store.setTierOverride(key, { tier: 'HOT', sinceMs: 1 }, 0);
    while (heard.mock.calls.length === 0) await settle();
    expect(heard).toHaveBeenCalledWith(POOL);
  });

  it('says whose lease has ended', async () => {
    const { store, fixture } = subject;
    await join(store, { pool: elsewhere });
    const heard = jest.fn<OnChange>();
    store.subscribe('runtimes', heard);
    await quiet(heard);
    heard.mockClear();
    await fixture.clock.advance(10_500);
    while (heard.mock.calls.length === 0) await settle();
    expect(poolsOf(heard.mock.calls)).toEqual(new Set([elsewhere]));
  });

  it('calls back about runtimes when a lease ends, and stays silent while heartbeats change nothing', async () => {
    const { store, fixture } = subject;
    const runtime = await join(store);
    const heard = jest.fn();
    store.subscribe('runtimes', heard);
    await store.listPools();
    await quiet(heard);
    const calls = heard.mock.calls.length;
    for (let i = 0; i < 5; i++) {
      await fixture.clock.advance(2_000);
      await store.heartbeat(runtime, 10_000);
    }
    await store.listPools();
    await settle();
    expect(heard.mock.calls).toHaveLength(calls);
    await fixture.clock.advance(10_500);
    while (heard.mock.calls.length === calls) await settle();
    expect(await store.listRuntimes()).toEqual([]);
  });

  it('calls back about runtimes on deregister', async () => {
    const { store } = subject;
    const runtime = await join(store);
    const heard = jest.fn();
    store.subscribe('runtimes', heard);
    await store.listPools();
    await quiet(heard);
    const calls = heard.mock.calls.length;
    await store.deregister(runtime.incarnation);
    while (heard.mock.calls.length === calls) await settle();
  });

  it('answers nothing after close', async () => {
    const { store } = subject;
    await store.close();
    await expect(store.listPools()).rejects.toMatchObject({
      reason: 'STORE_UNAVAILABLE',
      outcome: 'not-applied',
    });
    await expect(store.putPool(record)).rejects.toMatchObject({
      reason: 'STORE_UNAVAILABLE',
      outcome: 'not-applied',
    });
    await expect(store.listRuntimes()).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE' });
    await store.close();
  });

  function poolsOf(calls: readonly Parameters<OnChange>[]): ReadonlySet<PoolKey | undefined> {
    return new Set(calls.map(([pool]) => pool));
  }

  /** Waits until a few reads pass without a call: what is still under way has arrived. */
  async function quiet(heard: {
    readonly mock: { readonly calls: readonly unknown[] };
  }): Promise<void> {
    for (let calls = -1; calls !== heard.mock.calls.length;) {
      calls = heard.mock.calls.length;
      await subject.store.listPools();
      await settle();
    }
  }
}
