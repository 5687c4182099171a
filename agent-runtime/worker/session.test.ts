import { describe, expect, it } from '@jest/globals';
import { settle } from '../../test/fakes/fake-clock.ts';
import {
  answer,
  LIMITS,
  jsonPayload,
  textPayload,
  WorkerHarness,
} from '../../test/fakes/worker-harness.ts';
import { encodeParts } from '../../proto/parts-codec.ts';
import { encodeValue } from '../../proto/value-codec.ts';
import type { Agent, AgentContext, Task, TaskContext } from '../agent/agent.ts';
import { DISPOSE_MS_MAX } from './session.ts';

type Process = (task: Task, context: TaskContext) => unknown;
const agent = (process: Process, more: Partial<Agent> = {}): Agent => ({
  name: 'a',
  process,
  ...more,
});

describe('the life of a session', () => {
  it('initialises every agent once, in order and without state, then serves, then disposes', async () => {
    const calls: string[] = [];
    const make = (name: string): Agent => ({
      name,
      initialize: (context: AgentContext) =>
        void calls.push(`initialize ${name} ${'state' in context}`),
      process: () => name,
      dispose: () => void calls.push(`dispose ${name}`),
    });
    const harness = await WorkerHarness.serving([make('a'), make('b')]);
    expect(harness.messages.map((message) => message.type)).toEqual(['ready', 'opened']);
    expect(answer(await harness.run(1, { agent: 'b' }))).toBe('b');
    harness.send({ type: 'close', session: 1 });
    await settle();
    expect(harness.of('closed')).toHaveLength(1);
    expect(calls).toEqual(['initialize a false', 'initialize b false', 'dispose a', 'dispose b']);
  });

  it('fails to open with the agent and its message, and disposes what was initialised', async () => {
    const calls: string[] = [];
    const good: Agent = {
      name: 'good',
      process: () => 1,
      dispose: () => void calls.push('disposed'),
    };
    const bad: Agent = {
      name: 'bad',
      process: () => 1,
      initialize: () => Promise.reject(new Error('no database')),
    };
    const harness = new WorkerHarness([good, bad]);
    await harness.open();
    expect(harness.of('openFailed')[0]).toMatchObject({ agent: 'bad', message: 'no database' });
    expect(calls).toEqual(['disposed']);
    harness.send({ type: 'close', session: 1 });
    await settle();
    expect(harness.of('closed')).toHaveLength(0);
  });

  it('waits for a dispose that hangs no longer than its bound', async () => {
    const harness = await WorkerHarness.serving(
      agent(() => 1, { dispose: () => new Promise(() => undefined) }),
    );
    harness.send({ type: 'close', session: 1 });
    await harness.clock.advance(DISPOSE_MS_MAX - 1);
    expect(harness.of('closed')).toHaveLength(0);
    await harness.clock.advance(1);
    expect(harness.of('closed')).toHaveLength(1);
    expect(harness.clock.pendingTimers).toBe(0);
  });

  it('closed while it initialises: aborts the signal, disposes late, never says opened', async () => {
    const gate = Promise.withResolvers<undefined>();
    const calls: string[] = [];
    const harness = new WorkerHarness(
      agent(() => 1, {
        initialize: async ({ signal }) => {
          await gate.promise;
          calls.push(`aborted ${signal.aborted}`);
        },
        dispose: () => void calls.push('disposed'),
      }),
    );
    await harness.open();
    harness.send({ type: 'close', session: 1 });
    await settle();
    gate.resolve(undefined);
    await settle();
    expect(calls).toEqual(['aborted true', 'disposed']);
    expect(harness.of('opened')).toHaveLength(0);
  });

  it('cancels what runs when it is closed', async () => {
    const harness = await WorkerHarness.serving(agent(() => new Promise(() => undefined)));
    harness.start(1);
    harness.send({ type: 'close', session: 1 });
    await settle();
    expect(harness.outcome(1)).toEqual({ type: 'cancelled' });
  });

  it('keeps sessions of one worker apart', async () => {
    const harness = await WorkerHarness.serving(
      agent((_task, { state }) => state.update('n', (n: number = 0) => n + 1)),
    );
    await harness.open(2);
    harness.send({ type: 'restore', session: 2, state: [{ agent: 'a', key: 'n', json: '41' }] });
    await harness.run(1);
    harness.send({
      type: 'run',
      session: 2,
      run: 2,
      task: {
        requestId: 'r',
        attempt: 1,
        agent: 'a',
        conversationId: 'c',
        input: textPayload(''),
        metadata: {},
        priority: 'LOW',
        remainingMs: 1,
        user: { subject: 's', role: 'caller' },
        newConversation: true,
      },
    });
    await settle();
    expect([answer(harness.outcome(1)), answer(harness.outcome(2))]).toEqual([1, 42]);
  });

  it.each([
    ['restore', { type: 'restore', session: 1, state: [] }],
    ['window', { type: 'window', session: 9, run: 1, bytes: 1 }],
  ] as const)('refuses or ignores %s out of order', async (name, message) => {
    const harness = await WorkerHarness.serving(agent(() => 1));
    if (name === 'restore')
      expect(() => harness.send(message)).toThrow('session that is serving, not open');
    else expect(() => harness.send(message)).not.toThrow();
  });
});

describe('what an agent is given', () => {
  it('is the task and its surroundings', async () => {
    let seen: unknown;
    const harness = await WorkerHarness.serving(
      agent((task, context) => {
        const { tenant, project, tier, user, conversation } = context;
        const config = context.config as unknown;
        seen = {
          ...task,
          tenant,
          project,
          tier,
          config,
          user,
          conversation: conversation.id,
          random: context.random(),
          now: context.now(),
          frozen: Object.isFrozen(config),
          keys: Object.keys(context).sort(),
        };
      }),
    );
    await harness.run(1, { attempt: 2, metadata: { k: 'v' }, priority: 'HIGH' });
    const now = harness.clock.wallMs();
    expect(seen).toEqual({
      requestId: 'r1',
      attempt: 2,
      agent: 'a',
      conversationId: 'c1',
      input: 'hi',
      metadata: { k: 'v' },
      priority: 'HIGH',
      deadline: now + 10_000,
      tenant: 'acme',
      project: 'web',
      tier: 'WARM',
      config: { colour: 'blue' },
      user: { subject: 'ann', role: 'caller' },
      conversation: 'c1',
      random: 0.5,
      now,
      frozen: true,
      keys: [
        'config',
        'conversation',
        'emit',
        'log',
        'now',
        'project',
        'random',
        'secrets',
        'signal',
        'state',
        'tenant',
        'tier',
        'user',
      ],
    });
  });

  it.each([
    ['text', textPayload('hello'), 'hello'],
    ['a JSON text', jsonPayload({ a: [1] }), { a: [1] }],
    ['a protobuf Value', { arm: 'json', body: encodeValue({ a: [1] }) }, { a: [1] }],
    [
      'parts',
      {
        arm: 'parts',
        body: encodeParts([
          { text: 'x' },
          { json: [1] },
          { blob: { mime_type: 'image/png', uri: 'http://x' } },
        ]),
      },
      [{ text: 'x' }, { json: [1] }, { blob: { mimeType: 'image/png', uri: 'http://x' } }],
    ],
  ] as const)('has an input that came as %s', async (_arm, input, expected) => {
    const harness = await WorkerHarness.serving(agent((task) => ({ got: task.input as unknown })));
    expect(answer(await harness.run(1, { input }))).toEqual({ got: expected });
  });

  it('shows bytes of a part, and keeps them in the conversation as base64', async () => {
    const harness = await WorkerHarness.serving(
      agent((task) => (task.input as { blob: { data: Uint8Array } }[])[0]!.blob.data.length),
    );
    const outcome = await harness.run(1, {
      input: {
        arm: 'parts',
        body: encodeParts([{ blob: { mime_type: 'a/b', data: Uint8Array.of(1, 2, 3) } }]),
      },
    });
    expect(answer(outcome)).toBe(3);
    expect(outcome).toMatchObject({
      turns: [{ json: '[{"blob":{"mimeType":"a/b","data":"AQID"}}]' }, { json: '3' }],
    });
  });

  it.each([
    [
      'bytes that are no JSON',
      { input: { arm: 'json_utf8', body: new Uint8Array([123]) } },
      'INVALID_FIELD',
      'input',
    ],
    [
      'bytes that are no Value',
      { input: { arm: 'json', body: new Uint8Array([255]) } },
      'INVALID_FIELD',
      'input',
    ],
    ['an agent that is not there', { agent: 'nobody' }, 'UNKNOWN_AGENT', undefined],
  ] as const)('never: %s', async (_what, task, reason, field) => {
    const harness = await WorkerHarness.serving(agent(() => 1));
    expect(await harness.run(1, task)).toMatchObject({
      type: 'error',
      reason,
      ...(field === undefined ? {} : { field }),
    });
  });
});

describe('input schemas', () => {
  const schema = {
    type: 'object',
    required: ['items'],
    properties: {
      items: {
        type: 'array',
        items: { type: 'object', properties: { price: { type: 'number' } } },
      },
    },
  };
  it.each([
    [{ items: [{ price: 1 }] }, undefined],
    [{ items: [{ price: 1 }, { price: 'x' }] }, 'input.items[1].price'],
    [{ items: 3 }, 'input.items'],
    [{}, 'input'],
  ])('%j is refused at %s', async (input, field) => {
    let calls = 0;
    const harness = await WorkerHarness.serving(agent(() => ++calls, { input: schema }));
    const outcome = await harness.run(1, { input: jsonPayload(input) });
    if (field === undefined) expect(answer(outcome)).toBe(1);
    else expect(outcome).toMatchObject({ type: 'error', reason: 'INVALID_FIELD', field });
    expect(calls).toBe(field === undefined ? 1 : 0);
  });

  it("that cannot be used are the agent's error", async () => {
    const harness = await WorkerHarness.serving(agent(() => 1, { input: { $ref: '#/nowhere' } }));
    expect(answer(await harness.run(1))).toMatch(
      /^AGENT_ERROR: the input schema of agent "a" cannot be used/,
    );
  });
});

describe('what an agent throws', () => {
  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error('trap');
      },
      has: () => true,
    },
  );
  it.each([
    ['an error', new Error('no such city'), { message: 'no such city' }],
    [
      'an error with a canonical code',
      Object.assign(new Error('gone'), { code: 'NOT_FOUND' }),
      { message: 'gone', code: 'NOT_FOUND' },
    ],
    ['a system error', Object.assign(new Error('nope'), { code: 'ENOENT' }), { message: 'nope' }],
    ['a string', 'just text', { message: 'just text' }],
    ['nothing', undefined, { message: 'the agent threw undefined' }],
    ['an error without message', new Error(''), { message: 'the agent failed without a message' }],
    ['a very long message', new Error('x'.repeat(9_000)), { message: `${'x'.repeat(1_999)}…` }],
    [
      'something that throws when looked at',
      hostile,
      { message: 'the agent failed without a message' },
    ],
  ])("%s is only that task's error", async (_what, thrown, expected) => {
    const harness = await WorkerHarness.serving(
      agent((task) => {
        if (task.requestId !== 'r1') return 'fine';
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- agents throw what they like
        throw thrown;
      }),
    );
    const outcome = await harness.run(1);
    expect(outcome).toMatchObject({ type: 'error', reason: 'AGENT_ERROR', ...expected });
    expect('code' in outcome).toBe('code' in expected);
    expect(answer(await harness.run(2))).toBe('fine');
  });

  it('keeps stack and causes for the log', async () => {
    const harness = await WorkerHarness.serving(
      agent(() => {
        throw new Error('outer', { cause: new Error('inner') });
      }),
    );
    const outcome = await harness.run(1);
    expect(outcome.type === 'error' && outcome.stack).toMatch(/outer[^]*caused by: Error: inner/);
  });
});

describe('answers', () => {
  it.each([
    ['a string, text in', textPayload('x'), 'answer', 'text'],
    ['a string, JSON in', jsonPayload(1), 'answer', 'text'],
    ['an object, text in', textPayload('x'), { a: 1 }, 'json'],
    ['an object, JSON text in', jsonPayload(1), { a: 1 }, 'json_utf8'],
    ['an object, Value in', { arm: 'json', body: encodeValue(1) } as const, { a: 1 }, 'json'],
    ['nothing', jsonPayload(1), null, 'json_utf8'],
  ])('%s', async (_what, input, value, arm) => {
    const harness = await WorkerHarness.serving(agent(() => value ?? undefined));
    const outcome = await harness.run(1, { input });
    expect(outcome).toMatchObject({ type: 'success', output: { arm } });
    expect(answer(outcome)).toEqual(value);
  });

  it.each([
    [
      'no JSON',
      () => ({ f: () => 1 }),
      'AGENT_ERROR: the answer.f is a function, which is no JSON',
    ],
    [
      'too large',
      () => 'x'.repeat(50_001),
      'PAYLOAD_TOO_LARGE: the answer has 50001 bytes; at most 50000 are allowed (limits.answerBytesMax)',
    ],
  ])('that are %s are errors, and nothing of the task stays', async (_what, make, message) => {
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        if (task.requestId === 'r2') return (await state.keys()).length;
        await state.set('k', 1);
        return make();
      }),
    );
    expect(answer(await harness.run(1))).toBe(message);
    expect(answer(await harness.run(2))).toBe(0);
  });
});

describe('logs of agents', () => {
  it('carry agent and run, and fields that can be cloned', async () => {
    const harness = await WorkerHarness.serving(
      agent((_task, { log }) => {
        log.info('found', { n: 1 });
        log.warn('odd', { f: () => 1 });
      }),
    );
    await harness.run(7);
    expect(
      harness.of('log').map(({ level, message, fields, run }) => ({ level, message, fields, run })),
    ).toEqual([
      { level: 'info', message: 'found', fields: { n: 1, agent: 'a' }, run: 7 },
      {
        level: 'warn',
        message: 'odd',
        fields: { omitted: 'fields.f is a function, which is no JSON' },
        run: 7,
      },
    ]);
  });

  it('are bounded in rate and length, and say how many were dropped', async () => {
    const harness = await WorkerHarness.serving(
      agent((_task, { log }) => {
        for (let n = 0; n < 500; n += 1) log.debug('x'.repeat(5_000));
      }),
    );
    await harness.run(1);
    expect(harness.of('log')).toHaveLength(100);
    expect(harness.of('log')[0]?.message).toHaveLength(2_000);
    await harness.clock.advance(1_000);
    harness.host.log('info', 'after');
    expect(
      harness
        .of('log')
        .slice(100)
        .map(({ message, fields }) => [message, fields]),
    ).toEqual([
      ['log lines of this instance were dropped', { dropped: 400, linesPerSecondMax: 100 }],
      ['after', {}],
    ]);
  });

  it.each([0, 2])('are bounded, too, where %i sessions could have said them', async (sessions) => {
    const harness = new WorkerHarness(agent(() => 'ok'));
    for (let session = 1; session <= sessions; session += 1) await harness.open(session);
    for (let n = 0; n < 500; n += 1) harness.host.log('error', 'x'.repeat(5_000));
    expect(harness.of('log')).toHaveLength(100);
    expect(harness.of('log')[0]?.message).toHaveLength(2_000);
  });
});

describe('limits that change', () => {
  it('say of one value what they say of the whole state: it is too large', async () => {
    const set = agent((_task, { state }) => state.set('k', 'x'.repeat(10_001)));
    const harness = await WorkerHarness.serving(set);
    expect(await harness.run(1)).toMatchObject({ reason: 'PAYLOAD_TOO_LARGE' });
  });

  it('hold for the next task of a session that lives', async () => {
    const harness = await WorkerHarness.serving(agent(() => 'x'.repeat(100)));
    harness.send({ type: 'limits', limits: { ...LIMITS, answerBytesMax: 99 } });
    expect(answer(await harness.run(1))).toContain('at most 99 are allowed');
    harness.send({ type: 'limits', limits: { ...LIMITS, answerBytesMax: 100 } });
    expect(await harness.run(2)).toMatchObject({ type: 'success' });
  });

  it('load a conversation anew where its window was shorter', async () => {
    const harness = await WorkerHarness.serving(agent(() => 'ok'));
    await harness.run(1, { conversationId: 'c' });
    await harness.run(2, { conversationId: 'c', newConversation: false });
    expect(harness.of('needTurns')).toEqual([]);
    harness.send({ type: 'limits', limits: { ...LIMITS, conversationWindowTurns: 9 } });
    harness.start(3, { conversationId: 'c', newConversation: false });
    await settle();
    expect(harness.of('needTurns')).toMatchObject([{ run: 3, conversationId: 'c' }]);
  });
});
