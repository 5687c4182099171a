import { describe, expect, it } from '@jest/globals';
import { settle } from '../../test/fakes/fake-clock.ts';
import {
  answer,
  jsonPayload,
  readPayload,
  WorkerHarness,
} from '../../test/fakes/worker-harness.ts';
import type { Agent, Task, TaskContext } from '../agent/agent.ts';

const agent = (process: (task: Task, context: TaskContext) => unknown): Agent => ({
  name: 'a',
  process,
});
const chunksOf = (harness: WorkerHarness) =>
  harness.of('chunk').map(({ kind, payload }) => [kind, payload.arm, readPayload(payload)]);

describe('chunks', () => {
  it.each([
    [
      'an async generator',
      async function* () {
        yield 'a';
        await Promise.resolve();
        yield { b: 1 };
        yield { reasoning: 'hm' };
        yield '';
        return 'end';
      },
    ],
    [
      'a generator',
      function* () {
        yield 'a';
        yield { b: 1 };
        yield { reasoning: 'hm' };
        yield undefined;
        return 'end';
      },
    ],
    [
      'emit',
      async (_task: Task, { emit }: TaskContext) => {
        await emit('a');
        await emit({ b: 1 });
        await emit({ reasoning: 'hm' });
        await emit('');
        return 'end';
      },
    ],
    [
      'a promise of an async iterable',
      async () =>
        (async function* () {
          yield 'a';
          yield { b: 1 };
          yield { reasoning: 'hm' };
          return 'end';
        })(),
    ],
  ])('come from %s', async (_what, process) => {
    const harness = await WorkerHarness.serving(agent(process));
    expect(answer(await harness.run(1, { input: jsonPayload(0) }))).toBe('end');
    expect(chunksOf(harness)).toEqual([
      ['TEXT', 'text', 'a'],
      ['DATA', 'json_utf8', { b: 1 }],
      ['REASONING', 'text', 'hm'],
    ]);
    expect(harness.messages.at(-1)?.type).toBe('finished');
  });

  it('of data are Values when the input was no JSON text', async () => {
    const harness = await WorkerHarness.serving(
      agent(function* () {
        yield [1];
      }),
    );
    expect(answer(await harness.run(1))).toBe(null);
    expect(chunksOf(harness)).toEqual([['DATA', 'json', [1]]]);
  });

  it('that are no JSON end the task, and the generator cleans up', async () => {
    let cleaned = false;
    const harness = await WorkerHarness.serving(
      agent(async function* () {
        try {
          yield () => 1;
        } finally {
          cleaned = true;
        }
      }),
    );
    expect(answer(await harness.run(1))).toBe(
      'AGENT_ERROR: the chunk is a function, which is no JSON',
    );
    expect(cleaned).toBe(true);
  });

  it('have a bound all together', async () => {
    const harness = await WorkerHarness.serving(
      agent(async function* () {
        for (;;) yield 'x'.repeat(1_000);
      }),
    );
    expect(answer(await harness.run(1))).toBe(
      'PAYLOAD_TOO_LARGE: the chunks have more than 50000 bytes together (limits.answerBytesMax)',
    );
    expect(harness.of('chunk')).toHaveLength(50);
  });
});

describe('a slow reader', () => {
  it('stops a generator, and lets it go on with what is taken', async () => {
    let made = 0;
    const harness = await WorkerHarness.serving(
      agent(async function* () {
        for (; made < 40; made += 1) yield 'x'.repeat(100);
        return 'end';
      }),
    );
    harness.takesChunks = false;
    harness.start(1);
    await settle();
    // Each costs 356 with its overhead; half of 4,000 may be ahead.
    expect(harness.of('chunk')).toHaveLength(6);
    harness.take(1, 250);
    await settle();
    expect(harness.of('chunk')).toHaveLength(8);
    for (let taken = 250; taken < 4_000; taken += 50) {
      harness.take(1, 50);
      await settle();
    }
    expect(answer(harness.outcome(1))).toBe('end');
  });

  it('makes an awaited emit wait, however many emit side by side', async () => {
    const harness = await WorkerHarness.serving(
      agent(async (_task, { emit }) => {
        await Promise.all(
          [1, 2, 3].map(async () => {
            for (let n = 0; n < 20; n += 1) await emit('x'.repeat(100));
          }),
        );
        return 'end';
      }),
    );
    harness.takesChunks = false;
    harness.start(1);
    await settle();
    for (let n = 0; n < 60; n += 1) {
      harness.take(1, 100);
      await settle();
    }
    expect(answer(harness.outcome(1))).toBe('end');
    expect(harness.of('chunk')).toHaveLength(60);
  });

  it('ends who emits without awaiting in SLOW_CONSUMER, alone, with a bounded number of chunks', async () => {
    let aborted: boolean | undefined;
    const harness = await WorkerHarness.serving(
      agent((task, { emit, signal }) => {
        if (task.requestId === 'r2') return 'fine';
        for (let n = 0; n < 1_000_000; n += 1) void emit('x');
        aborted = signal.aborted;
        return 'end';
      }),
    );
    harness.takesChunks = false;
    expect(answer(await harness.run(1))).toBe(
      'SLOW_CONSUMER: the agent emitted more than the caller took: await emit, or yield',
    );
    expect(harness.of('chunk')).toHaveLength(16);
    expect(aborted).toBe(true);
    expect(answer(await harness.run(2))).toBe('fine');
  });

  it('is freed of a task that is cancelled while it waits for room', async () => {
    let cleaned = false;
    const harness = await WorkerHarness.serving(
      agent(async function* () {
        try {
          for (;;) yield 'x'.repeat(500);
        } finally {
          cleaned = true;
        }
      }),
    );
    harness.takesChunks = false;
    harness.start(1);
    await settle();
    harness.cancel(1);
    await settle();
    expect([harness.outcome(1), cleaned]).toEqual([{ type: 'cancelled' }, true]);
  });
});

describe('a cancel', () => {
  it('first: answers at once, aborts the signal, ignores what the agent still does', async () => {
    const late = Promise.withResolvers<undefined>();
    const seen: unknown[] = [];
    const harness = await WorkerHarness.serving(
      agent(async (task, { signal, state, emit }) => {
        if (task.requestId === 'r2') return state.keys();
        signal.addEventListener('abort', () =>
          seen.push((signal.reason as Error).name, (signal.reason as Error).message),
        );
        await late.promise;
        await state.set('k', 1);
        await emit('late').catch((error: unknown) => seen.push((error as Error).name));
        return 'late';
      }),
    );
    harness.start(1);
    await settle();
    harness.send({ type: 'cancel', session: 1, run: 1, reason: 'DEADLINE' });
    expect(harness.outcome(1)).toEqual({ type: 'cancelled' });
    late.resolve(undefined);
    await settle();
    expect(seen).toEqual(['AbortError', 'the task ran out of time', 'AbortError']);
    expect(harness.of('chunk')).toEqual([]);
    expect(harness.of('log')).toEqual([]);
    expect(answer(await harness.run(2))).toEqual([]);
  });

  it('after the end: the success stands, and nothing more is said', async () => {
    const harness = await WorkerHarness.serving(agent(() => 'done'));
    await harness.run(1);
    harness.cancel(1);
    await settle();
    expect(harness.of('finished')).toHaveLength(1);
    expect(answer(harness.outcome(1))).toBe('done');
  });

  it('before the conversation is there: the turns that come later are ignored', async () => {
    let calls = 0;
    const harness = await WorkerHarness.serving(agent(() => ++calls));
    harness.start(1, { newConversation: false });
    await settle();
    harness.cancel(1);
    harness.send({ type: 'turns', session: 1, run: 1, turns: [] });
    await settle();
    expect([harness.outcome(1), calls]).toEqual([{ type: 'cancelled' }, 0]);
  });
});

describe('conversations', () => {
  const turn = (index: number, text: string) =>
    ({
      index,
      role: 'user',
      json: JSON.stringify(text),
      timeMs: 5,
      requestId: `old${index}`,
    }) as const;
  const history = agent((_task, { conversation }) =>
    conversation.turns.map(({ role, content }) => `${role} ${String(content)}`),
  );

  it('are asked for when they are not new, and not again', async () => {
    const harness = await WorkerHarness.serving(history);
    harness.start(1, { conversationId: 'c', newConversation: false });
    await settle();
    expect(harness.of('needTurns')).toMatchObject([{ run: 1, conversationId: 'c' }]);
    harness.send({ type: 'turns', session: 1, run: 1, turns: [turn(0, 'one')] });
    await settle();
    expect(answer(harness.outcome(1))).toEqual(['user one']);
    expect(answer(await harness.run(2, { conversationId: 'c', newConversation: false }))).toEqual([
      'user one',
      'user hi',
      'assistant user one',
    ]);
    expect(harness.of('needTurns')).toHaveLength(1);
  });

  it('that are new start empty, append with success only, and keep the newest turns', async () => {
    const harness = await WorkerHarness.serving(
      agent((task, { conversation }) => {
        if (task.requestId === 'r2') throw new Error('no');
        return conversation.turns.length;
      }),
    );
    const lengths = [];
    for (const run of [1, 2, 3, 4, 5])
      lengths.push(answer(await harness.run(run, { conversationId: 'c' })));
    expect(lengths).toEqual([0, 'AGENT_ERROR: no', 2, 4, 4]);
    expect(harness.outcome(1)).toMatchObject({
      turns: [
        { role: 'user', json: '"hi"', requestId: 'r1' },
        { role: 'assistant', json: '0', requestId: 'r1' },
      ],
    });
  });

  it('that were used longest ago are asked for again', async () => {
    const harness = await WorkerHarness.serving(history);
    for (const run of [1, 2, 3]) await harness.run(run, { conversationId: `c${run}` });
    await harness.run(4, { conversationId: 'c1', newConversation: false });
    await harness.run(5, { conversationId: 'c5' });
    expect(harness.of('needTurns')).toEqual([]);
    harness.start(6, { conversationId: 'c2', newConversation: false });
    harness.start(7, { conversationId: 'c1', newConversation: false });
    await settle();
    expect(harness.of('needTurns').map((message) => message.conversationId)).toEqual(['c2']);
  });

  it('that two tasks load at once lose nothing that one of them appends', async () => {
    const harness = await WorkerHarness.serving(history);
    harness.start(1, { conversationId: 'c', newConversation: false });
    harness.start(2, { conversationId: 'c', newConversation: false });
    await settle();
    harness.send({ type: 'turns', session: 1, run: 1, turns: [turn(0, 'one')] });
    await settle();
    harness.send({ type: 'turns', session: 1, run: 2, turns: [turn(0, 'one')] });
    await settle();
    expect(answer(harness.outcome(2))).toEqual(['user one', 'user hi', 'assistant user one']);
  });

  it('that are forgotten are asked for again', async () => {
    const harness = await WorkerHarness.serving(history);
    await harness.run(1, { conversationId: 'c' });
    harness.send({ type: 'forget', session: 1, conversationId: 'c' });
    harness.start(2, { conversationId: 'c', newConversation: false });
    await settle();
    expect(harness.of('needTurns')).toHaveLength(1);
  });
});
