import { describe, expect, it } from '@jest/globals';
import { AppError, type Reason } from '../../core/errors.ts';
import { createPrincipal } from '../access/principal.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import { testGateway, type TestGateway, type TestTask } from '../../test/builders/gateway.ts';
import type { CallOptions, TaskChunk, TaskRequest, TaskStart } from '../task/call.ts';

const CALLER = createPrincipal({
  subject: 'ann',
  tenants: ['acme'],
  projects: ['site'],
  role: 'caller',
});

function reasonOf({ end }: TestTask): string {
  if (end.answer !== undefined) return 'answered';
  return end.error instanceof AppError ? end.error.reason : 'running';
}

const textOf = ({ end }: TestTask): string => Buffer.from(end.answer?.body ?? '').toString();

describe('a task through all stages', () => {
  it('goes to the runtime with its ids, limits and principal, and comes back with the answer', async () => {
    const gateway = await testGateway();
    const task = gateway.start(
      {
        requestId: '',
        conversationId: '',
        metadata: { lang: 'en' },
        priority: 'HIGH',
        timeoutMs: 5_000,
        leaseId: 'l',
      },
      { principal: CALLER },
    );
    const { header, body } = gateway.link('a').task;
    expect(header).toEqual({
      project: 'default~main~acme~site',
      requestId: 'made-1',
      conversationId: 'made-2',
      newConversation: true,
      agent: 'echo',
      attempt: 1,
      priority: 'HIGH',
      remainingMs: 5_000,
      queueMs: 30_000,
      queuedMs: 0,
      metadata: { lang: 'en' },
      principal: { subject: 'ann', role: 'caller' },
      arm: 'text',
      digest: expect.stringMatching(/^[\w-]{43}$/),
      leaseId: 'l',
      stream: false,
      onDisconnect: 'CANCEL',
    });
    expect(Buffer.from(body).toString()).toBe('hello');
    gateway.link('a').task.start().finish('hi');
    await settle();
    expect(textOf(task)).toBe('hi');
    expect(task.end.answer).toMatchObject({ requestId: 'made-1', connectionReused: false });
  });

  it('says from the second task on that the connection was there', async () => {
    const gateway = await testGateway();
    gateway.link('a').onTask = (sent) => sent.start().finish();
    const first = gateway.start({ requestId: '1' });
    await settle();
    const second = gateway.start({ requestId: '2' });
    await settle();
    expect([first.end.answer?.connectionReused, second.end.answer?.connectionReused]).toEqual([
      false,
      true,
    ]);
  });

  it.each<[string, Partial<TaskRequest>]>([
    ['another agent', { agent: 'counter' }],
    ['another conversation', { conversationId: 'other' }],
    ['the same bytes as JSON', { input: { arm: 'json_utf8', body: Buffer.from('hello') } }],
    ['other bytes', { input: { arm: 'text', body: Buffer.from('hello!') } }],
  ])('has another digest with %s, and the same one otherwise', async (_name, change) => {
    const gateway = await testGateway();
    for (const request of [{}, { priority: 'LOW' as const, timeoutMs: 9 }, change])
      gateway.start(request);
    const [first, same, other] = gateway.link('a').sent.map(({ header }) => header.digest);
    expect(same).toBe(first);
    expect(other).not.toBe(first);
  });

  it('gives everything back, whatever the end', async () => {
    const gateway = await testGateway({ limits: { taskTimeoutSeconds: 10 } });
    const timersBefore = gateway.clock.pendingTimers;
    const ends = [
      (): void => gateway.link('a').task.finish(),
      (): void => gateway.link('a').task.fail(new AppError('AGENT_ERROR', 'no')),
      (): void => gateway.link('a').task.start().lose(),
    ];
    for (const end of ends) {
      const task = gateway.start({ retry: 'NEVER' });
      end();
      await settle();
      expect(reasonOf(task)).not.toBe('running');
    }
    expect(gateway.clock.pendingTimers).toBe(timersBefore);
    expect(gateway.core.context.runtimes.get('a')).toMatchObject({ unfinished: 0, reserved: 0 });
    expect(gateway.service.tasks.active).toBe(0);
  });
});

describe('what is refused before anything is sent', () => {
  interface Row {
    readonly request?: Partial<TaskRequest>;
    readonly options?: Partial<CallOptions>;
    readonly reason: Reason;
    readonly field?: string;
  }
  const long = 'x'.repeat(254);
  it.each<[string, Row]>([
    ['an empty tenant', { request: { tenant: '' }, reason: 'INVALID_FIELD', field: 'tenant' }],
    ['an empty project', { request: { project: '' }, reason: 'INVALID_FIELD', field: 'project' }],
    [
      'a tenant with a slash',
      { request: { tenant: 'a/b' }, reason: 'INVALID_FIELD', field: 'tenant' },
    ],
    [
      'a tenant that is ..',
      { request: { tenant: '..' }, reason: 'INVALID_FIELD', field: 'tenant' },
    ],
    [
      'a project with a control character',
      { request: { project: 'a\u0007' }, reason: 'INVALID_FIELD', field: 'project' },
    ],
    [
      'a project in Unicode',
      { request: { project: 'naïve' }, reason: 'INVALID_FIELD', field: 'project' },
    ],
    ['a long agent', { request: { agent: long }, reason: 'INVALID_FIELD', field: 'agent' }],
    [
      'a conversation with a space',
      { request: { conversationId: 'a b' }, reason: 'INVALID_FIELD', field: 'conversation_id' },
    ],
    [
      'a request id with ~',
      { request: { requestId: 'a~b' }, reason: 'INVALID_FIELD', field: 'request_id' },
    ],
    ['no input', { request: { input: undefined }, reason: 'INVALID_FIELD', field: 'input' }],
    [
      'metadata of ours',
      {
        request: { metadata: { 'AgentPool-key': 'x' } },
        reason: 'INVALID_FIELD',
        field: 'metadata',
      },
    ],
    [
      'endless metadata',
      {
        request: { metadata: { a: 'x'.repeat(20_000) } },
        reason: 'INVALID_FIELD',
        field: 'metadata',
      },
    ],
    [
      'a negative time-out',
      { request: { timeoutMs: -1 }, reason: 'INVALID_FIELD', field: 'options.timeout_ms' },
    ],
    [
      'a wait of half a millisecond',
      { request: { maxWaitMs: 0.5 }, reason: 'INVALID_FIELD', field: 'options.max_wait_ms' },
    ],
    [
      'an input above the limit',
      {
        request: { input: { arm: 'text', body: Buffer.alloc(1_025) } },
        reason: 'PAYLOAD_TOO_LARGE',
        field: 'input',
      },
    ],
    [
      'another tenant',
      { request: { tenant: 'other' }, options: { principal: CALLER }, reason: 'FORBIDDEN' },
    ],
    [
      'another project of its tenant',
      { request: { project: 'other' }, options: { principal: CALLER }, reason: 'FORBIDDEN' },
    ],
    ['an unknown pool', { request: { pool: 'other' }, reason: 'UNKNOWN_POOL', field: 'pool' }],
    [
      'an unknown namespace',
      { request: { pool: 'other/main' }, reason: 'UNKNOWN_POOL', field: 'pool' },
    ],
    [
      'a pool that is no name',
      { request: { pool: '../main' }, reason: 'INVALID_FIELD', field: 'pool' },
    ],
    ['an unknown agent', { request: { agent: 'other' }, reason: 'UNKNOWN_AGENT', field: 'agent' }],
    ['a deadline that has passed', { options: { remainingMs: -5 }, reason: 'DEADLINE' }],
  ])('%s', async (_name, { request = {}, options = {}, reason, field }) => {
    const gateway = await testGateway({ limits: { requestBytesMax: 1_024 } });
    const task = gateway.start(request, options);
    await settle();
    expect(task.end.error).toMatchObject({ reason, field });
    expect(gateway.link('a').sent).toEqual([]);
  });

  it.each([
    ['the only pool', '', 'echo'],
    ['a pool with its namespace', 'default/main', 'echo'],
  ])('takes %s, and the first agent where none is named', async (_name, pool, agent) => {
    const gateway = await testGateway();
    gateway.start({ pool, agent: '' });
    expect(gateway.link('a').task.header.agent).toBe(agent);
  });

  it('asks for the name of the pool where there are two', async () => {
    const gateway = await testGateway();
    await gateway.putPool({}, 'second');
    const task = gateway.start({ pool: '' });
    await settle();
    expect(reasonOf(task)).toBe('UNKNOWN_POOL');
  });

  it('refuses tasks of a suspended pool', async () => {
    const gateway = await testGateway({ operatingMode: 'Suspended' });
    const task = gateway.start();
    await settle();
    expect(reasonOf(task)).toBe('SUSPENDED');
  });

  it('does not know the pools before the store was read', async () => {
    const gateway = await testGateway();
    gateway.core.stop();
    const blind = new (gateway.constructor as new () => TestGateway)();
    blind.flaky.reachable = false;
    await blind.core.start();
    const task = blind.start();
    await settle();
    expect(reasonOf(task)).toBe('STORE_UNAVAILABLE');
    blind.core.stop();
  });
});

describe('the end of a task', () => {
  it.each([
    ['options.timeout_ms', { timeoutMs: 1_000 }, Infinity],
    ["the call's deadline", { timeoutMs: 5_000 }, 1_000],
    ["the pool's limits.taskTimeoutSeconds", { timeoutMs: 0 }, Infinity],
  ])(
    '%s cancels it there, and is named with DEADLINE when that is acknowledged',
    async (source, request, remainingMs) => {
      const gateway = await testGateway({ limits: { taskTimeoutSeconds: 1 } });
      const task = gateway.start(request, { remainingMs });
      const sent = gateway.link('a').task.start();
      expect(sent.header.remainingMs).toBe(1_000);
      await gateway.clock.advance(999);
      expect(sent.cancels).toEqual([]);
      await gateway.clock.advance(1);
      expect([sent.cancels, reasonOf(task)]).toEqual([['DEADLINE'], 'running']);
      sent.fail(new AppError('DEADLINE', 'too late'));
      await settle();
      expect(task.end.error).toMatchObject({
        reason: 'DEADLINE',
        message: `the task was not done within 1000 ms (${source}): give it more time, or less to do`,
      });
    },
  );

  it('lets a commit win against a cancel', async () => {
    const gateway = await testGateway();
    const task = gateway.start();
    const sent = gateway.link('a').task.start();
    task.handle.cancel();
    sent.finish('committed');
    await settle();
    expect([sent.cancels, textOf(task)]).toEqual([['CANCELLED'], 'committed']);
  });

  it('does not wait for ever for a runtime that does not acknowledge', async () => {
    const gateway = await testGateway({ limits: { cancelGraceSeconds: 2 } });
    const task = gateway.start();
    task.handle.cancel();
    await gateway.clock.advance(2_999);
    expect(reasonOf(task)).toBe('running');
    await gateway.clock.advance(1);
    expect(reasonOf(task)).toBe('CANCELLED');
  });

  it.each([
    ['cancels the task when its caller leaves', 'CANCEL', ['CANCELLED']],
    ['lets it run on where on_disconnect says so', 'CONTINUE', []],
  ] as const)('%s', async (_name, onDisconnect, cancels) => {
    const gateway = await testGateway();
    const task = gateway.start({ onDisconnect });
    const sent = gateway.link('a').task.start();
    task.handle.leave();
    expect(sent.cancels).toEqual(cancels);
  });

  it.each([
    ['cancels the task when the gateway goes', 'CANCEL', ['CANCELLED'], 'running'],
    ['lets it run on where on_disconnect says so', 'CONTINUE', [], 'DRAINING'],
  ] as const)('%s; the gateway goes', async (_name, onDisconnect, cancels, reason) => {
    const gateway = await testGateway();
    const task = gateway.start({ onDisconnect });
    const sent = gateway.link('a').task.start();
    gateway.service.abortAll();
    await settle();
    expect([sent.cancels, reasonOf(task)]).toEqual([cancels, reason]);
  });

  it('does not wait for an agent that does not heed its cancellation; the gateway goes', async () => {
    const gateway = await testGateway({ limits: { cancelGraceSeconds: 300 } });
    const task = gateway.start();
    gateway.link('a').task.start();
    gateway.service.abortAll();
    await gateway.clock.advance(1_000);
    expect(reasonOf(task)).toBe('DRAINING');
  });

  it('cancels what would run on when its caller says so', async () => {
    const gateway = await testGateway();
    const task = gateway.start({ onDisconnect: 'CONTINUE' });
    const sent = gateway.link('a').task.start();
    task.handle.cancel();
    expect(sent.cancels).toEqual(['CANCELLED']);
  });

  it.each<[Reason]>([
    ['AGENT_ERROR'],
    ['AGENT_EXITED'],
    ['STATE_CONFLICT'],
    ['REQUEST_ID_REUSED'],
    ['PAUSED'],
    ['MEMORY_LIMIT'],
    ['SLOW_CONSUMER'],
    ['LEASE_UNKNOWN'],
    ['STORE_UNAVAILABLE'],
    ['INVALID_FIELD'],
  ])('passes on %s of the runtime, and repeats nothing', async (reason) => {
    const gateway = await testGateway({}, ['a', 'b']);
    const task = gateway.start();
    for (const link of gateway.links.values())
      for (const sent of link.unfinished) sent.fail(new AppError(reason, 'said the runtime'));
    await settle();
    expect(task.end.error).toMatchObject({ reason, message: 'said the runtime' });
    expect(gateway.link('a').sent.length + gateway.link('b').sent.length).toBe(1);
  });
});

describe('streaming', () => {
  class Recorder {
    readonly starts: TaskStart[] = [];
    readonly chunks: { readonly text: string; readonly consumed: () => void }[] = [];
    started(start: TaskStart): void {
      this.starts.push(start);
    }
    chunk({ body }: TaskChunk, consumed: () => void): void {
      this.chunks.push({ text: Buffer.from(body).toString(), consumed });
    }
  }

  it('passes start and chunks on, and gives bytes back when the caller took them', async () => {
    const gateway = await testGateway();
    const sink = new Recorder();
    gateway.start({}, { sink });
    const sent = gateway.link('a').task.start().chunk('one').chunk('three');
    expect([
      sent.header.stream,
      sink.starts.length,
      sink.chunks.map(({ text }) => text),
      sent.consumedBytes,
    ]).toEqual([true, 1, ['one', 'three'], 0]);
    sink.chunks[1]?.consumed();
    expect(sent.consumedBytes).toBe(5);
  });

  it('consumes chunks of a caller that left while the task runs on', async () => {
    const gateway = await testGateway();
    const sink = new Recorder();
    const task = gateway.start({ onDisconnect: 'CONTINUE' }, { sink });
    const sent = gateway.link('a').task.start();
    task.handle.leave();
    sent.chunk('one');
    await settle();
    expect([sink.chunks.length, sent.consumedBytes]).toEqual([0, 3]);
  });
});
