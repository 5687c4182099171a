import { describe, expect, it } from '@jest/globals';
import { settle } from '../../test/fakes/fake-clock.ts';
import { testGateway, type TestGateway } from '../../test/builders/gateway.ts';
import type { Runtime } from './runtime-set.ts';

const KEY = 'default~main~acme~site';
const HOT = {
  tiers: { hot: { standby: 0 } },
  projects: [{ tenant: 'acme', project: 'site', tier: 'HOT' as const }],
};

function placed(gateway: TestGateway, tier: 'HOT' | 'WARM' = 'WARM'): string {
  const { membership, router } = gateway.core.context;
  const placement = router.place(KEY, membership.pool('default~main')!, tier);
  if (placement.type === 'blocked') return placement.by;
  return placement.takeover === undefined
    ? placement.runtime.incarnation
    : `${placement.runtime.incarnation} takes over from ${placement.takeover.incarnation}`;
}

const runtime = (gateway: TestGateway, incarnation: string): Runtime =>
  gateway.core.context.runtimes.get(incarnation)!;

/** Whom rendezvous hashing picks of these two, and the other one. */
async function pair(): Promise<{ gateway: TestGateway; picked: string; other: string }> {
  const gateway = await testGateway({}, ['a', 'b']);
  const picked = placed(gateway);
  return { gateway, picked, other: picked === 'a' ? 'b' : 'a' };
}

describe('a project that nobody is known to have', () => {
  it('goes to the same runtime by every gateway', async () => {
    const one = await testGateway({}, ['a', 'b', 'c']);
    const two = await testGateway({}, ['c', 'b', 'a']);
    expect(placed(one)).toBe(placed(two));
  });

  it.each([
    ['drains', { draining: true }],
    ['is not ready', { ready: false }],
    ['is of another revision', { revision: 'r0' }],
    [
      'is dedicated to another project',
      { role: 'dedicated' as const, bound: 'default~main~acme~other' },
    ],
    ['is a standby', { role: 'dedicated' as const }],
  ])('goes past a runtime that %s', async (_name, change) => {
    const { gateway, picked, other } = await pair();
    await gateway.putRuntime(picked, change);
    expect(placed(gateway)).toBe(other);
  });

  it('goes past a runtime that said on its link that it drains', async () => {
    const { gateway, picked, other } = await pair();
    const link = gateway.link(picked);
    link.events.draining(link);
    expect(placed(gateway)).toBe(other);
  });

  it('goes to a runtime of an older revision while there is no other', async () => {
    const gateway = await testGateway();
    await gateway.putRuntime('a', { revision: 'r0' });
    expect(placed(gateway)).toBe('a');
  });

  it('waits for the pool where there is none', async () => {
    const gateway = await testGateway({}, []);
    expect(placed(gateway)).toBe('pool:default~main');
  });

  it('goes past a runtime whose link is down', async () => {
    const { gateway, picked, other } = await pair();
    gateway.link(picked).move('backoff');
    expect(placed(gateway)).toBe(other);
  });
});

describe('a HOT project', () => {
  it('goes to the dedicated runtime that is bound to it and ready', async () => {
    const gateway = await testGateway(HOT);
    await gateway.putRuntime('hot', { role: 'dedicated', bound: KEY, ready: false });
    expect(placed(gateway, 'HOT')).toBe('a');
    await gateway.putRuntime('hot', { role: 'dedicated', bound: KEY });
    expect(placed(gateway, 'HOT')).toBe('hot');
  });

  it('goes to the shared runtime that serves it now, until that lets go', async () => {
    const gateway = await testGateway(HOT);
    const { router } = gateway.core.context;
    router.served(KEY, runtime(gateway, 'a'), false);
    await gateway.putRuntime('hot', { role: 'dedicated', bound: KEY });
    expect(placed(gateway, 'HOT')).toBe('a');
    router.moved(KEY, 1, { incarnation: 'hot' });
    expect(placed(gateway, 'HOT')).toBe('hot');
    router.moved(KEY, 2, undefined);
    expect(placed(gateway, 'WARM')).toBe('a');
  });
});

describe('a known route', () => {
  it('stays with a draining owner until it lets go', async () => {
    const { gateway, picked } = await pair();
    gateway.core.context.router.served(KEY, runtime(gateway, picked), false);
    await gateway.putRuntime(picked, { draining: true });
    expect(placed(gateway)).toBe(picked);
  });

  it.each([
    ['a higher epoch counts', 5, 6, 'other'],
    ['an equal epoch of a third party does not', 5, 5, 'owner'],
    ['a lower one neither', 5, 4, 'owner'],
  ])('%s', async (_name, known, told, expected) => {
    const gateway = await testGateway({}, ['owner', 'other', 'third']);
    const { router } = gateway.core.context;
    router.elsewhere(
      KEY,
      runtime(gateway, 'third'),
      { incarnation: 'owner', address: '', epoch: known },
      known,
    );
    router.elsewhere(
      KEY,
      runtime(gateway, 'third'),
      { incarnation: 'other', address: '', epoch: told },
      told,
    );
    expect(placed(gateway)).toBe(expected);
  });

  it('is put right by the owner itself, whatever the epoch', async () => {
    const gateway = await testGateway({}, ['owner', 'other']);
    const { router } = gateway.core.context;
    router.elsewhere(
      KEY,
      runtime(gateway, 'other'),
      { incarnation: 'owner', address: '', epoch: 9 },
      9,
    );
    router.elsewhere(
      KEY,
      runtime(gateway, 'owner'),
      { incarnation: 'other', address: '', epoch: 3 },
      3,
    );
    expect(placed(gateway)).toBe('other');
  });

  it('ignores an old push', async () => {
    const { gateway, other } = await pair();
    const { router } = gateway.core.context;
    router.elsewhere(KEY, runtime(gateway, 'a'), { incarnation: other, address: '', epoch: 4 }, 4);
    router.moved(KEY, 3, undefined);
    expect(placed(gateway)).toBe(other);
    router.moved(KEY, 4, undefined);
    expect(placed(gateway)).not.toBe(other);
  });

  it('ignores it also when somebody has sent a task on to the owner since', async () => {
    const { gateway, other } = await pair();
    const { router } = gateway.core.context;
    const owner = { incarnation: other, address: '', epoch: 4 };
    router.elsewhere(KEY, runtime(gateway, 'a'), owner, 4);
    router.elsewhere(KEY, runtime(gateway, 'a'), { ...owner, epoch: 0 }, 0);
    router.moved(KEY, 3, undefined);
    expect(placed(gateway)).toBe(other);
  });
});

describe('an owner that cannot be reached', () => {
  async function lostOwner(
    isOwner: boolean,
  ): Promise<{ gateway: TestGateway; picked: string; other: string }> {
    const all = await pair();
    const { gateway, picked } = all;
    gateway.core.context.router.served(KEY, runtime(gateway, picked), false);
    if (isOwner) await gateway.memory.claim({ key: KEY, incarnation: picked, claimId: 'c1' });
    gateway.link(picked).breakDown();
    expect(placed(gateway)).toBe(`owner:${KEY}`);
    await settle();
    return all;
  }

  it('is taken over from where it still owns the project', async () => {
    const { gateway, picked, other } = await lostOwner(true);
    expect(placed(gateway)).toBe(`${other} takes over from ${picked}`);
  });

  it('is forgotten where nobody owns the project any more', async () => {
    const { gateway, other } = await lostOwner(false);
    expect(placed(gateway)).toBe(other);
  });

  it('is past its lease where the link still stands: others may have the project', async () => {
    const { gateway, picked, other } = await pair();
    gateway.start();
    gateway.core.context.router.served(KEY, runtime(gateway, picked), false);
    await gateway.memory.deregister(picked);
    await settle();
    expect(gateway.link(picked).state).toBe('ready');
    placed(gateway);
    await settle();
    expect(placed(gateway)).toBe(other);
  });

  it('gets the task again when its link is back', async () => {
    const { gateway, picked } = await lostOwner(true);
    gateway.link(picked).move('ready');
    expect(placed(gateway)).toBe(picked);
  });

  it('stays the route after a takeover only until the other one serves', async () => {
    const { gateway, picked, other } = await lostOwner(true);
    gateway.core.context.router.served(KEY, runtime(gateway, other), true);
    gateway.link(picked).move('ready');
    expect(placed(gateway)).toBe(other);
  });

  it('is asked of the store once, whoever waits', async () => {
    const { gateway, picked } = await pair();
    gateway.core.context.router.served(KEY, runtime(gateway, picked), false);
    let reads = 0;
    gateway.storePlan = (method) => {
      if (method === 'readOwner') reads += 1;
      return undefined;
    };
    gateway.link(picked).breakDown();
    for (let index = 0; index < 5; index += 1) placed(gateway);
    await settle();
    expect(reads).toBe(1);
  });

  it('is left to the runtime that is asked next when the store is away', async () => {
    const { gateway, picked, other } = await pair();
    gateway.core.context.router.served(KEY, runtime(gateway, picked), false);
    gateway.flaky.reachable = false;
    gateway.link(picked).breakDown();
    placed(gateway);
    await settle();
    expect(placed(gateway)).toBe(other);
  });
});
