/** Tasks inside a live host: order, quotas, joins, replays, cancellation, streams; the store works and the test plays the workers. */
import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import { HostWorld, PROJECT } from '../../test/builders/host-world.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import { FAKE_AGENT, success, text } from '../../test/fakes/fake-worker.ts';

const QUOTA = { maxConcurrentRequests: 2, requestsPerMinute: 100, memoryMb: 128 };

describe('order and quota', () => {
  it('runs one task of a conversation at a time, in order', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const second = await world.send('q2');
    const urgent = await world.send('q3', { priority: 'CRITICAL' });
    expect(world.workers.runs.map(({ task }) => task.requestId)).toEqual(['q1']);
    await world.finish('q1');
    expect(world.workers.runs.map(({ task }) => task.requestId)).toEqual(['q1', 'q2']);
    await world.finish('q2');
    await world.finish('q3');
    expect([second.text, urgent.text]).toEqual(['done', 'done']);
  });

  it('runs conversations in parallel up to the quota, urgent ones first', async () => {
    const world = await new HostWorld().open({ tiers: { warm: { quota: QUOTA } } });
    await world.send('q1', { conversationId: 'a' });
    await world.send('q2', { conversationId: 'b' });
    await world.send('q3', { conversationId: 'c' });
    await world.send('q4', { conversationId: 'd', priority: 'HIGH' });
    expect(world.workers.has('q3')).toBe(false);
    await world.finish('q1');
    expect(world.workers.has('q4')).toBe(true);
    expect(world.workers.has('q3')).toBe(false);
  });

  it.each([
    { concurrency: 'project' as const, conversations: ['a', 'b'], parallel: 1 },
    { concurrency: 'none' as const, conversations: ['a', 'a'], parallel: 2 },
  ])(
    'honours an agent with concurrency $concurrency',
    async ({ concurrency, conversations, parallel }) => {
      const world = new HostWorld();
      world.workers.agents = [{ ...FAKE_AGENT, concurrency }];
      await world.open();
      for (const [at, conversationId] of conversations.entries()) {
        await world.send(`q${at}`, { conversationId });
      }
      expect(world.workers.runs).toHaveLength(parallel);
    },
  );

  it('applies a changed quota live', async () => {
    const world = await new HostWorld().open({
      tiers: { warm: { quota: { ...QUOTA, maxConcurrentRequests: 1 } } },
    });
    await world.send('q1', { conversationId: 'a' });
    await world.send('q2', { conversationId: 'b' });
    expect(world.workers.runs).toHaveLength(1);
    await world.publish({ tiers: { warm: { quota: QUOTA } } });
    await settle();
    expect(world.workers.runs).toHaveLength(2);
  });

  it('refuses what is over the rate with a hint when to come again', async () => {
    const world = await new HostWorld().open({
      tiers: { warm: { quota: { ...QUOTA, requestsPerMinute: 2 } } },
    });
    world.workers.onRun = () => success();
    await world.send('q1');
    await world.send('q2');
    const third = await world.send('q3');
    expect(third.end).toMatchObject({
      type: 'failed',
      error: {
        reason: 'RATE_LIMITED',
        message:
          'the project has used up its 2 requests per minute: wait, or have it raised (quota.requestsPerMinute of its tier or entry)',
        retryAfterMs: 30_000,
      },
    });
    await world.clock.advance(30_000);
    expect((await world.send('q4')).text).toBe('done');
  });

  it('takes no token for a repeat', async () => {
    const world = await new HostWorld().open({
      tiers: { warm: { quota: { ...QUOTA, requestsPerMinute: 1 } } },
    });
    world.workers.onRun = () => success();
    await world.send('q1');
    expect((await world.send('q1')).end).toMatchObject({
      type: 'finished',
      header: { replayed: true },
    });
  });

  it('ends a task that has waited too long in the queue', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const second = await world.send('q2', { queueMs: 500 });
    await world.clock.advance(499);
    expect(second.end).toBeUndefined();
    await world.clock.advance(1);
    expect(second.reason).toBe('QUEUE_TIMEOUT');
    await world.finish('q1');
    expect(world.workers.has('q2')).toBe(false);
  });

  it('bounds what waits', async () => {
    const world = await new HostWorld().open({ queue: { parkedPerProjectMax: 1 } });
    await world.send('q1');
    await world.send('q2');
    expect((await world.send('q3')).reason).toBe('QUEUE_FULL');
  });

  it('knows the agents that the module has', async () => {
    const world = await new HostWorld().open();
    expect((await world.send('q1', { agent: 'nobody' })).reason).toBe('UNKNOWN_AGENT');
    await world.send('q2', { agent: '' });
    expect(world.workers.run('q2').task.agent).toBe('echo');
  });
});

describe('a repeated request_id', () => {
  it('joins the running task, and both get the result', async () => {
    const world = await new HostWorld().open();
    const first = await world.send('q1');
    const second = await world.send('q1');
    expect(world.workers.runs).toHaveLength(1);
    expect(second.events).toEqual(['started']);
    await world.finish('q1', success('one answer'));
    expect([first.text, second.text]).toEqual(['one answer', 'one answer']);
    expect((await world.truth.readProject(PROJECT))?.requests).toBe(1);
  });

  it('gets later chunks only', async () => {
    const world = await new HostWorld().open();
    const first = await world.send('q1', { stream: true });
    const { worker, session, run } = world.workers.run('q1');
    worker.say({ type: 'chunk', session, run, kind: 'TEXT', payload: text('a') });
    const second = await world.send('q1', { stream: true });
    worker.say({ type: 'chunk', session, run, kind: 'TEXT', payload: text('b') });
    expect([first.chunks, second.chunks]).toEqual([['a', 'b'], ['b']]);
  });

  it('is refused with another input, in flight and recorded', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    expect((await world.send('q1', {}, 'other')).reason).toBe('REQUEST_ID_REUSED');
    await world.finish('q1');
    expect((await world.send('q1', {}, 'other')).reason).toBe('REQUEST_ID_REUSED');
  });

  it('is replayed when it is recorded, also after the instance has gone', async () => {
    const world = await new HostWorld().open();
    world.workers.onRun = () => success('once');
    await world.send('q1');
    await world.host.call({ method: 'remove', project: PROJECT, force: false });
    const again = await world.send('q1');
    expect(again.end).toMatchObject({ type: 'finished', text: 'once', header: { replayed: true } });
    expect(world.workers.runs).toHaveLength(1);
  });

  it('runs again after a failure: only successes are recorded', async () => {
    const world = await new HostWorld().open();
    const first = await world.send('q1');
    await world.finish('q1', {
      type: 'error',
      reason: 'AGENT_ERROR',
      message: 'no luck',
      code: 'NOT_FOUND',
    });
    expect(first.end).toMatchObject({
      type: 'failed',
      error: { reason: 'AGENT_ERROR', code: 'NOT_FOUND', message: 'no luck' },
    });
    await world.send('q1');
    expect(world.workers.runs).toHaveLength(2);
  });

  it('runs again when retention has dropped the result', async () => {
    const world = await new HostWorld().open({ checkpoint: { retention: { resultSeconds: 1 } } });
    world.workers.onRun = () => success();
    await world.send('q1');
    await world.clock.advance(2_000);
    await world.send('q2');
    expect((await world.send('q1')).end).toMatchObject({ header: { replayed: false } });
  });

  it('runs again when its result is too old, even where no commit has dropped it yet', async () => {
    const world = await new HostWorld().open({ checkpoint: { retention: { resultSeconds: 1 } } });
    world.workers.onRun = () => success();
    await world.send('q1');
    await world.clock.advance(1_000);
    expect((await world.send('q1')).end).toMatchObject({ header: { replayed: true } });
    await world.clock.advance(1);
    expect((await world.send('q1')).end).toMatchObject({ header: { replayed: false } });
    expect((await world.send('q1')).end).toMatchObject({ header: { replayed: true } });
  });

  it('starts anew when it comes while the task before it is being cancelled', async () => {
    const world = await new HostWorld().open();
    world.workers.heedsCancel = false;
    const first = await world.send('q1');
    first.leave();
    const second = await world.send('q1');
    await world.finish('q1', { type: 'cancelled' });
    expect(first.reason).toBe('CANCELLED');
    expect(world.workers.runs).toHaveLength(2);
    await world.finish('q1');
    expect(second.text).toBe('done');
  });
});

describe('a caller that leaves', () => {
  it('cancels its task when it was the last one, and the worker decides who won', async () => {
    const world = await new HostWorld().open();
    world.workers.heedsCancel = false;
    const task = await world.send('q1');
    task.leave();
    await settle();
    expect(world.workers.all[0]?.received).toContainEqual({
      type: 'cancel',
      session: 1,
      run: 1,
      reason: 'CANCELLED',
    });
    expect(task.end).toBeUndefined();
    await world.finish('q1', success('too late to stop'));
    expect(task.text).toBe('too late to stop');
  });

  it('does not cancel what others wait for', async () => {
    const world = await new HostWorld().open();
    const first = await world.send('q1');
    const second = await world.send('q1');
    first.leave();
    await settle();
    expect(first.reason).toBe('CANCELLED');
    await world.finish('q1');
    expect(second.text).toBe('done');
  });

  it('lets the task run on when it said so', async () => {
    const world = await new HostWorld().open();
    const task = await world.send('q1', { onDisconnect: 'CONTINUE' });
    task.leave('SLOW_CONSUMER');
    await world.finish('q1');
    expect((await world.send('q1')).end).toMatchObject({ header: { replayed: true } });
  });

  it('cancels it all the same when it asks for that', async () => {
    const world = await new HostWorld().open();
    const task = await world.send('q1', { onDisconnect: 'CONTINUE' });
    task.leave('CANCELLED');
    await settle();
    expect(task.reason).toBe('CANCELLED');
    expect((await world.send('q1')).end).toBeUndefined();
  });

  it('never starts what it left while it was queued or parked', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const queued = await world.send('q2');
    queued.leave();
    await settle();
    expect(queued.reason).toBe('CANCELLED');
    await world.finish('q1');
    expect(world.workers.has('q2')).toBe(false);
  });

  it('is told so when the deadline was the reason', async () => {
    const world = await new HostWorld().open();
    const task = await world.send('q1');
    task.leave('DEADLINE');
    await settle();
    expect(task.reason).toBe('DEADLINE');
  });

  it('costs the worker when the agent does not heed the cancellation; the instance comes back with the next task', async () => {
    const world = await new HostWorld().open({ limits: { cancelGraceSeconds: 5 } });
    world.workers.heedsCancel = false;
    const stuck = await world.send('q1', { conversationId: 'a' });
    const other = await world.send('q2', { conversationId: 'b' });
    stuck.leave('DEADLINE');
    await world.clock.advance(5_000);
    expect(stuck.reason).toBe('DEADLINE');
    expect(other.reason).toBe('RUNTIME_LOST');
    const next = await world.send('q3');
    await world.finish('q3');
    expect(next.text).toBe('done');
    expect((await world.truth.readProject(PROJECT))?.epoch).toBe(1);
  });
});

describe('chunks', () => {
  it('are given back to the agent when they have left, and not before', async () => {
    const world = await new HostWorld().open();
    const task = await world.send('q1', { stream: true });
    const { worker, session, run } = world.workers.run('q1');
    const windows = (): number => worker.received.filter(({ type }) => type === 'window').length;
    task.roomy = false;
    for (let at = 0; at < 300; at += 1) {
      worker.say({ type: 'chunk', session, run, kind: 'TEXT', payload: text('x') });
    }
    expect(windows()).toBe(0);
    task.openWindow();
    expect(worker.received.at(-1)).toEqual({ type: 'window', session, run, bytes: 300 });
  });

  it('are not held up by a caller that does not stream or has gone', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const slow = await world.send('q1', { stream: true });
    slow.roomy = false;
    const { worker, session, run } = world.workers.run('q1');
    for (let at = 0; at < 300; at += 1) {
      worker.say({ type: 'chunk', session, run, kind: 'TEXT', payload: text('x') });
    }
    slow.leave();
    expect(worker.received.at(-1)).toMatchObject({ type: 'window', bytes: 300 });
  });
});

describe('conversations', () => {
  it('are read when the worker asks, after what is on its way to the store', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    await world.finish(
      'q1',
      success('yes', { turns: [{ role: 'user', json: '"hi"', timeMs: 1, requestId: 'q1' }] }),
    );
    await world.send('q2');
    const { worker, session, run } = world.workers.run('q2');
    worker.say({ type: 'needTurns', session, run, conversationId: 'c1' });
    await settle();
    expect(worker.received.at(-1)).toMatchObject({
      type: 'turns',
      run,
      turns: [{ json: '"hi"', requestId: 'q1' }],
    });
  });

  it('that cannot be read at all fail their task at once', async () => {
    const world = await new HostWorld().open();
    world.truth.readTurns = () => Promise.reject(new AppError('INTERNAL', 'too large'));
    const task = await world.send('q1');
    const { worker, session, run } = world.workers.run('q1');
    worker.say({ type: 'needTurns', session, run, conversationId: 'c1' });
    await settle();
    expect(worker.received.at(-1)).toMatchObject({ type: 'cancel', run });
    await world.finish('q1', { type: 'cancelled' });
    expect(task.reason).toBe('INTERNAL');
  });

  it('are not forgotten any more once who asked was told that it took too long', async () => {
    const world = await new HostWorld().open({ limits: { drainSeconds: 5 } });
    await world.send('q1');
    const forgotten = world.host.call({
      method: 'forgetConversation',
      project: PROJECT,
      conversationId: 'c1',
    });
    forgotten.catch(() => undefined);
    await settle();
    await world.clock.advance(5_000);
    await expect(forgotten).rejects.toMatchObject({ reason: 'QUEUE_TIMEOUT', retryAfterMs: 1_000 });
    await world.finish(
      'q1',
      success('yes', { turns: [{ role: 'user', json: '1', timeMs: 1, requestId: 'q1' }] }),
    );
    await settle();
    expect(await world.truth.readConversation(PROJECT, 'c1')).toBeDefined();
  });

  it('are forgotten with their state where there are too many, those used last stay', async () => {
    const world = await new HostWorld().open({
      checkpoint: { retention: { conversationsPerProjectMax: 3 } },
    });
    for (const conversationId of ['c1', 'c2', 'c3', 'c1', 'c4', 'c5']) {
      const requestId = `${conversationId}-${world.clock.nowMs()}`;
      await world.send(requestId, { conversationId });
      const turns = [{ role: 'user' as const, json: '1', timeMs: 1, requestId }];
      const writes = [{ agent: 'a', conversation: conversationId, key: 'k', json: '1' }];
      await world.finish(requestId, success('yes', { turns, writes }));
      await world.clock.advance(10);
    }
    const left = await world.truth.listConversations(PROJECT, { limit: 9 });
    expect(left.map(({ id }) => id)).toEqual(['c1', 'c4', 'c5']);
    const forgotten = world.workers.all.flatMap(({ received }) =>
      received.flatMap((message) => (message.type === 'forget' ? message.conversationId : [])),
    );
    expect(forgotten).toEqual(['c2', 'c3']);
  });

  it('are forgotten in order with their tasks', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const forgotten = world.host.call({
      method: 'forgetConversation',
      project: PROJECT,
      conversationId: 'c1',
    });
    await settle();
    await world.send('q2');
    expect(world.workers.has('q2')).toBe(false);
    await world.finish(
      'q1',
      success('yes', { turns: [{ role: 'user', json: '1', timeMs: 1, requestId: 'q1' }] }),
    );
    await forgotten;
    await settle();
    expect(await world.truth.readConversation(PROJECT, 'c1')).toBeUndefined();
    const { received } = world.workers.run('q2').worker;
    const order = received
      .map(({ type }) => type)
      .filter((type) => type === 'run' || type === 'forget');
    expect(order).toEqual(['run', 'forget', 'run']);
  });
});
