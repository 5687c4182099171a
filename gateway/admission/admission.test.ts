import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import { testGateway, type TestGateway, type TestTask } from '../../test/builders/gateway.ts';

function reasonOf({ end }: TestTask): string {
  if (end.answer !== undefined) return 'answered';
  return end.error instanceof AppError ? end.error.reason : 'running';
}

const atRuntime = (gateway: TestGateway): string[] =>
  [...gateway.link('a').unfinished].map(({ header }) => header.requestId);

/** Ends the oldest task at the runtime. */
async function finishOne(gateway: TestGateway): Promise<void> {
  [...gateway.link('a').unfinished][0]?.finish();
  await settle();
}

const warm = (maxConcurrentRequests: number) => ({
  tiers: { warm: { quota: { maxConcurrentRequests } } },
});

describe('who goes next', () => {
  it('a project sends no more tasks than its quota, the rest waits in order', async () => {
    const gateway = await testGateway(warm(2));
    for (const requestId of ['1', '2', '3', '4']) gateway.start({ requestId });
    expect(atRuntime(gateway)).toEqual(['1', '2']);
    await finishOne(gateway);
    expect(atRuntime(gateway)).toEqual(['2', '3']);
    await finishOne(gateway);
    expect(atRuntime(gateway)).toEqual(['3', '4']);
  });

  it('the quota of a project in the manifest wins over its tier', async () => {
    const gateway = await testGateway({
      ...warm(5),
      projects: [{ tenant: 'acme', project: 'site', quota: { maxConcurrentRequests: 1 } }],
    });
    for (const requestId of ['1', '2']) gateway.start({ requestId });
    expect(atRuntime(gateway)).toEqual(['1']);
  });

  it('a project at its limit never blocks another one', async () => {
    const gateway = await testGateway(warm(1));
    for (const requestId of ['1', '2']) gateway.start({ requestId });
    gateway.start({ requestId: 'other', project: 'free' });
    expect(atRuntime(gateway)).toEqual(['1', 'other']);
  });

  it('nothing is sent without credit of the runtime; more credit lets as many go', async () => {
    const gateway = await testGateway(warm(10));
    gateway.link('a').setGrant(1);
    for (const requestId of ['1', '2', '3']) gateway.start({ requestId, project: `p${requestId}` });
    expect(atRuntime(gateway)).toEqual(['1']);
    gateway.link('a').setGrant(2);
    await settle();
    expect(atRuntime(gateway)).toEqual(['1', '2']);
  });

  it('a parked task holds no credit', async () => {
    const gateway = await testGateway(warm(10));
    gateway.link('a').setGrant(1);
    for (const requestId of ['1', '2']) gateway.start({ requestId, project: `p${requestId}` });
    gateway.link('a').task.park();
    await settle();
    expect(atRuntime(gateway)).toEqual(['1', '2']);
  });

  it('tenants take turns, and priority orders inside a tenant', async () => {
    const gateway = await testGateway(warm(10));
    gateway.link('a').setGrant(1);
    gateway.start({ requestId: 'running' });
    const waiting = [
      { requestId: 'a-low', priority: 'LOW' },
      { requestId: 'a-critical', priority: 'CRITICAL' },
      { requestId: 'a-high', priority: 'HIGH' },
    ] as const;
    for (const one of waiting) gateway.start({ ...one, project: one.requestId });
    gateway.start({ requestId: 'b-low', priority: 'LOW', tenant: 'b' });
    const order: string[] = [];
    for (let index = 0; index < 4; index += 1) {
      await finishOne(gateway);
      order.push(...atRuntime(gateway));
    }
    expect(order).toEqual(['a-critical', 'b-low', 'a-high', 'a-low']);
  });

  it('tells the runtime how much is wanted of it', async () => {
    const gateway = await testGateway(warm(1));
    for (const requestId of ['1', '2', '3']) gateway.start({ requestId });
    await finishOne(gateway);
    expect(gateway.link('a').demand).toBe(2);
  });
});

describe('how long and how many may wait', () => {
  it.each([
    ['the pool', { queue: { depthMax: 2 } }],
    ['the tenant', { tenantLimits: { queueDepthMax: 2 } }],
    ['this tenant', { tenants: [{ name: 'acme', limits: { queueDepthMax: 2 } }] }],
  ])('one more than %s may have waiting is refused at once', async (_name, spec) => {
    const gateway = await testGateway({ ...warm(1), ...spec });
    const tasks = ['1', '2', '3', '4'].map((requestId) => gateway.start({ requestId }));
    await settle();
    expect(tasks.map(reasonOf)).toEqual(['running', 'running', 'running', 'QUEUE_FULL']);
    expect(tasks[3]?.end.error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', retryAfterMs: 1_000 });
  });

  it.each([
    ["the pool's", { queue: { waitMsMax: 2_000 } }, 0, 2_000],
    ["the caller's", { queue: { waitMsMax: 2_000 } }, 500, 500],
    ["the pool's, though the caller would wait longer", { queue: { waitMsMax: 500 } }, 2_000, 500],
  ])('a wait over %s limit ends with QUEUE_TIMEOUT', async (_name, spec, maxWaitMs, expectedMs) => {
    const gateway = await testGateway({ ...warm(1), ...spec });
    gateway.start({ requestId: '1' });
    const task = gateway.start({ requestId: '2', maxWaitMs });
    await gateway.clock.advance(expectedMs - 1);
    expect(reasonOf(task)).toBe('running');
    await gateway.clock.advance(1);
    expect(task.end.error).toMatchObject({ reason: 'QUEUE_TIMEOUT', retryAfterMs: 1_000 });
    expect(gateway.core.context.admission.waiting('default~main')).toBe(0);
  });

  it('says that no runtime is there instead, where that was the reason', async () => {
    const gateway = await testGateway({ queue: { waitMsMax: 1_000 } }, []);
    const tasks = ['1', '2'].map((requestId) => gateway.start({ requestId }));
    await gateway.clock.advance(1_000);
    expect(tasks.map(reasonOf)).toEqual(['OWNER_UNREACHABLE', 'OWNER_UNREACHABLE']);
  });

  it('a waiting task that is cancelled, or whose time is up, leaves the queue', async () => {
    const gateway = await testGateway(warm(1));
    gateway.start({ requestId: '1' });
    const cancelled = gateway.start({ requestId: '2' });
    const late = gateway.start({ requestId: '3', timeoutMs: 100 });
    cancelled.handle.leave();
    await gateway.clock.advance(100);
    expect([reasonOf(cancelled), reasonOf(late)]).toEqual(['CANCELLED', 'DEADLINE']);
    expect(gateway.core.context.admission.waiting('default~main')).toBe(0);
  });

  it('a task that lost its runtime is not turned away by a full queue', async () => {
    const gateway = await testGateway({ ...warm(1), queue: { depthMax: 1 } });
    const running = gateway.start({ requestId: '1' });
    await gateway.clock.advance(1);
    gateway.start({ requestId: '2' });
    gateway.link('a').breakDown();
    await settle();
    expect(reasonOf(running)).toBe('running');
    const next = await gateway.putRuntime('b');
    expect(next.task.header.requestId).toBe('1');
  });

  it('nor overtaken by one that came later', async () => {
    const gateway = await testGateway(warm(1));
    gateway.start({ requestId: '1' });
    await gateway.clock.advance(1);
    gateway.start({ requestId: '2' });
    gateway.link('a').task.elsewhere();
    await settle();
    expect(atRuntime(gateway)).toEqual(['1']);
  });
});

describe('rates', () => {
  it('a refusal of the runtime is repeated here until its retry time', async () => {
    const gateway = await testGateway();
    const first = gateway.start({ requestId: '1' });
    gateway.link('a').task.fail(new AppError('RATE_LIMITED', 'slow down', { retryAfterMs: 2_000 }));
    await settle();
    await gateway.clock.advance(500);
    const second = gateway.start({ requestId: '2' });
    const other = gateway.start({ requestId: '3', project: 'other' });
    await settle();
    expect([reasonOf(first), reasonOf(second), reasonOf(other)]).toEqual([
      'RATE_LIMITED',
      'RATE_LIMITED',
      'running',
    ]);
    expect(second.end.error).toMatchObject({ message: 'slow down', retryAfterMs: 1_500 });
    await gateway.clock.advance(1_500);
    const third = gateway.start({ requestId: '4' });
    await settle();
    expect(reasonOf(third)).toBe('running');
  });

  it('tasks of a tenant are counted over its projects', async () => {
    const gateway = await testGateway({ tenantLimits: { requestsPerMinute: 2 } });
    const tasks = ['1', '2', '3'].map((requestId) =>
      gateway.start({ requestId, project: `p${requestId}` }),
    );
    const other = gateway.start({ requestId: '4', tenant: 'other' });
    await settle();
    expect([...tasks, other].map(reasonOf)).toEqual([
      'running',
      'running',
      'RATE_LIMITED',
      'running',
    ]);
    expect(tasks[2]?.end.error).toMatchObject({
      message:
        'the tenant has used up its 2 requests per minute: wait, or have it raised (requestsPerMinute of tenantLimits or its entry)',
      retryAfterMs: 30_000,
    });
  });

  it('a pool takes no more tenants than maxTenants, counting those with state and those in the manifest', async () => {
    const gateway = await testGateway({ maxTenants: 2, tenants: [{ name: 'named' }] });
    for (const project of ['one', 'two'])
      await gateway.memory.claim({
        key: `default~main~known~${project}`,
        incarnation: 'a',
        claimId: project,
      });
    const tasks = ['named', 'known', 'new'].map((tenant) =>
      gateway.start({ tenant, requestId: tenant }),
    );
    await settle();
    expect(tasks.map(reasonOf)).toEqual(['running', 'running', 'FORBIDDEN']);
  });

  it('a pool takes no more tenants than maxTenants, however many new ones come at once', async () => {
    const gateway = await testGateway({ maxTenants: 3, runtime: { maxConcurrentTasks: 100 } });
    await gateway.memory.claim({
      key: 'default~main~known~one',
      incarnation: 'a',
      claimId: 'c',
    });
    let reads = 0;
    gateway.storePlan = (method) => {
      if (method === 'listProjects') reads += 1;
      return method === 'listProjects' ? { answerDelayMs: 5 } : undefined;
    };
    const tenants = Array.from({ length: 30 }, (_, at) => `tenant-${at}`);
    const start = (tenant: string, requestId = tenant) => gateway.start({ tenant, requestId });
    const first = tenants.map((tenant) => start(tenant));
    await settle();
    await gateway.clock.advance(10);
    expect(first.map(reasonOf).filter((reason) => reason === 'running')).toHaveLength(2);
    // Each asks for itself, and all together count once.
    expect(reads).toBe(31);
    const again = [start('tenant-0', 'again'), start('tenant-29', 'again')];
    await settle();
    await gateway.clock.advance(10);
    expect(again.map(reasonOf)).toEqual(['running', 'FORBIDDEN']);
    expect(reads).toBe(32);
  });

  it('a place of maxTenants is free again when nothing came of who took it', async () => {
    const limits = { taskTimeoutSeconds: 10 };
    const gateway = await testGateway({ maxTenants: 1, limits, queue: { waitMsMax: 1_000 } });
    const tasks = [gateway.start({ tenant: 'a', requestId: 'a' })];
    await settle();
    await gateway.clock.advance(11_001);
    tasks.push(gateway.start({ tenant: 'b', requestId: 'b' }));
    await settle();
    tasks.push(gateway.start({ tenant: 'a', requestId: 'a2' }));
    await settle();
    expect(tasks.slice(1).map(reasonOf)).toEqual(['running', 'FORBIDDEN']);
  });
});
