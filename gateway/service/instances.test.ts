import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import type { InstanceView } from '../../platform/link/frames.ts';
import { createPrincipal } from '../access/principal.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import { ADMIN, testGateway, type TestGateway } from '../../test/builders/gateway.ts';
import type { FakeLink } from '../../test/fakes/fake-link.ts';

const KEY = 'default~main~acme~site';
const NAMES = { pool: 'main', tenant: 'acme', project: 'site' };
const OPERATOR = createPrincipal({ subject: 'op', tenants: ['acme'], role: 'operator' });
const FIRST_PAGE = { pool: '', tenant: '', project: '', pageSize: 0, pageToken: '' };

function view(id: string, more: Partial<InstanceView> = {}): InstanceView {
  return {
    id,
    tier: 'WARM',
    state: 'READY',
    createdMs: 1,
    lastUsedMs: 2,
    requests: 3,
    memoryBytes: 4,
    cpuPercent: 5,
    message: '',
    epoch: 1,
    queued: 0,
    ...more,
  };
}

const key = (tenant: string, project: string): string => `default~main~${tenant}~${project}`;

/** Instances of two runtimes, one of them twice: it has just moved from a to b. */
async function populated(): Promise<TestGateway> {
  const gateway = await testGateway({}, ['a', 'b']);
  gateway.link('a').onCall = () => [
    view(key('acme', 'one')),
    view(key('acme', 'moved')),
    view(key('other', 'x'), { tier: 'COLD', state: 'BUSY' }),
  ];
  gateway.link('b').onCall = () => [
    view(key('acme', 'moved'), { epoch: 2 }),
    view(key('acme', 'two'), { state: 'PAUSED' }),
  ];
  return gateway;
}

/** The runtime owns the project by the store. */
async function owned(): Promise<{ gateway: TestGateway; link: FakeLink }> {
  const gateway = await testGateway();
  await gateway.memory.claim({ key: KEY, incarnation: 'a', claimId: 'c' });
  return { gateway, link: gateway.link('a') };
}

const reason = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: unknown) => (error instanceof AppError ? error.reason : String(error)),
  );

describe('the list of instances', () => {
  it.each([
    ['everything', {}, ['acme/moved@b', 'acme/one@a', 'acme/two@b', 'other/x@a']],
    ['one tenant', { tenant: 'acme' }, ['acme/moved@b', 'acme/one@a', 'acme/two@b']],
    ['one project', { project: 'two' }, ['acme/two@b']],
    ['one tier', { tier: 'COLD' as const }, ['other/x@a']],
    ['one state', { state: 'PAUSED' as const }, ['acme/two@b']],
  ])(
    'has %s, each once, from the runtime of the highest epoch',
    async (_name, filter, expected) => {
      const gateway = await populated();
      const { items } = await gateway.service.instances.list(ADMIN, { ...FIRST_PAGE, ...filter });
      expect(
        items.map(({ tenant, project, runtime }) => `${tenant}/${project}@${runtime}`),
      ).toEqual(expected);
    },
  );

  it('comes in pages that stay stable while instances come and go', async () => {
    const gateway = await populated();
    const first = await gateway.service.instances.list(ADMIN, { ...FIRST_PAGE, pageSize: 2 });
    gateway.link('a').onCall = () => [view(key('aaa', 'new')), view(key('zzz', 'new'))];
    const second = await gateway.service.instances.list(ADMIN, {
      ...FIRST_PAGE,
      pageSize: 2,
      pageToken: first.nextPageToken,
    });
    expect(first.items.map(({ project }) => project)).toEqual(['moved', 'one']);
    expect(second.items.map(({ tenant, project }) => [tenant, project])).toEqual([
      ['acme', 'two'],
      ['zzz', 'new'],
    ]);
    expect(second.nextPageToken).toBe('');
  });

  it('refuses a page token that it did not give out', async () => {
    const gateway = await populated();
    await expect(
      gateway.service.instances.list(ADMIN, { ...FIRST_PAGE, pageToken: '$$$' }),
    ).rejects.toMatchObject({ reason: 'INVALID_FIELD', field: 'page_token' });
  });

  it('shows a principal its own tenants only', async () => {
    const gateway = await populated();
    const { items } = await gateway.service.instances.list(OPERATOR, FIRST_PAGE);
    expect(new Set(items.map(({ tenant }) => tenant))).toEqual(new Set(['acme']));
    expect(
      await reason(gateway.service.instances.list(OPERATOR, { ...FIRST_PAGE, tenant: 'other' })),
    ).toBe('FORBIDDEN');
  });

  it('leaves out a runtime that does not answer', async () => {
    const gateway = await populated();
    gateway.link('a').onCall = () => {
      throw new AppError('OWNER_UNREACHABLE', 'late');
    };
    const { items } = await gateway.service.instances.list(ADMIN, FIRST_PAGE);
    expect(items.map(({ project }) => project)).toEqual(['moved', 'two']);
  });
});

describe('one instance', () => {
  it('is told by its owner', async () => {
    const { gateway, link } = await owned();
    link.onCall = () => view(KEY, { state: 'BUSY' });
    expect(await gateway.service.instances.get(OPERATOR, KEY)).toEqual({
      id: KEY,
      pool: 'main',
      tenant: 'acme',
      project: 'site',
      tier: 'WARM',
      state: 'BUSY',
      runtime: 'a',
      createdMs: 1,
      lastUsedMs: 2,
      requests: 3,
      memoryBytes: 4,
      cpuPercent: 5,
      message: '',
      epoch: 1,
    });
    expect(link.calls).toEqual([{ method: 'getInstance', project: KEY }]);
  });

  it.each([
    ['nothing'],
    ['default~main~acme'],
    ['default~main~acme~..'],
    ['default~other~acme~site'],
    [KEY],
  ])('%s is unknown where nobody has it', async (id) => {
    const gateway = await testGateway();
    expect(await reason(gateway.service.instances.get(ADMIN, id))).toBe('UNKNOWN_INSTANCE');
    expect(await reason(gateway.service.instances.delete(ADMIN, id, false))).toBe(
      'UNKNOWN_INSTANCE',
    );
  });

  it('of another tenant is forbidden, whether it exists or not', async () => {
    const gateway = await testGateway();
    expect(await reason(gateway.service.instances.get(OPERATOR, key('other', 'x')))).toBe(
      'FORBIDDEN',
    );
  });

  it('is activated where a task would go, by the owner if there is one', async () => {
    const gateway = await testGateway();
    gateway.link('a').onCall = () => ({ ...view(KEY), created: true });
    expect(await gateway.service.instances.create(OPERATOR, NAMES)).toMatchObject({
      created: true,
      instance: { id: KEY, runtime: 'a' },
    });
    gateway.link('a').onCall = () => view(KEY);
    expect(await gateway.service.instances.create(OPERATOR, NAMES)).toMatchObject({
      created: false,
    });
  });

  it('is created in the tier of its project, and in no other', async () => {
    const gateway = await testGateway();
    gateway.link('a').onCall = () => ({ ...view(KEY), created: true });
    const { instances } = gateway.service;
    expect(await reason(instances.create(OPERATOR, NAMES, 'WARM'))).toBe('answered');
    await expect(instances.create(OPERATOR, NAMES, 'HOT')).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      field: 'tier',
    });
  });

  it('waits for a runtime to be activated on, but not for ever', async () => {
    const gateway = await testGateway({ queue: { waitMsMax: 500 } }, []);
    const end = reason(gateway.service.instances.create(OPERATOR, NAMES));
    await settle();
    await gateway.clock.advance(1_000);
    expect(await end).toBe('OWNER_UNREACHABLE');
  });

  it('is looked for where it moved', async () => {
    const gateway = await testGateway({}, ['a', 'b']);
    const asked: string[] = [];
    for (const [name, other] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      gateway.link(name).onCall = () => {
        asked.push(name);
        if (asked.length > 1) return view(KEY);
        throw new AppError('OWNER_UNREACHABLE', 'elsewhere', {
          metadata: { incarnation: other, address: '', epoch: '3' },
        });
      };
    }
    await gateway.service.instances.create(OPERATOR, NAMES);
    expect(asked.sort()).toEqual(['a', 'b']);
  });

  it('is ended by its owner', async () => {
    const { gateway, link } = await owned();
    link.onCall = () => ({});
    await gateway.service.instances.delete(OPERATOR, KEY, true);
    expect(link.calls).toEqual([{ method: 'remove', project: KEY, force: true }]);
  });

  it('whose owner cannot be reached says so', async () => {
    const { gateway, link } = await owned();
    link.move('backoff');
    expect(await reason(gateway.service.instances.pause(OPERATOR, KEY, false))).toBe(
      'OWNER_UNREACHABLE',
    );
  });
});

describe('pause and resume', () => {
  it('are done by the owner', async () => {
    const { gateway, link } = await owned();
    link.onCall = ({ method }) => view(KEY, { state: method === 'pause' ? 'PAUSED' : 'READY' });
    expect((await gateway.service.instances.pause(OPERATOR, KEY, true)).state).toBe('PAUSED');
    expect((await gateway.service.instances.resume(OPERATOR, KEY)).state).toBe('READY');
    expect(link.calls).toEqual([
      { method: 'pause', project: KEY, force: true },
      { method: 'resume', project: KEY },
    ]);
  });

  it.each([
    ['a project that was never used', false],
    ['an owner that has just let go', true],
  ])('set the flag in the record with %s', async (_name, hasOwner) => {
    const gateway = await testGateway();
    if (hasOwner) {
      const answer = await gateway.memory.claim({ key: KEY, incarnation: 'a', claimId: 'c' });
      gateway.link('a').onCall = () => {
        throw new AppError('UNKNOWN_INSTANCE', 'gone');
      };
      if (answer.type === 'claimed') await gateway.memory.release(answer.activation.claim);
    }
    expect(await gateway.service.instances.pause(OPERATOR, KEY, false)).toMatchObject({
      id: KEY,
      state: 'PAUSED',
      runtime: '',
    });
    expect((await gateway.memory.readProject(KEY))?.paused).toBe(true);
    expect(await gateway.service.instances.resume(OPERATOR, KEY)).toMatchObject({
      state: 'TERMINATED',
    });
    expect((await gateway.memory.readProject(KEY))?.paused).toBe(false);
  });

  it('ask the owner that came meanwhile', async () => {
    const gateway = await testGateway();
    gateway.link('a').onCall = () => view(KEY, { state: 'PAUSED' });
    let isFirst = true;
    gateway.storePlan = (method) => {
      if (method !== 'setPaused' || !isFirst) return undefined;
      isFirst = false;
      void gateway.memory.claim({ key: KEY, incarnation: 'a', claimId: 'c' });
      return { requestDelayMs: 10 };
    };
    const paused = gateway.service.instances.pause(OPERATOR, KEY, false);
    await settle();
    await gateway.clock.advance(20);
    expect((await paused).runtime).toBe('a');
  });
});
