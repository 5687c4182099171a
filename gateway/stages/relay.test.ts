import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import type { FakeLink } from '../../test/fakes/fake-link.ts';
import {
  runtimeRecord,
  testGateway,
  type TestGateway,
  type TestTask,
} from '../../test/builders/gateway.ts';
import { createPrincipal } from '../access/principal.ts';
import { quarantinedProjects } from './quarantined-projects.ts';
import type { TaskRequest } from '../task/call.ts';

const KEY = 'default~main~acme~site';

function reasonOf({ end }: TestTask): string {
  if (end.answer !== undefined) return 'answered';
  return end.error instanceof AppError ? end.error.reason : 'running';
}

/** The runtime that the only unfinished task is at. */
function holder(gateway: TestGateway): FakeLink {
  const holders = [...gateway.links.values()].filter((link) => link.unfinished.size > 0);
  const [link] = holders;
  if (link === undefined || holders.length > 1)
    throw new Error(`the task is at ${holders.length} runtimes`);
  return link;
}

/** The process is gone: the link breaks, the lease ends. */
async function kill(gateway: TestGateway, link: FakeLink): Promise<void> {
  link.breakDown();
  await gateway.memory.deregister(link.incarnation);
  await settle();
}

describe('a lost runtime', () => {
  it('costs the task nothing but a second attempt on the next runtime', async () => {
    const gateway = await testGateway({}, ['a', 'b']);
    const task = gateway.start();
    const first = holder(gateway);
    const digest = first.task.start().header.digest;
    await kill(gateway, first);
    const second = holder(gateway);
    expect(second).not.toBe(first);
    expect(second.task.header).toMatchObject({
      requestId: 'r-1',
      conversationId: 'talk',
      attempt: 2,
      digest,
    });
    expect(second.task.header.takeover).toBeUndefined();
    second.task.start().finish('second');
    await settle();
    expect(reasonOf(task)).toBe('answered');
  });

  it.each<[string, Partial<TaskRequest>, boolean]>([
    ['a caller that wants no repeat', { retry: 'NEVER' }, false],
    ['a task that has sent a chunk', {}, true],
  ])('ends %s with RUNTIME_LOST and a retry hint', async (_name, request, streams) => {
    const gateway = await testGateway({}, ['a', 'b']);
    const task = gateway.start(request, {
      sink: { started: () => undefined, chunk: (_chunk, consumed) => consumed() },
    });
    const sent = holder(gateway).task.start();
    if (streams) sent.chunk('part');
    await kill(gateway, holder(gateway));
    expect(task.end.error).toMatchObject({
      reason: 'RUNTIME_LOST',
      code: 'UNAVAILABLE',
      retryAfterMs: 1_000,
    });
    expect(gateway.link('a').sent.length + gateway.link('b').sent.length).toBe(1);
  });

  it('tells a streaming caller of one start only', async () => {
    const gateway = await testGateway({}, ['a', 'b']);
    let starts = 0;
    const sink = { started: () => void (starts += 1), chunk: () => undefined };
    gateway.start({}, { sink });
    holder(gateway).task.start();
    await kill(gateway, holder(gateway));
    holder(gateway).task.start();
    expect(starts).toBe(1);
  });

  it('is not tried a third time', async () => {
    const gateway = await testGateway({}, ['a', 'b', 'c']);
    const task = gateway.start();
    for (let death = 0; death < 2; death += 1) {
      holder(gateway).task.start();
      await kill(gateway, holder(gateway));
    }
    expect(reasonOf(task)).toBe('RUNTIME_LOST');
  });

  it('counts losses of tasks that never ran only up to a bound', async () => {
    const gateway = await testGateway({}, ['a', 'b', 'c', 'd', 'e', 'f']);
    const task = gateway.start();
    let deaths = 0;
    for (; reasonOf(task) === 'running'; deaths += 1) await kill(gateway, holder(gateway));
    expect([deaths, reasonOf(task)]).toEqual([5, 'RUNTIME_LOST']);
  });

  it('is waited for where it was the only one', async () => {
    const gateway = await testGateway();
    const task = gateway.start();
    gateway.link('a').task.start();
    await kill(gateway, gateway.link('a'));
    await gateway.clock.advance(3_000);
    expect(reasonOf(task)).toBe('running');
    const next = await gateway.putRuntime('b');
    expect(next.task.header).toMatchObject({ attempt: 2, queuedMs: 3_000 });
    next.task.finish();
    await settle();
    expect(reasonOf(task)).toBe('answered');
  });

  it('is not waited for longer than tasks may wait', async () => {
    const gateway = await testGateway({ queue: { waitMsMax: 2_000 } });
    const task = gateway.start();
    gateway.link('a').task.start();
    await kill(gateway, gateway.link('a'));
    await gateway.clock.advance(2_000);
    expect(task.end.error).toMatchObject({ reason: 'OWNER_UNREACHABLE', retryAfterMs: 1_000 });
  });

  it('whose link comes back gets its project again without a takeover', async () => {
    const gateway = await testGateway();
    const link = gateway.link('a');
    const task = gateway.start();
    link.task.start();
    await gateway.memory.claim({ key: KEY, incarnation: 'a', claimId: 'c1' });
    link.breakDown();
    await settle();
    link.move('ready');
    await settle();
    expect(link.task.header).toMatchObject({ attempt: 2 });
    expect(link.task.header.takeover).toBeUndefined();
    link.task.finish();
    await settle();
    expect(reasonOf(task)).toBe('answered');
  });

  it('is named with its epoch where it still owns the project by the store', async () => {
    const gateway = await testGateway({}, ['a', 'b']);
    gateway.start();
    const first = holder(gateway);
    first.task.start();
    await gateway.memory.claim({ key: KEY, incarnation: first.incarnation, claimId: 'c1' });
    first.breakDown();
    await settle();
    expect(holder(gateway).task.header.takeover).toEqual({
      incarnation: first.incarnation,
      epoch: 1,
      refused: false,
    });
  });

  it('counts like one when it lost the project under a running task', async () => {
    const gateway = await testGateway({}, ['a', 'b']);
    const task = gateway.start();
    const sent = holder(gateway).task.start();
    sent.fail(new AppError('RUNTIME_LOST', 'the project moved'));
    await settle();
    const again = holder(gateway).task;
    expect(again.header.attempt).toBe(2);
    again.start().fail(new AppError('RUNTIME_LOST', 'the project moved'));
    await settle();
    expect(reasonOf(task)).toBe('RUNTIME_LOST');
  });
});

describe('a project that is elsewhere', () => {
  it('is followed to its owner, and later tasks go there at once', async () => {
    const gateway = await testGateway({}, ['a', 'b']);
    gateway.start();
    const asked = holder(gateway);
    const owner = asked.incarnation === 'a' ? 'b' : 'a';
    expect(asked.task.header.sentOn).toBeUndefined();
    asked.task.elsewhere({ incarnation: owner, address: `unix:/run/${owner}`, epoch: 7 });
    await settle();
    expect(gateway.link(owner).task.header).toMatchObject({ attempt: 1, sentOn: true });
    gateway.link(owner).task.start().finish();
    await settle();
    gateway.start({ requestId: 'r-2' });
    expect(holder(gateway).incarnation).toBe(owner);
  });

  it.each([
    ['is looked for at most three times where nothing is new', () => 1, 3],
    [
      'is followed further while it changes hands, but not for ever',
      (hops: number) => hops + 1,
      12,
    ],
  ])('%s', async (_name, epochAfter, hopsMax) => {
    const gateway = await testGateway({}, ['a', 'b']);
    const task = gateway.start();
    let hops = 0;
    for (; reasonOf(task) === 'running'; hops += 1) {
      const asked = holder(gateway);
      const other = asked.incarnation === 'a' ? 'b' : 'a';
      asked.task.elsewhere({ incarnation: other, address: '', epoch: epochAfter(hops) });
      await settle();
    }
    expect([hops, reasonOf(task)]).toEqual([hopsMax, 'OWNER_UNREACHABLE']);
  });

  it('may be at a runtime that this gateway has not heard of yet', async () => {
    const gateway = await testGateway();
    const task = gateway.start();
    gateway.storePlan = (method) =>
      method === 'listRuntimes' ? { requestDelayMs: 50 } : undefined;
    await gateway.memory.heartbeat(runtimeRecord('new'), 3_600_000);
    await gateway.memory.claim({ key: KEY, incarnation: 'new', claimId: 'c1' });
    gateway.link('a').task.elsewhere({ incarnation: 'new', address: 'unix:/run/new', epoch: 1 });
    await gateway.clock.advance(200);
    expect(gateway.link('new').task.header.takeover).toBeUndefined();
    expect(reasonOf(task)).toBe('running');
  });
});

describe('quarantine', () => {
  /** The offender kills what it runs on. */
  async function murder(gateway: TestGateway, requestId: string): Promise<TestTask> {
    const task = gateway.start({ requestId });
    for (let death = 0; death < 2 && reasonOf(task) === 'running'; death += 1) {
      holder(gateway).task.start();
      await kill(gateway, holder(gateway));
    }
    return task;
  }

  it('refuses a project whose tasks ran at two deaths in a row, then tries it again', async () => {
    const gateway = await testGateway({ circuitBreaker: { resetTimeoutSeconds: 30 } }, [
      'a',
      'b',
      'c',
    ]);
    const breaker = async (): Promise<string | undefined> =>
      /^agent_pool_circuit_breaker_state\{.*\} (\d)$/m.exec(await gateway.metrics.text([]))?.[1];
    const told = (tenants: string[] = ['*']) =>
      quarantinedProjects(
        gateway.core.context,
        gateway.core.context.membership.pools[0]!,
        createPrincipal({ subject: 'ops', tenants, role: 'operator' }),
      );
    const acme = { tenant: 'acme', project: 'site' };
    expect(await breaker()).toBe('0');
    expect(told()).toEqual([]);
    await murder(gateway, 'r-1');
    const refused = gateway.start({ requestId: 'r-2' });
    await settle();
    expect(refused.end.error).toMatchObject({ reason: 'CIRCUIT_OPEN', retryAfterMs: 30_000 });
    expect(await breaker()).toBe('1');
    expect(told()).toEqual([{ ...acme, state: 'open', retryAfterMs: 30_000 }]);
    expect(told(['other'])).toEqual([]);
    await gateway.clock.advance(30_000);
    expect(await breaker()).toBe('2');
    expect(told()).toEqual([{ ...acme, state: 'half-open', retryAfterMs: 0 }]);
    const probe = gateway.start({ requestId: 'r-3' });
    await settle();
    holder(gateway).task.start().finish();
    await settle();
    expect(reasonOf(probe)).toBe('answered');
    expect(told()).toEqual([]);
  });

  it('tries one suspect at a time per runtime, and lets others pass', async () => {
    const gateway = await testGateway({ circuitBreaker: { resetTimeoutSeconds: 1 } }, [
      'a',
      'b',
      'c',
    ]);
    await murder(gateway, 'r-1');
    await gateway.clock.advance(1_000);
    gateway.start({ requestId: 'probe' });
    gateway.start({ requestId: 'waits' });
    await settle();
    gateway.start({ requestId: 'other', project: 'innocent' });
    const link = [...gateway.links.values()].find(({ unfinished }) => unfinished.size > 0)!;
    expect([...link.unfinished].map(({ header }) => header.requestId)).toEqual(['probe', 'other']);
    [...link.unfinished][0]?.start().finish();
    await settle();
    expect([...link.unfinished].map(({ header }) => header.requestId)).toEqual(['other', 'waits']);
  });

  /** The task that is at the runtime, when it is the only one. */
  function onlyAt(link: FakeLink): string {
    return [...link.unfinished].map(({ header }) => header.requestId).join(' and ');
  }

  it('lets no bystander pay: whoever ran at both deaths beside others is tried once more, alone', async () => {
    const gateway = await testGateway({}, ['a']);
    const ids = ['offender', 'by-1', 'by-2'];
    const [offender, ...bystanders] = ids.map((id) =>
      gateway.start({ requestId: id, project: id }),
    );
    for (const [dying, next] of [
      ['a', 'b'],
      ['b', 'c'],
    ] as const) {
      for (const task of gateway.link(dying).unfinished) task.start();
      await kill(gateway, gateway.link(dying));
      await gateway.putRuntime(next);
    }
    expect(onlyAt(gateway.link('c'))).toBe('offender');
    expect(gateway.link('c').task.start().header.attempt).toBe(3);
    await kill(gateway, gateway.link('c'));
    expect([offender!, ...bystanders].map(reasonOf)).toEqual([
      'RUNTIME_LOST',
      'running',
      'running',
    ]);

    const last = await gateway.putRuntime('d');
    for (const id of ['by-1', 'by-2']) {
      expect(onlyAt(last)).toBe(id);
      last.task.start().finish();
      await settle();
    }
    expect(bystanders.map(reasonOf)).toEqual(['answered', 'answered']);
    const again = gateway.start({ requestId: 'again', project: 'offender' });
    await settle();
    expect(reasonOf(again)).toBe('CIRCUIT_OPEN');
  });

  it('lets nobody pay who came to run later than the others, and so was beside each try of the offender', async () => {
    const gateway = await testGateway({}, ['a']);
    const ids = ['offender', 'beside', 'late'];
    const [offender, ...bystanders] = ids.map((id) =>
      gateway.start({ requestId: id, project: id }),
    );
    const die = async (at: string, next: string, running: readonly string[]): Promise<void> => {
      for (const task of gateway.link(at).unfinished)
        if (running.includes(task.header.requestId)) task.start();
      await kill(gateway, gateway.link(at));
      await gateway.putRuntime(next);
    };
    await die('a', 'b', ['offender', 'beside']);
    await die('b', 'c', ids);
    await die('c', 'd', ids);
    expect(reasonOf(offender!)).toBe('RUNTIME_LOST');
    for (let n = 0; n < 2; n += 1) {
      gateway.link('d').task.start().finish();
      await settle();
    }
    expect(bystanders.map(reasonOf)).toEqual(['answered', 'answered']);
  });

  it('holds no death against a project that was ordered', async () => {
    const gateway = await testGateway({}, ['a', 'b', 'c']);
    const task = gateway.start();
    for (let death = 0; death < 2; death += 1) {
      const link = holder(gateway);
      link.task.start();
      link.events.draining(link);
      await kill(gateway, link);
    }
    expect(reasonOf(task)).toBe('RUNTIME_LOST');
    const next = gateway.start({ requestId: 'r-2' });
    await settle();
    expect(reasonOf(next)).toBe('running');
  });
});
