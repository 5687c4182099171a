import { describe, expect, it } from '@jest/globals';
import { AppError, type Reason } from '../../core/errors.ts';
import type { ConversationSummary, Store } from '../../platform/store/store.ts';
import { createPrincipal } from '../access/principal.ts';
import { PAGE_SIZE_MAX } from './page.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import { ADMIN, testGateway, type TestGateway } from '../../test/builders/gateway.ts';

const KEY = 'default~main~acme~site';
const NAMES = { pool: '', tenant: 'acme', project: 'site' };
const OPERATOR = createPrincipal({ subject: 'op', tenants: ['acme', 'ab'], role: 'operator' });
const CALLER = createPrincipal({
  subject: 'ann',
  tenants: ['acme'],
  projects: ['site'],
  role: 'caller',
});
const PAGE = { pageSize: 0, pageToken: '' };

const reason = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: unknown) => (error instanceof AppError ? error.reason : String(error)),
  );

async function claimed(...names: string[]): Promise<TestGateway> {
  const gateway = await testGateway({
    projects: [{ tenant: 'acme', project: 'named', tier: 'COLD' }],
  });
  for (const name of names)
    await gateway.memory.claim({
      key: `default~main~${name.replace('/', '~')}`,
      incarnation: 'a',
      claimId: name,
    });
  return gateway;
}

describe('the list of projects', () => {
  it('has a next page behind the largest one, too', async () => {
    const all = Array.from({ length: PAGE_SIZE_MAX + 1 }, (_, at) => `acme/p${at + 1_000}`);
    const { service } = await claimed(...all);
    const list = (pageToken: string) =>
      service.projects.list(ADMIN, { pool: '', tenant: 'acme', pageSize: 9_999, pageToken });
    const first = await list('');
    expect(first.items).toHaveLength(PAGE_SIZE_MAX);
    expect((await list(first.nextPageToken)).items).toHaveLength(1);
  });

  const ALL = ['ab/x', 'acme/one', 'acme/two', 'zeta/x'];

  it.each([
    ['an admin', ADMIN, '', ALL],
    ['an operator of two tenants', OPERATOR, '', ['ab/x', 'acme/one', 'acme/two']],
    ['an operator that asks for one', OPERATOR, 'ab', ['ab/x']],
    [
      'an operator of one project',
      createPrincipal({ subject: 'op', tenants: ['acme'], projects: ['two'], role: 'operator' }),
      '',
      ['acme/two'],
    ],
  ])('shows %s what it may see, page by page', async (_name, principal, tenant, expected) => {
    const gateway = await claimed(...ALL);
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await gateway.service.projects.list(principal, {
        pool: '',
        tenant,
        pageSize: 1,
        pageToken,
      });
      seen.push(...page.items.map((one) => `${one.tenant}/${one.project}`));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    expect(seen.sort()).toEqual(expected);
  });

  it('says which have a live instance, and their tier', async () => {
    const gateway = await claimed('acme/named');
    const { items } = await gateway.service.projects.list(ADMIN, { pool: '', tenant: '', ...PAGE });
    expect(items).toEqual([
      expect.objectContaining({
        pool: 'main',
        instanceId: 'default~main~acme~named',
        paused: false,
        tier: expect.objectContaining({ desired: 'COLD', source: 'Project' }),
      }),
    ]);
    await gateway.memory.deregister('a');
    await settle();
    expect(
      (await gateway.service.projects.list(ADMIN, { pool: '', tenant: '', ...PAGE })).items[0]
        ?.instanceId,
    ).toBe('');
  });

  it('is refused to callers, and for foreign tenants', async () => {
    const gateway = await claimed();
    expect(
      await reason(gateway.service.projects.list(CALLER, { pool: '', tenant: '', ...PAGE })),
    ).toBe('FORBIDDEN');
    expect(
      await reason(gateway.service.projects.list(OPERATOR, { pool: '', tenant: 'zeta', ...PAGE })),
    ).toBe('FORBIDDEN');
  });
});

describe('erasing a project', () => {
  it('discards the live instance first, then every trace', async () => {
    const gateway = await claimed('acme/site');
    gateway.link('a').onCall = () => ({});
    await gateway.service.projects.delete(ADMIN, NAMES);
    expect(gateway.link('a').calls).toEqual([{ method: 'discard', project: KEY }]);
    expect(await gateway.memory.readProject(KEY)).toBeUndefined();
  });

  it.each([
    ['of which nothing is known', ADMIN, 'UNKNOWN_PROJECT'],
    ['by an operator', OPERATOR, 'FORBIDDEN'],
  ])('%s is refused', async (_name, principal, expected) => {
    const gateway = await claimed();
    expect(await reason(gateway.service.projects.delete(principal, NAMES))).toBe(expected);
  });
});

describe('the tier of a project', () => {
  const DAY_S = 86_400;

  it.each([
    ['stays until it is ended', 'site', { tier: 'HOT' as const, ttlSeconds: 0 }, undefined],
    [
      'ends after an hour where the manifest names the project',
      'named',
      { tier: 'HOT' as const, ttlSeconds: 0 },
      3_600,
    ],
    ['ends when the caller says', 'named', { tier: 'HOT' as const, ttlSeconds: DAY_S }, DAY_S],
  ])('set by API %s', async (_name, project, wish, seconds) => {
    const gateway = await claimed();
    const names = { ...NAMES, project };
    const wallMs = gateway.clock.wallMs();
    const set = await gateway.service.projects.setTier(OPERATOR, names, wish);
    expect(set).toEqual({
      desired: 'HOT',
      current: undefined,
      source: 'Override',
      reason: 'set by API',
      sinceMs: wallMs,
      expiresAtMs: seconds === undefined ? undefined : wallMs + seconds * 1000,
    });
    expect(await gateway.service.projects.getTier(OPERATOR, names)).toEqual(set);
    const before =
      project === 'named'
        ? { desired: 'COLD', source: 'Project' }
        : { desired: 'WARM', source: 'Default' };
    expect(
      await gateway.service.projects.setTier(OPERATOR, names, { tier: undefined, ttlSeconds: 0 }),
    ).toMatchObject(before);
    expect(await gateway.memory.readTierOverride(`default~main~acme~${project}`)).toBeUndefined();
  });

  it('ends nothing where nothing was set', async () => {
    const gateway = await claimed();
    expect(
      await gateway.service.projects.setTier(OPERATOR, NAMES, { tier: undefined, ttlSeconds: 0 }),
    ).toMatchObject({ source: 'Default' });
  });

  it('tells the tier of the live instance too, unless its owner is away', async () => {
    const gateway = await claimed('acme/site');
    gateway.link('a').onCall = () => ({ id: KEY, tier: 'COLD', state: 'READY', epoch: 1 });
    expect(await gateway.service.projects.getTier(OPERATOR, NAMES)).toMatchObject({
      desired: 'WARM',
      current: 'COLD',
    });
    gateway.link('a').move('backoff');
    expect(await gateway.service.projects.getTier(OPERATOR, NAMES)).toMatchObject({
      desired: 'WARM',
      current: undefined,
    });
  });

  it('is set again when somebody else wrote first, but not for ever', async () => {
    const gateway = await claimed();
    let conflicts = 0;
    const real = gateway.memory.setTierOverride.bind(gateway.memory);
    const rival: Store['setTierOverride'] = async (key, override, expected) => {
      conflicts += 1;
      if (conflicts < 3) await real(key, { tier: 'COLD', sinceMs: 0 }, expected);
      return real(key, override, expected);
    };
    gateway.memory.setTierOverride = rival;
    expect(
      await gateway.service.projects.setTier(OPERATOR, NAMES, { tier: 'HOT', ttlSeconds: 0 }),
    ).toMatchObject({ desired: 'HOT' });
    gateway.memory.setTierOverride = async () => 'conflict';
    expect(
      await reason(
        gateway.service.projects.setTier(OPERATOR, NAMES, { tier: 'HOT', ttlSeconds: 0 }),
      ),
    ).toBe('STORE_UNAVAILABLE');
  });

  it.each([
    ['ttl_seconds', { tier: 'HOT' as const, ttlSeconds: -1 }],
    ['tier', { tier: 'LUKEWARM' as never, ttlSeconds: 0 }],
  ])('refuses a wrong %s', async (field, wish) => {
    const gateway = await claimed();
    await expect(gateway.service.projects.setTier(OPERATOR, NAMES, wish)).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      field,
    });
  });
});

describe('leases', () => {
  const LEASE = { leaseId: `${KEY}~1`, instanceId: KEY, tier: 'WARM', expiresAtMs: 5 };

  it('are given by the owner, or where the project is activated', async () => {
    const gateway = await claimed();
    gateway.link('a').onCall = () => LEASE;
    expect(await gateway.service.leases.acquire(CALLER, NAMES, 0)).toEqual(LEASE);
    await gateway.service.leases.renew(CALLER, LEASE.leaseId, 1_000);
    await gateway.service.leases.release(CALLER, LEASE.leaseId);
    expect(gateway.link('a').calls).toEqual([
      { method: 'acquire', project: KEY, ttlMs: 60_000 },
      { method: 'renew', project: KEY, leaseId: LEASE.leaseId, ttlMs: 1_000 },
      { method: 'releaseLease', project: KEY, leaseId: LEASE.leaseId },
    ]);
  });

  it('cost no read of the store once the route is known', async () => {
    const gateway = await claimed('acme/site');
    gateway.link('a').onCall = () => LEASE;
    await gateway.service.leases.acquire(CALLER, NAMES, 0);
    let reads = 0;
    gateway.storePlan = () => {
      reads += 1;
      return undefined;
    };
    await gateway.service.leases.acquire(CALLER, NAMES, 0);
    await gateway.service.leases.release(CALLER, LEASE.leaseId);
    expect(reads).toBe(0);
  });

  it.each([['nonsense'], ['a~b'], [`${KEY}~gone`]])('%s is unknown', async (leaseId) => {
    const gateway = await claimed();
    expect(await reason(gateway.service.leases.renew(ADMIN, leaseId, 0))).toBe('LEASE_UNKNOWN');
    expect(await reason(gateway.service.leases.release(ADMIN, leaseId))).toBe('LEASE_UNKNOWN');
  });

  it('of another project are forbidden', async () => {
    const gateway = await claimed();
    expect(await reason(gateway.service.leases.renew(CALLER, 'default~main~acme~other~1', 0))).toBe(
      'FORBIDDEN',
    );
  });

  it.each([[600_001], [-1], [0.5]])('of %d ms are refused', async (ttlMs) => {
    const gateway = await claimed();
    await expect(gateway.service.leases.acquire(CALLER, NAMES, ttlMs)).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      field: 'ttl_ms',
    });
  });
});

describe('conversations', () => {
  const summary = (id: string): ConversationSummary => ({
    id,
    agent: 'echo',
    turnCount: 2,
    updatedMs: 1,
  });

  /** With conversations a, b and c in the store. */
  async function talking(): Promise<TestGateway> {
    const gateway = await claimed();
    gateway.memory.listConversations = async (_key, { limit, after = '' }) =>
      ['a', 'b', 'c']
        .filter((id) => id > after)
        .slice(0, limit)
        .map(summary);
    gateway.memory.readConversation = async (_key, id) =>
      'abc'.includes(id) ? summary(id) : undefined;
    gateway.memory.readTurns = async (_key, _id, { limit, before = 10 }) =>
      before === 0
        ? []
        : [{ index: before - 1, role: 'user', json: `"${limit}"`, timeMs: 1, requestId: 'r' }];
    return gateway;
  }

  it('are listed in pages', async () => {
    const gateway = await talking();
    const first = await gateway.service.conversations.list(CALLER, NAMES, {
      pageSize: 2,
      pageToken: '',
    });
    const second = await gateway.service.conversations.list(CALLER, NAMES, {
      pageSize: 2,
      pageToken: first.nextPageToken,
    });
    expect([first, second].map(({ items }) => items.map(({ id }) => id))).toEqual([
      ['a', 'b'],
      ['c'],
    ]);
    expect(second.nextPageToken).toBe('');
  });

  it.each([
    ['the newest hundred turns', { turns: 0, before: 0 }, [10, '"100"']],
    ['as many as asked', { turns: 5, before: 0 }, [10, '"5"']],
    ['those before an index', { turns: 5, before: 4 }, [3, '"5"']],
    ['none before the first', { turns: 5, before: 1 }, [undefined, undefined]],
    ['a thousand at most', { turns: 9_999, before: 0 }, [10, '"1000"']],
  ])('are read with %s', async (_name, window, expected) => {
    const gateway = await talking();
    const { turns } = await gateway.service.conversations.get(
      CALLER,
      { ...NAMES, conversationId: 'a' },
      window,
    );
    expect([turns[0]?.index, turns[0]?.json]).toEqual(expected);
  });

  it('are erased by the runtime that has or takes the project', async () => {
    const gateway = await talking();
    gateway.link('a').onCall = () => ({});
    await gateway.service.conversations.delete(CALLER, { ...NAMES, conversationId: 'a' });
    expect(gateway.link('a').calls).toEqual([
      { method: 'forgetConversation', project: KEY, conversationId: 'a' },
    ]);
  });

  it.each([
    ['an unknown one', { ...NAMES, conversationId: 'x' }, 'UNKNOWN_CONVERSATION'],
    ['an empty id', { ...NAMES, conversationId: '' }, 'INVALID_FIELD'],
    ['one of another project', { ...NAMES, project: 'other', conversationId: 'a' }, 'FORBIDDEN'],
  ])('%s is refused', async (_name, names, expected) => {
    const gateway = await talking();
    expect(
      await reason(gateway.service.conversations.get(CALLER, names, { turns: 0, before: 0 })),
    ).toBe(expected);
    expect(await reason(gateway.service.conversations.delete(CALLER, names))).toBe(expected);
  });
});

describe('pools', () => {
  it('are shown without the names of other tenants', async () => {
    const gateway = await testGateway({
      tenants: [{ name: 'acme' }, { name: 'other' }],
      projects: [
        { tenant: 'acme', project: 'p' },
        { tenant: 'other', project: 'q' },
      ],
    });
    const [seen] = gateway.service.pools.list(OPERATOR);
    expect([
      seen?.spec.tenants.map(({ name }) => name),
      seen?.spec.projects.map(({ tenant }) => tenant),
    ]).toEqual([['acme'], ['acme']]);
    expect(gateway.service.pools.list(ADMIN)[0]?.spec.tenants).toHaveLength(2);
  });

  it('have statistics of instances, tasks and links; what was refused or cancelled has not failed', async () => {
    const gateway = await testGateway();
    const ends: Readonly<Record<string, Reason>> = {
      bad: 'AGENT_ERROR',
      paused: 'PAUSED',
      gone: 'CANCELLED',
    };
    gateway.link('a').onTask = (task) =>
      task.header.requestId in ends
        ? task.fail(new AppError(ends[task.header.requestId] ?? 'INTERNAL', 'no'))
        : task.start().finish('', { hit: task.header.requestId !== '1' });
    for (const requestId of ['1', '2', '3', 'bad', 'paused', 'gone']) gateway.start({ requestId });
    await settle();
    gateway.link('a').onCall = () => [{ id: KEY, tier: 'WARM', state: 'READY', epoch: 1 }];
    expect(await gateway.service.pools.stats(OPERATOR, '')).toEqual({
      instances: 1,
      byTier: { WARM: 1 },
      byState: { READY: 1 },
      queueDepth: 0,
      succeeded: 3,
      failed: 1,
      hitRate: 2 / 3,
      connections: [{ runtime: 'a', state: 'ready', requests: 6, sinceMs: 1_750_000_000_000 }],
    });
  });

  it('count tasks by how they ended', async () => {
    const gateway = await testGateway();
    const ends: Readonly<Record<string, AppError>> = {
      bad: new AppError('AGENT_ERROR', 'no'),
      gone: new AppError('CANCELLED', 'as asked'),
    };
    gateway.link('a').onTask = (task) => {
      const error = ends[task.header.requestId];
      if (error === undefined) task.finish();
      else task.fail(error);
    };
    for (const requestId of ['1', 'bad', 'gone']) gateway.start({ requestId });
    gateway.start({ tenant: '' });
    gateway.start({ pool: 'unknown' });
    await settle();
    const text = await gateway.service.pools.metricsText();
    for (const line of [
      '{status="success",namespace="default",pool="main"} 1',
      '{status="error",namespace="default",pool="main"} 1',
      '{status="rejected",namespace="default",pool="main"} 1',
      '{status="cancelled",namespace="default",pool="main"} 1',
      '{status="rejected",namespace="",pool=""} 1',
    ])
      expect(sorted(text)).toContain(sorted(`agent_pool_requests_total${line}`));
    expect(text).toMatch(/agent_pool_links\{[^}]*state="ready"[^}]*\} 1/);
  });

  it.each([
    ['no pool at all', undefined, [], true],
    ['a pool with a ready runtime', {}, ['a'], true],
    ['a pool without one', {}, [], false],
    ['a suspended pool only', { operatingMode: 'Suspended' as const }, [], true],
  ])('with %s the gateway is ready: %s', async (_name, spec, runtimes, expected) => {
    const gateway = await testGateway(spec, runtimes);
    if (spec === undefined) await gateway.memory.deletePool('default~main');
    await settle();
    expect(gateway.service.pools.isReady).toBe(expected);
  });

  it('is not ready without a pool where it is to have some', async () => {
    const gateway = await testGateway({}, ['a'], { readiness: 'stocked' });
    expect(gateway.service.pools.isReady).toBe(true);
    await gateway.memory.deletePool('default~main');
    await settle();
    expect(gateway.service.pools.isReady).toBe(false);
  });

  it.each([
    ['no runtime is ready anywhere', [], true],
    ['it reaches none of those that are', ['a'], false],
  ])(
    'as one of many it is as ready as the others when %s: %s',
    async (_name, runtimes, expected) => {
      const gateway = await testGateway({}, runtimes, { readiness: 'reachable' });
      for (const link of gateway.links.values()) link.move('connecting');
      await settle();
      expect(gateway.service.pools.isReady).toBe(expected);
    },
  );
});

/** Labels come in no fixed order. */
function sorted(text: string): string {
  return text.replaceAll(
    /\{([^}]*)\}/g,
    (_all, labels: string) => `{${labels.split(',').sort().join(',')}}`,
  );
}
