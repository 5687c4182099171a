import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import agents from '../../examples/getting-started/agents.ts';
import { defineAgent } from '../agent/agent.ts';
import { AgentTestError, testAgent } from './test-agent.ts';

describe('testAgent', () => {
  const counter = defineAgent({
    name: 'counter',
    async process(task, context) {
      if (task.input === 'fail')
        throw Object.assign(new Error('told to'), { code: 'FAILED_PRECONDITION' });
      if (task.input === 'wait') await new Promise(() => undefined);
      await context.emit(`task ${task.requestId}`);
      return {
        count: await context.state.update('count', (n: number = 0) => n + 1),
        turns: context.conversation.turns.length,
      };
    },
  });

  it('keeps state per project and turns per conversation', async () => {
    const tester = testAgent(counter);
    const first = await tester.run('hi', { conversationId: 'c', requestId: 'r' });
    expect(first).toEqual({
      output: { count: 1, turns: 0 },
      chunks: ['task r'],
      requestId: 'r',
      conversationId: 'c',
    });
    expect((await tester.run({ any: 'json' }, { conversationId: 'c' })).output).toEqual({
      count: 2,
      turns: 2,
    });
    expect((await tester.run('hi', { project: 'other' })).output).toEqual({ count: 1, turns: 0 });
    expect(await tester.state()).toEqual({ count: 2 });
    await tester.close();
  });

  it('rejects as a caller would see it', async () => {
    const tester = testAgent(counter);
    await expect(tester.run('fail')).rejects.toMatchObject({
      reason: 'AGENT_ERROR',
      message: 'told to',
      code: 'FAILED_PRECONDITION',
    });
    await expect(tester.run('hi', { agent: 'nobody' })).rejects.toBeInstanceOf(AgentTestError);
    const clock = new FakeClock();
    const late = testAgent(counter, { clock }).run('wait', { timeoutMs: 50 });
    late.catch(() => undefined);
    // It opens first; only then its time runs.
    await clock.advance(0);
    await clock.advance(50);
    await expect(late).rejects.toMatchObject({ reason: 'DEADLINE' });
    const controller = new AbortController();
    const cancelled = tester.run('wait', { signal: controller.signal });
    await clock.advance(0);
    controller.abort();
    await expect(cancelled).rejects.toMatchObject({ reason: 'CANCELLED' });
  });

  it('runs one task of a conversation after the other, whichever agents they are of', async () => {
    const order: string[] = [];
    const agent = (name: string, pauses: number, concurrency?: 'project' | 'none') => ({
      name,
      ...(concurrency === undefined ? {} : { concurrency }),
      process: async () => {
        for (let n = 0; n < pauses; n += 1) await Promise.resolve();
        order.push(name);
      },
    });
    const tester = testAgent([
      agent('slow', 50),
      agent('quick', 0, 'project'),
      agent('free', 0, 'none'),
    ]);
    const conversationId = 'c';
    await Promise.all(
      ['slow', 'quick', 'free'].map((name) => tester.run('x', { agent: name, conversationId })),
    );
    expect(order).toEqual(['free', 'slow', 'quick']);
    await tester.close();
  });

  it('finds the mistakes of a module at once, those of initialize with the first task', async () => {
    expect(() => testAgent({ name: 'a' })).toThrow('agent "a" has no process');
    const tester = testAgent({
      name: 'a',
      process: () => 1,
      initialize: () => {
        throw new Error('no key');
      },
    });
    await expect(tester.run('x')).rejects.toThrow('initialize of agent "a" failed: no key');
    await tester.close();
  });
});

describe('the agents of getting-started', () => {
  it('remember a name, count, and stream', async () => {
    const tester = testAgent(agents, { config: { greeting: 'Ahoy' } });
    const say = async (text: string) => (await tester.run(text, { conversationId: 'c' })).output;
    expect(await say('hello')).toBe('Hello! What is your name? Say: my name is …');
    expect(await say('My name is Ann')).toBe('Nice to meet you, Ann. Ask me anything.');
    expect(await say('who am I?')).toBe(
      'You said "who am I?", Ann. Before that you had said 2 things here.',
    );
    expect((await tester.run(null, { agent: 'counter' })).output).toMatchObject({
      count: 1,
      tier: 'WARM',
    });
    const { chunks, output } = await tester.run('streams', { agent: 'writer' });
    expect(chunks.join('').trim()).toBe(output);
    expect(output).toContain('Ahoy! You asked about streams');
    await expect(tester.run({ seconds: 'x' }, { agent: 'slow' })).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      field: 'input.seconds',
    });
    expect((await tester.run({ seconds: 0 }, { agent: 'slow' })).output).toBe('done after 0 s');
    await tester.close();
  });
});
