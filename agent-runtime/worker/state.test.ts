import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { settle } from '../../test/fakes/fake-clock.ts';
import { answer, jsonPayload, WorkerHarness } from '../../test/fakes/worker-harness.ts';
import type { Agent, State, Task, TaskContext } from '../agent/agent.ts';
import type { RunOutcome } from './protocol.ts';

const agent = (process: (task: Task, context: TaskContext) => unknown): Agent => ({
  name: 'a',
  process,
});

/** An agent that stops where a test wants: `await gates.pass('r1')` in it, `gates.open('r1')` in the test. */
class Gates {
  readonly #gates = new Map<string, PromiseWithResolvers<undefined>>();
  pass(name: string): Promise<undefined> {
    return this.#gate(name).promise;
  }
  async open(...names: string[]): Promise<void> {
    for (const name of names) {
      await settle();
      this.#gate(name).resolve(undefined);
    }
    await settle();
  }
  #gate(name: string): PromiseWithResolvers<undefined> {
    const gate = this.#gates.get(name) ?? Promise.withResolvers<undefined>();
    this.#gates.set(name, gate);
    return gate;
  }
}

const increment = (state: State, key = 'n'): Promise<number> => state.update(key, (n = 0) => n + 1);
const writesOf = (outcome: RunOutcome | undefined) =>
  outcome?.type === 'success' ? outcome.writes : undefined;

describe("a task's own overlay", () => {
  it('shows its own writes, hands out copies, and posts only the last write of a key', async () => {
    const seen: unknown[] = [];
    const harness = await WorkerHarness.serving(
      agent(async (_task, { state }) => {
        seen.push(await state.get('list'));
        await state.set('list', [1]);
        const list = (await state.get<number[]>('list'))!;
        list.push(2);
        seen.push(
          await state.get('list'),
          await state.update('list', (was: number[] = []) => [...was, 3]),
          await state.keys(),
        );
        await state.set('gone', 1);
        await state.delete('gone');
        seen.push(await state.get('gone'), await state.keys());
      }),
    );
    const outcome = await harness.run(1);
    expect(seen).toEqual([undefined, [1], [1, 3], ['list'], undefined, ['list']]);
    expect(writesOf(outcome)).toEqual([
      { agent: 'a', key: 'list', json: '[1,3]' },
      { agent: 'a', key: 'gone' },
    ]);
  });

  it('starts from what was restored, per agent and conversation', async () => {
    const harness = await WorkerHarness.serving(
      agent(async (_task, { state, conversation }) => [
        await state.get('k'),
        await conversation.state.get('k'),
        await state.keys(),
        await conversation.state.keys(),
      ]),
      {
        state: [
          { agent: 'a', key: 'k', json: '1' },
          { agent: 'b', key: 'k', json: '2' },
          { agent: 'a', conversation: 'c1', key: 'k', json: '3' },
          { agent: 'a', conversation: 'c2', key: 'x', json: '4' },
        ],
      },
    );
    expect(answer(await harness.run(1))).toEqual([1, 3, ['k'], ['k']]);
    harness.send({ type: 'forget', session: 1, conversationId: 'c1' });
    expect(answer(await harness.run(2, { conversationId: 'c1' }))).toEqual([1, null, ['k'], []]);
  });

  it.each([
    [
      'an error',
      (task: Task) => (task.requestId === 'r1' ? Promise.reject(new Error('no')) : undefined),
    ],
    [
      'a cancel',
      (task: Task) => (task.requestId === 'r1' ? new Promise(() => undefined) : undefined),
    ],
  ])('is dropped after %s', async (_what, then) => {
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        await increment(state);
        await then(task);
        return state.get('n');
      }),
    );
    harness.start(1);
    await settle();
    harness.cancel(1);
    await settle();
    expect(answer(await harness.run(2))).toBe(1);
  });

  it.each([
    [
      'set of undefined',
      (state: State) => state.set('k', undefined),
      'state key "k" is undefined: set a value (null is one), or call delete("k")',
    ],
    [
      'an update that returns nothing',
      (state: State) => state.update('k', () => undefined),
      'state key "k" is undefined',
    ],
    [
      'an async update',
      (state: State) => state.update('k', async () => 1),
      'state key "k" is a promise (is an await missing?)',
    ],
    [
      'a function inside',
      (state: State) => state.set('k', { a: [() => 1] }),
      'state key "k".a[0] is a function, which is no JSON',
    ],
    [
      'an empty key',
      (state: State) => state.set('', 1),
      'a state key is a string of 1 to 256 characters; this one has 0 characters',
    ],
    [
      'a key that is no string',
      (state: State) => state.get(7 as never),
      'this one is of type number',
    ],
    [
      'a value over the limit',
      (state: State) => state.set('k', 'x'.repeat(10_001)),
      'state key "k" has 10003 bytes; the whole state of a project may have 10000 (limits.stateBytesMax)',
    ],
  ])('refuses %s', async (_what, call, message) => {
    const harness = await WorkerHarness.serving(
      agent((_task, { state }) => {
        void call(state);
        return 'not reached';
      }),
    );
    expect(answer(await harness.run(1))).toContain(message);
  });

  it("refuses a conversation's value by that name", async () => {
    const harness = await WorkerHarness.serving(
      agent((_task, { conversation }) => conversation.state.set('k', new Map())),
    );
    expect(answer(await harness.run(1))).toContain(
      'conversation state key "k" is an object of class Map',
    );
  });

  it('bounds the whole state, but lets one that is over a lowered limit shrink', async () => {
    const big = 'x'.repeat(6_000);
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        if (task.requestId === 'r1') await state.set('new', big);
        else await state.delete('old');
      }),
      {
        state: [
          { agent: 'a', key: 'older', json: JSON.stringify(big) },
          { agent: 'a', key: 'old', json: JSON.stringify(big) },
        ],
      },
    );
    expect(answer(await harness.run(1))).toMatch(
      /PAYLOAD_TOO_LARGE: the project's state would have 18017 bytes; at most 10000 .* this task wrote "new"/,
    );
    expect(answer(await harness.run(2))).toBe(null);
  });

  it('ignores what is written after the end, and says so once', async () => {
    const gates = new Gates();
    const harness = await WorkerHarness.serving(
      agent((_task, { state }) => {
        void gates.pass('late').then(async () => {
          await state.set('k', 1);
          await state.set('k', 2);
        });
        return 'done';
      }),
    );
    await harness.run(1);
    await gates.open('late');
    expect(harness.of('log').map((line) => line.message)).toEqual([
      'a state change after the task had ended has no effect: is an await missing?',
    ]);
    expect(answer(await (await WorkerHarness.serving(agent(() => 1))).run(1))).toBe(1);
  });
});

describe('two tasks on one key', () => {
  it('that both read and write it: the later one runs again and sees the first', async () => {
    const gates = new Gates();
    let calls = 0;
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        calls += 1;
        const n = await increment(state);
        await gates.pass(task.requestId);
        return n;
      }),
    );
    harness.start(1);
    harness.start(2);
    await gates.open('r2');
    await gates.open('r1');
    expect([answer(harness.outcome(1)), answer(harness.outcome(2))]).toEqual([2, 1]);
    expect(harness.outcome(1)).toMatchObject({ reran: true });
    expect(harness.outcome(2)).toMatchObject({ reran: false });
    expect(calls).toBe(3);
  });

  it.each([
    ['a blind write', (state: State) => state.set('n', 5)],
    ['a read', (state: State) => state.get('n')],
    ['a write of another key', (state: State) => increment(state, 'other')],
    ['a delete', (state: State) => state.delete('n')],
  ])('is no conflict for %s', async (_what, use) => {
    const gates = new Gates();
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        await (task.requestId === 'r1' ? use(state) : increment(state));
        await gates.pass(task.requestId);
      }),
    );
    harness.start(1);
    harness.start(2);
    await gates.open('r2', 'r1');
    expect(harness.outcome(1)).toMatchObject({ type: 'success', reran: false });
  });

  it('a read that a write depends on is a conflict, also when it is a get and a set', async () => {
    const gates = new Gates();
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        const n = (await state.get<number>('n')) ?? 0;
        await gates.pass(task.requestId);
        await state.set('n', n + 1);
        return n + 1;
      }),
    );
    harness.start(1);
    harness.start(2);
    await gates.open('r1', 'r2');
    expect([answer(harness.outcome(1)), answer(harness.outcome(2))]).toEqual([1, 2]);
  });

  it('is STATE_CONFLICT when the task has streamed already', async () => {
    const gates = new Gates();
    const harness = await WorkerHarness.serving(
      agent(async (task, { state, emit }) => {
        await increment(state);
        if (task.requestId === 'r1') await emit('chunk');
        await gates.pass(task.requestId);
      }),
    );
    harness.start(1);
    harness.start(2);
    await gates.open('r2', 'r1');
    expect(answer(harness.outcome(1))).toBe(
      'STATE_CONFLICT: another task changed what this one had read and written ("n"); it had streamed already, so it could not run again',
    );
  });

  it('makes others wait that would stage the key while a rerun holds it', async () => {
    const gates = new Gates();
    const calls: string[] = [];
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        calls.push(task.requestId);
        const again = calls.filter((id) => id === task.requestId).length > 1;
        await increment(state);
        await gates.pass(`${task.requestId}${again ? ' again' : ''}`);
        return state.get('n');
      }),
    );
    for (const run of [1, 2, 3]) harness.start(run);
    await gates.open('r2', 'r1');
    expect(calls).toEqual(['r1', 'r2', 'r3', 'r1']);
    await gates.open('r3');
    expect(harness.outcome(3)).toBeUndefined();
    await gates.open('r1 again', 'r3 again');
    expect([1, 2, 3].map((run) => answer(harness.outcome(run)))).toEqual([2, 1, 3]);
  });

  it('a held key does not stop who writes others', async () => {
    const gates = new Gates();
    let calls = 0;
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        calls += 1;
        await increment(state, task.metadata['key'] ?? 'n');
        await gates.pass(calls === 4 ? 'rerun' : task.requestId);
      }),
    );
    for (const run of [1, 2]) harness.start(run);
    harness.start(3, { metadata: { key: 'other' } });
    await gates.open('r2', 'r1', 'r3');
    expect([calls, harness.outcome(1), harness.outcome(3)?.type]).toEqual([
      4,
      undefined,
      'success',
    ]);
    await gates.open('rerun');
    expect(harness.outcome(1)).toMatchObject({ type: 'success', reran: true });
  });

  it('shows a task the same value each time it reads, so that what it makes of it can be checked', async () => {
    const gates = new Gates();
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        if (task.requestId === 'r2') return state.set('n', 5);
        const first = (await state.get<number>('n')) ?? 0;
        await gates.pass('r1');
        const second = (await state.get<number>('n')) ?? 0;
        await state.set('n', first + second + 1);
        return [first, second];
      }),
    );
    harness.start(1);
    await settle();
    await harness.run(2);
    await gates.open('r1');
    expect(harness.outcome(1)).toMatchObject({ type: 'success', reran: true });
    expect(answer(harness.outcome(1))).toEqual([5, 5]);
  });

  it('lets a rerun take hold of keys that it updates only then', async () => {
    const gates = new Gates();
    let calls = 0;
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        if (task.requestId === 'r3') return increment(state, 'only in the rerun');
        calls += 1;
        const again = calls === 3;
        const n = await increment(state, again ? 'only in the rerun' : 'n');
        await gates.pass(again ? 'rerun' : task.requestId);
        return n;
      }),
    );
    for (const run of [1, 2]) harness.start(run);
    await gates.open('r2', 'r1');
    harness.start(3);
    await settle();
    expect(harness.outcome(3)).toBeUndefined();
    await gates.open('rerun');
    expect([1, 3].map((run) => answer(harness.outcome(run)))).toEqual([1, 2]);
  });

  it('passes the turn to rerun on, when who waited for it was cancelled', async () => {
    const gates = new Gates();
    let firsts = 0;
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        const n = await increment(state, task.metadata['key']);
        if (task.requestId === 'r1') firsts += 1;
        await gates.pass(task.requestId === 'r1' && firsts === 2 ? 'rerun' : task.requestId);
        return n;
      }),
    );
    [1, 2].forEach((run) => harness.start(run, { metadata: { key: 'n' } }));
    [3, 4, 5].forEach((run) => harness.start(run, { metadata: { key: 'm' } }));
    // 1 reruns for "n"; 3 and 5 conflict on "m" and wait for their turn.
    await gates.open('r2', 'r1', 'r4', 'r3', 'r5');
    harness.cancel(3);
    await gates.open('rerun');
    expect([1, 3, 5].map((run) => answer(harness.outcome(run)))).toEqual([2, 'cancelled', 2]);
  });

  it('stages nothing of a task that was cancelled while it waited for the key', async () => {
    const gates = new Gates();
    let calls = 0;
    const harness = await WorkerHarness.serving(
      agent(async (task, { state }) => {
        if (task.requestId === 'r3') return state.set('n', 99);
        if (task.requestId === 'r4') return state.get('n');
        calls += 1;
        const gate = calls === 3 ? 'rerun' : task.requestId;
        await increment(state);
        return gates.pass(gate);
      }),
    );
    for (const run of [1, 2]) harness.start(run);
    await gates.open('r2', 'r1');
    harness.start(3);
    await settle();
    harness.cancel(3);
    await gates.open('rerun');
    expect([harness.outcome(1)?.type, harness.outcome(3)?.type]).toEqual(['success', 'cancelled']);
    expect(answer(await harness.run(4))).toBe(2);
  });

  it.each([1, 3])(
    'a cancelled task (run %i) lets go of the key, or of its place in the queue',
    async (cancelled) => {
      const gates = new Gates();
      const calls: string[] = [];
      const harness = await WorkerHarness.serving(
        agent(async (task, { state }) => {
          calls.push(task.requestId);
          const again = calls.filter((id) => id === task.requestId).length > 1;
          await increment(state);
          await gates.pass(`${task.requestId}${again ? ' again' : ''}`);
        }),
      );
      for (const run of [1, 2, 3, 4]) harness.start(run);
      // 1 reruns and holds the key; 3 and 4 wait to stage it.
      await gates.open('r2', 'r1', 'r3', 'r4', 'r3 again', 'r4 again');
      harness.cancel(cancelled);
      await gates.open('r1 again');
      const left = [1, 2, 3, 4].filter((run) => run !== cancelled);
      expect(harness.outcome(cancelled)).toEqual({ type: 'cancelled' });
      expect(left.map((run) => harness.outcome(run)?.type)).toEqual([
        'success',
        'success',
        'success',
      ]);
      await gates.open('r5');
      expect(await harness.run(5)).toMatchObject({ type: 'success' });
    },
  );
});

describe('any interleaving of tasks', () => {
  const step = fc.record({
    key: fc.constantFrom('x', 'y', 'z'),
    factor: fc.integer({ min: 1, max: 5 }),
    add: fc.integer({ min: 0, max: 9 }),
  });
  const plan = fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), {
    minLength: 2,
    maxLength: 5,
  });

  it('gives what some order of them one by one gives', async () => {
    await fc.assert(
      fc.asyncProperty(
        plan,
        fc.array(fc.nat({ max: 4 }), { maxLength: 40 }),
        async (tasks, schedule) => {
          const waiting = new Map<number, () => void>();
          const harness = await WorkerHarness.serving(
            agent(async (task, { state }) => {
              const index = Number(task.requestId.slice(1)) - 1;
              const got: number[] = [];
              for (const { key, factor, add } of task.input as (typeof tasks)[number]) {
                await new Promise<void>((resolve) => waiting.set(index, resolve));
                got.push(await state.update(key, (n = 1) => n * factor + add));
              }
              return got;
            }),
          );
          tasks.forEach((steps, index) => harness.start(index + 1, { input: jsonPayload(steps) }));
          await settle();
          const go = async (index: number): Promise<void> => {
            const wake = waiting.get(index);
            waiting.delete(index);
            wake?.();
            await settle();
          };
          for (const choice of schedule) await go(choice);
          for (let left = 1; left > 0; left = waiting.size)
            for (const index of [...waiting.keys()]) await go(index);

          const outcomes = tasks.map((_steps, index) => harness.outcome(index + 1));
          expect(outcomes.map((outcome) => outcome?.type)).toEqual(tasks.map(() => 'success'));
          // Staged order is the serial order: each task's results must be those of running it then.
          const order = harness.of('finished').map((message) => message.run - 1);
          const model: Record<string, number> = {};
          for (const index of order) {
            const expected = tasks[index]!.map(
              ({ key, factor, add }) => (model[key] = (model[key] ?? 1) * factor + add),
            );
            expect(answer(outcomes[index])).toEqual(expected);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
