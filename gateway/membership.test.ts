import { describe, expect, it, jest } from '@jest/globals';
import { settle } from '../test/fakes/fake-clock.ts';
import { runtimeRecord, TestGateway, testGateway } from '../test/builders/gateway.ts';

describe('the links of a gateway', () => {
  it('are opened ahead of the first task, one per runtime, standbys included', async () => {
    const gateway = await testGateway({}, ['a', 'b']);
    await gateway.putRuntime('standby', { role: 'dedicated' });
    expect([...gateway.links.keys()].sort()).toEqual(['a', 'b', 'standby']);
    await gateway.putRuntime('a', { blanks: 3 });
    expect(gateway.links.size).toBe(3);
  });

  it('are not opened to runtimes of pools that are not served', async () => {
    const gateway = await testGateway();
    await gateway.memory.heartbeat(
      {
        ...gateway.core.context.runtimes.get('a')!.record,
        incarnation: 'x',
        pool: 'default~other',
      },
      60_000,
    );
    await settle();
    expect(gateway.links.has('x')).toBe(false);
    await gateway.putPool({}, 'other');
    expect(gateway.links.has('x')).toBe(true);
  });

  it('are closed when the runtime is gone, but not under a running task', async () => {
    const gateway = await testGateway({}, ['a', 'b']);
    gateway.start();
    const busy = [...gateway.links.values()].find(({ unfinished }) => unfinished.size === 1)!;
    const idle = [...gateway.links.values()].find(({ unfinished }) => unfinished.size === 0)!;
    for (const link of [busy, idle]) await gateway.memory.deregister(link.incarnation);
    await settle();
    expect([busy.state, idle.state]).toEqual(['ready', 'closed']);
    busy.task.finish();
    await settle();
    expect(busy.state).toBe('closed');
  });

  it('stay while the store is away, and follow it again afterwards', async () => {
    const gateway = await testGateway();
    gateway.flaky.reachable = false;
    await gateway.memory.heartbeat(
      { ...gateway.core.context.runtimes.get('a')!.record, incarnation: 'b' },
      60_000,
    );
    await gateway.clock.advance(2_000);
    expect([...gateway.links.keys()]).toEqual(['a']);
    expect(gateway.link('a').state).toBe('ready');
    gateway.flaky.reachable = true;
    await gateway.clock.advance(1_000);
    expect([...gateway.links.keys()]).toEqual(['a', 'b']);
  });
});

describe('what is read of the store', () => {
  it('is tried again when it could not be read', async () => {
    const gateway = await testGateway();
    let failures = 3;
    gateway.storePlan = (method) =>
      method === 'listPools' && failures-- > 0 ? { fault: 'before' } : undefined;
    await gateway.putPool({ operatingMode: 'Suspended' });
    expect(gateway.core.context.membership.poolNamed('main')?.isSuspended).toBe(false);
    await gateway.clock.advance(2_000);
    expect(gateway.core.context.membership.poolNamed('main')?.isSuspended).toBe(true);
  });

  it('changes quotas live, also for what waits', async () => {
    const gateway = await testGateway({ tiers: { warm: { quota: { maxConcurrentRequests: 1 } } } });
    for (const requestId of ['1', '2']) gateway.start({ requestId });
    expect(gateway.link('a').unfinished.size).toBe(1);
    await gateway.putPool({ tiers: { warm: { quota: { maxConcurrentRequests: 2 } } } });
    expect(gateway.link('a').unfinished.size).toBe(2);
  });

  it('changes the times of links that are open', async () => {
    const gateway = await testGateway();
    await gateway.putPool({ link: { pingMs: 200 } });
    expect(gateway.link('a').times).toMatchObject({ pingMs: 200, pingTimeoutMs: 1_000 });
  });

  it('suspends what waits', async () => {
    const gateway = await testGateway({}, []);
    const task = gateway.start();
    await gateway.putPool({ operatingMode: 'Suspended' });
    await gateway.putRuntime('a');
    expect(task.end.error).toMatchObject({ reason: 'SUSPENDED' });
  });

  it('tells tiers with their overrides', async () => {
    const gateway = await testGateway();
    await gateway.memory.setTierOverride('default~main~acme~site', { tier: 'COLD', sinceMs: 1 }, 0);
    await settle();
    const { membership } = gateway.core.context;
    const pool = membership.poolNamed('main')!;
    expect(membership.override(pool, 'default~main~acme~site')).toMatchObject({ tier: 'COLD' });
  });

  it('is that of the pool that changed, and of no other', async () => {
    const gateway = await testGateway();
    await gateway.putPool({}, 'other');
    const asked: unknown[] = [];
    gateway.storePlan = (method, args) => {
      asked.push([method, ...args]);
      return undefined;
    };
    await gateway.putPool({ operatingMode: 'Suspended' }, 'other');
    await gateway.putRuntime('b', { pool: 'default~other' });
    await gateway.memory.setTierOverride('default~other~acme~p', { tier: 'HOT', sinceMs: 1 }, 0);
    await settle();
    gateway.flaky.saysWhat = false;
    await gateway.putRuntime('b', { pool: 'default~other', ready: false });
    expect(asked).toEqual([
      ['listPools', 'default~other'],
      ['listTierOverrides', 'default~other'],
      ['listRuntimes', 'default~other'],
    ]);
  });

  it('is not forgotten when it failed while another pool changed', async () => {
    const gateway = await testGateway();
    gateway.flaky.saysWhat = false;
    await gateway.putPool({}, 'other');
    let failures = 1;
    const record = gateway.core.context.runtimes.get('a')!.record;
    gateway.storePlan = (method, [pool]) => {
      if (method !== 'listRuntimes' || pool !== record.pool || failures-- <= 0) return undefined;
      void gateway.memory.heartbeat({ ...record, incarnation: 'x', pool: 'default~other' }, 60_000);
      return { fault: 'before' };
    };
    await gateway.memory.heartbeat({ ...record, incarnation: 'b' }, 60_000);
    await settle();
    expect([...gateway.links.keys()].sort()).toEqual(['a', 'x']);
    await gateway.memory.heartbeat({ ...record, incarnation: 'y', pool: 'default~other' }, 60_000);
    await settle();
    expect([...gateway.links.keys()].sort()).toEqual(['a', 'b', 'x', 'y']);
  });

  it('is all of it after a failure', async () => {
    const gateway = await testGateway();
    gateway.flaky.saysWhat = false;
    let failures = 1;
    gateway.storePlan = (method) =>
      method === 'listRuntimes' && failures-- > 0 ? { fault: 'before' } : undefined;
    await gateway.memory.heartbeat(
      { ...gateway.core.context.runtimes.get('a')!.record, incarnation: 'b' },
      60_000,
    );
    await settle();
    expect([...gateway.links.keys()]).toEqual(['a']);
    await gateway.clock.advance(1_000);
    expect([...gateway.links.keys()]).toEqual(['a', 'b']);
  });
});

describe('what is told of runtimes', () => {
  const POOL = 'default~main';
  const gone = (link: { readonly state: string }): boolean => link.state === 'closed';

  async function listening(): Promise<{
    readonly gateway: TestGateway;
    readonly asked: string[];
  }> {
    const gateway = await testGateway({}, ['a', 'b']);
    const asked: string[] = [];
    gateway.storePlan = (method) => {
      asked.push(method);
      return undefined;
    };
    return { gateway, asked };
  }

  it('is known at once, and nothing is asked for it', async () => {
    const { gateway, asked } = await listening();
    const { runtimes } = gateway.core.context;
    await gateway.putRuntime('new', { ready: false });
    await gateway.putRuntime('a', { draining: true });
    await gateway.memory.deregister('b');
    await settle();
    expect(runtimes.of(POOL).map(({ record }) => record)).toEqual(
      await gateway.memory.listRuntimes(POOL),
    );
    expect([runtimes.get('a')?.isDraining, gone(gateway.link('b'))]).toEqual([true, true]);
    expect(asked).toEqual([]);
  });

  it('outlasts a read that was under way and answers with what was before', async () => {
    const { gateway } = await listening();
    gateway.storePlan = () => ({ answerDelayMs: 100 });
    const read = gateway.core.context.membership.refreshRuntimes(POOL);
    await settle();
    await gateway.putRuntime('new');
    await gateway.putRuntime('a', { draining: true });
    await gateway.memory.deregister('b');
    await settle();
    await gateway.clock.advance(100);
    await read;
    const { membership, runtimes } = gateway.core.context;
    expect(membership.runtimesOf(POOL)).toEqual(await gateway.memory.listRuntimes(POOL));
    expect([...gateway.links.values()].map(gone)).toEqual([false, true, false]);
    expect(runtimes.get('a')?.isDraining).toBe(true);
  });

  it('is not taken for all before all was read once', async () => {
    const gateway = new TestGateway();
    await gateway.putPool();
    await gateway.memory.heartbeat(runtimeRecord('a'), 60_000);
    let failures = 1;
    gateway.storePlan = (method) =>
      method === 'listRuntimes' && failures-- > 0 ? { fault: 'before' } : undefined;
    await gateway.core.start();
    await gateway.memory.heartbeat(runtimeRecord('b'), 60_000);
    await settle();
    expect(gateway.core.context.membership.runtimesOf(POOL)).toEqual([]);
    await gateway.clock.advance(1_000);
    expect([...gateway.links.keys()]).toEqual(['a', 'b']);
  });

  it('wakes nobody where only the number of its instances has changed', async () => {
    const { gateway } = await listening();
    const woken = jest.fn();
    gateway.core.onChange(woken);
    await gateway.putRuntime('a', { instances: { HOT: 0, WARM: 7, COLD: 1 }, blanks: 2 });
    expect(woken).not.toHaveBeenCalled();
    expect(gateway.core.context.membership.runtimesOf(POOL)).toEqual(
      await gateway.memory.listRuntimes(POOL),
    );
    await gateway.putRuntime('a', { ready: false });
    expect(woken).toHaveBeenCalled();
  });
});
