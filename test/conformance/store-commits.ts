/** Commits: compare-and-set on (claimId, seq), all or nothing, and what can be read of them. */
import { describe, expect, it } from '@jest/globals';
import type { Claim, Commit, StateEntry, StateWrite } from '../../platform/store/store.ts';
import {
  claimed,
  commitOf,
  committed,
  join,
  newKey,
  storedResult,
  taskCommit,
  unique,
  WALL_MS,
} from './store-builders.ts';
import { settle } from '../fakes/fake-clock.ts';
import type { Subject } from './store.ts';

export function commitCases(subject: Subject): void {
  fencingCases(subject);
  contentCases(subject);
  conversationCases(subject);
}

async function owned(subject: Subject): Promise<Claim> {
  const { incarnation } = await join(subject.store);
  return (await claimed(subject.store, newKey(), incarnation)).claim;
}

function fencingCases(subject: Subject): void {
  it('moves the sequence on by one per commit, however many tasks it carries', async () => {
    const { store } = subject;
    let claim = await owned(subject);
    claim = await committed(store, claim, { tasks: [taskCommit(), taskCommit(), taskCommit()] });
    expect(claim.seq).toBe(1);
    claim = await committed(store, claim, { tasks: [] });
    expect(claim.seq).toBe(2);
    expect(await store.readProject(claim.key)).toMatchObject({
      seq: 2,
      requests: 3,
      lastUsedMs: WALL_MS,
    });
  });

  it.each([
    ['a sequence number before', { seq: -1 }],
    ['a sequence number after', { seq: 1 }],
    ['another claim id', { claimId: 'other' }],
    ['a project that does not exist', { key: 'default~demo~acme~nowhere' }],
  ])('refuses %s and changes nothing', async (_, { seq, ...change }: Partial<Claim>) => {
    const { store } = subject;
    const claim = await committed(store, await owned(subject));
    const before = await store.readProject(claim.key);
    const task = taskCommit(
      { conversationId: 'other' },
      { writes: [{ agent: 'echo', key: 'k', json: '1' }] },
    );
    const wrong = { ...claim, ...change, seq: claim.seq + (seq ?? 0) };
    const answer = await store.commit(
      commitOf(wrong, {
        tasks: [task],
        paused: true,
        leases: [{ id: 'l', expiresAtMs: 1 }],
        forget: ['c1'],
      }),
    );
    expect(answer).toEqual({ type: 'refused' });
    expect(await store.readProject(claim.key)).toEqual(before);
    expect(await store.readResult(claim.key, task.result.requestId)).toBeUndefined();
    expect(await store.readConversation(claim.key, 'other')).toBeUndefined();
    expect(await store.readTurns(claim.key, 'c1', { limit: 10 })).toHaveLength(2);
  });

  it('decides by claim id and sequence, never by epoch', async () => {
    const { store } = subject;
    const claim = await owned(subject);
    expect(await store.commit(commitOf({ ...claim, epoch: 99 }))).toMatchObject({
      type: 'committed',
      seq: 1,
    });
  });

  it('applies an identical commit once: the second is out of sequence', async () => {
    const { store } = subject;
    const commit = commitOf(await owned(subject));
    const answers = await Promise.all([store.commit(commit), store.commit(commit)]);
    expect(answers).toMatchObject([{ type: 'committed', seq: 1 }, { type: 'refused' }]);
    expect((await store.readProject(commit.claim.key))?.requests).toBe(1);
  });

  it('applies one of many commits of the same sequence number sent at once', async () => {
    const { store } = subject;
    const claim = await owned(subject);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => store.commit(commitOf(claim))),
    );
    expect(answers.filter(({ type }) => type === 'committed')).toHaveLength(1);
    expect(await store.readTurns(claim.key, 'c1', { limit: 100 })).toHaveLength(2);
  });

  it('commits with flush', async () => {
    const { store } = subject;
    expect(await store.commit(commitOf(await owned(subject), { flush: true }))).toMatchObject({
      type: 'committed',
      seq: 1,
    });
  });
}

function contentCases(subject: Subject): void {
  it.each(['text', 'json', 'json_utf8', 'parts'] as const)(
    'returns a result with its %s bytes',
    async (arm) => {
      const { store } = subject;
      const claim = await owned(subject);
      const output = { arm, body: Uint8Array.from({ length: 256 }, (_, i) => i) };
      const result = storedResult({ output });
      await committed(store, claim, { tasks: [taskCommit(result)] });
      const read = await store.readResult(claim.key, result.requestId);
      expect({
        ...read,
        output: { arm: read?.output.arm, body: Uint8Array.from(read?.output.body ?? []) },
      }).toEqual(result);
      expect(await store.readResult(claim.key, 'unknown')).toBeUndefined();
      expect(await store.readResult(newKey(), result.requestId)).toBeUndefined();
    },
  );

  it('keeps what it returned untouched by later reads', async () => {
    const { store } = subject;
    const claim = await owned(subject);
    const bodies = [1, 2, 3].map((n) => new Uint8Array(5_000).fill(n));
    const tasks = bodies.map((body) => taskCommit({ output: { arm: 'text', body } }));
    await committed(store, claim, { tasks });
    const first = await store.readResult(claim.key, tasks[0]!.result.requestId);
    await store.readResult(claim.key, tasks[1]!.result.requestId);
    await store.readResult(claim.key, tasks[2]!.result.requestId);
    expect(Buffer.from(first!.output.body).equals(bodies[0]!)).toBe(true);
  });

  it('gives the next owner everything: state, result ids in order, pause, leases, rate, override', async () => {
    const { store } = subject;
    const claim = await owned(subject);
    const tasks = [
      taskCommit({ digest: 'd1' }),
      taskCommit({ digest: 'd2' }, { writes: [{ agent: 'echo', key: 'k', json: '1' }] }),
    ];
    const leases = [{ id: `${claim.key}~x`, expiresAtMs: WALL_MS + 1 }];
    const rate = { tokens: 1.5, atMs: WALL_MS };
    await committed(store, claim, { tasks, leases, rate, paused: true });
    await store.setTierOverride(claim.key, { tier: 'HOT', sinceMs: 5 }, 0);
    await store.release(claim);
    const next = await claimed(store, claim.key, (await join(store)).incarnation);
    expect(next).toMatchObject({
      claim: { epoch: 2, seq: 1 },
      known: true,
      paused: true,
      leases,
      rate,
      override: { tier: 'HOT', sinceMs: 5 },
      state: [{ agent: 'echo', key: 'k', json: '1' }],
      results: tasks.map(({ result: { requestId, digest } }) => ({ requestId, digest })),
    });
  });

  it('keeps pause, leases and rate that a commit does not mention', async () => {
    const { store } = subject;
    const leases = [{ id: 'l', expiresAtMs: 7 }];
    let claim = await committed(store, await owned(subject), {
      leases,
      paused: true,
      rate: { tokens: 3, atMs: 4 },
    });
    claim = await committed(store, claim);
    expect(await store.readProject(claim.key)).toMatchObject({ leases, paused: true });
    claim = await committed(store, claim, { leases: [], paused: false });
    expect(await store.readProject(claim.key)).toMatchObject({ leases: [], paused: false });
    expect((await claimed(store, claim.key, claim.incarnation)).rate).toEqual({
      tokens: 3,
      atMs: 4,
    });
  });

  it('keeps state per agent and per conversation, overwrites and deletes it', async () => {
    const { store } = subject;
    const claim = await owned(subject);
    const write = (
      agent: string,
      key: string,
      json?: string,
      conversation?: string,
    ): StateWrite => ({
      agent,
      key,
      ...(json === undefined ? {} : { json }),
      ...(conversation === undefined ? {} : { conversation }),
    });
    const first = [
      write('a', 'k', '1'),
      write('b', 'k', '2'),
      write('a', 'k', '3', 'c1'),
      write('a', 'gone', '4'),
    ];
    const second = [write('a', 'k', '"new"'), write('a', 'gone'), write('a', 'never')];
    const after = await committed(store, claim, { tasks: [taskCommit({}, { writes: first })] });
    await committed(store, after, { tasks: [taskCommit({}, { writes: second })] });
    const { state } = await claimed(store, claim.key, claim.incarnation);
    const expected: StateEntry[] = [
      { agent: 'a', key: 'k', json: '"new"' },
      { agent: 'b', key: 'k', json: '2' },
      { agent: 'a', conversation: 'c1', key: 'k', json: '3' },
    ];
    expect(state).toHaveLength(expected.length);
    expect(state).toEqual(expect.arrayContaining(expected));
  });

  it.each([
    ['empty', ''],
    ['with spaces', 'a b  c'],
    ['with control characters', 'a\u0000b\u001f'],
    ['Unicode', 'ключ 🗝 ~ !'],
    ['very long', 'k'.repeat(5_000)],
  ])('takes a state key that is %s', async (_, key) => {
    const { store } = subject;
    const claim = await owned(subject);
    const writes = [
      { agent: 'a', key, json: '1' },
      { agent: 'a', key: `${key}x`, json: '2' },
    ];
    await committed(store, claim, { tasks: [taskCommit({}, { writes })] });
    const { state } = await claimed(store, claim.key, claim.incarnation);
    expect(new Map(state.map((entry) => [entry.key, entry.json]))).toEqual(
      new Map([
        [key, '1'],
        [`${key}x`, '2'],
      ]),
    );
  });

  it('takes the longest names that identifiers allow', async () => {
    const { store } = subject;
    const long = (c: string): string => c.repeat(253);
    const key = `${'n'.repeat(63)}~${'p'.repeat(63)}~${long('t')}~${long('q')}`;
    const { claim } = await claimed(store, key, (await join(store)).incarnation);
    const result = { requestId: long('r'), conversationId: long('c'), agent: long('a') };
    const writes = [{ agent: long('a'), conversation: long('c'), key: long('k'), json: '1' }];
    await committed(store, claim, { tasks: [taskCommit(result, { writes })] });
    expect(await store.readResult(key, long('r'))).toMatchObject(result);
    expect(await store.readTurns(key, long('c'), { limit: 5 })).toHaveLength(2);
  });

  it('counts bytes: more with each commit, back to the same when state is deleted', async () => {
    const { store } = subject;
    let claim = await owned(subject);
    const bytes = async (): Promise<number> => (await store.readProject(claim.key))!.storedBytes;
    const write = (json?: string) => ({
      tasks: [
        taskCommit(
          {},
          { writes: [{ agent: 'a', key: 'k', ...(json === undefined ? {} : { json }) }] },
        ),
      ],
    });
    claim = await committed(store, claim);
    const one = await bytes();
    claim = await committed(store, claim, write(`"${'x'.repeat(1_000)}"`));
    const two = await bytes();
    expect(two - one).toBeGreaterThan(1_000);
    claim = await committed(store, claim, write(`"${'x'.repeat(5_000)}"`));
    expect((await bytes()) - two).toBeGreaterThan(4_000);
    claim = await committed(store, claim, write());
    expect(await bytes()).toBeLessThan(two);
    expect(await bytes()).toBeGreaterThan(one);
  });
}

function conversationCases(subject: Subject): void {
  const grow = async (tasks: number, conversationId = 'c1'): Promise<Claim> => {
    let claim = await owned(subject);
    for (let i = 0; i < tasks; i++)
      claim = await committed(subject.store, claim, { tasks: [taskCommit({ conversationId })] });
    return claim;
  };

  it('numbers turns from 0 in order, across commits and tasks', async () => {
    const { store } = subject;
    const claim = await owned(subject);
    const tasks = [taskCommit(), taskCommit({ conversationId: 'c2' }), taskCommit()];
    await committed(store, claim, { tasks });
    const turns = await store.readTurns(claim.key, 'c1', { limit: 100 });
    const expected = [tasks[0]!, tasks[2]!]
      .flatMap((task) => task.turns)
      .map((turn, index) => ({ index, ...turn }));
    expect(turns).toEqual(expected);
  });

  it.each([
    ['the newest', { limit: 3 }, [7, 8, 9]],
    ['before an index', { limit: 3, before: 5 }, [2, 3, 4]],
    ['before the oldest few', { limit: 5, before: 2 }, [0, 1]],
    ['before the first', { limit: 5, before: 0 }, []],
    ['before an index past the end', { limit: 2, before: 99 }, [8, 9]],
    ['none', { limit: 0 }, []],
    ['more than there are', { limit: 500 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ])('reads a window of turns: %s', async (_, window, indexes) => {
    const claim = await grow(5);
    const turns = await subject.store.readTurns(claim.key, 'c1', window);
    expect(turns.map((turn) => turn.index)).toEqual(indexes);
  });

  describe('a page of turns is bounded in bytes', () => {
    const MIB = 1024 * 1024;
    const large = async (sizesMib: readonly number[]): Promise<Claim> => {
      let claim = await owned(subject);
      for (const size of sizesMib) {
        const { result } = taskCommit();
        const json = JSON.stringify('x'.repeat(size * MIB));
        const { requestId } = result;
        const turns = [{ role: 'user', json, timeMs: WALL_MS, requestId }] as const;
        claim = await committed(subject.store, claim, { tasks: [{ result, writes: [], turns }] });
      }
      return claim;
    };
    const indexesOf = async (
      claim: Claim,
      window: { readonly limit: number; readonly before?: number },
    ): Promise<readonly number[]> => {
      const turns = await subject.store.readTurns(claim.key, 'c1', window);
      return turns.map((turn) => turn.index);
    };

    it('the newest that fit together come first, the rest with the next page', async () => {
      const claim = await large([3, 3, 3, 3]);
      expect(await indexesOf(claim, { limit: 1_000 })).toEqual([2, 3]);
      expect(await indexesOf(claim, { limit: 1_000, before: 2 })).toEqual([0, 1]);
      expect(await indexesOf(claim, { limit: 1, before: 2 })).toEqual([1]);
    });

    it('a turn that alone is larger is a page', async () => {
      const claim = await large([1, 9, 1]);
      expect(await indexesOf(claim, { limit: 1_000 })).toEqual([2]);
      expect(await indexesOf(claim, { limit: 1_000, before: 2 })).toEqual([1]);
      expect(await indexesOf(claim, { limit: 1_000, before: 1 })).toEqual([0]);
    });
  });

  it('sums conversations up and lists them in id order, paged', async () => {
    const { store } = subject;
    const claim = await owned(subject);
    const ids = ['b', 'a', 'a-1', 'a.1', 'a1', 'Z', 'a:b', 'a@b', 'a_b'];
    await committed(store, claim, {
      tasks: ids.map((conversationId) => taskCommit({ conversationId })),
      wallMs: WALL_MS + 5,
    });
    expect(await store.readConversation(claim.key, 'a')).toEqual({
      id: 'a',
      agent: 'echo',
      turnCount: 2,
      updatedMs: WALL_MS + 5,
    });
    const listed: string[] = [];
    for (let page = await store.listConversations(claim.key, { limit: 2 }); page.length > 0;) {
      listed.push(...page.map(({ id }) => id));
      page = await store.listConversations(claim.key, { limit: 2, after: listed.at(-1)! });
    }
    expect(listed).toEqual([...ids].sort());
  });

  it('knows no turns and no summary of a conversation that is not there', async () => {
    const { store } = subject;
    const claim = await grow(1);
    for (const key of [claim.key, newKey()]) {
      expect(await store.readTurns(key, 'nope', { limit: 5 })).toEqual([]);
      expect(await store.readConversation(key, 'nope')).toBeUndefined();
    }
    expect(await store.listConversations(newKey(), { limit: 5 })).toEqual([]);
  });

  it('forgets a conversation with its state and gives its bytes back; one of the same name starts at 0', async () => {
    const { store } = subject;
    let claim = await owned(subject);
    claim = await committed(store, claim, { tasks: [] });
    const empty = (await store.readProject(claim.key))!.storedBytes;
    const writes = [
      { agent: 'a', conversation: 'c1', key: 'k', json: '1' },
      { agent: 'a', conversation: 'c10', key: 'k', json: '2' },
    ];
    claim = await committed(store, claim, {
      tasks: [taskCommit({ requestId: unique('r') }, { writes })],
    });
    claim = await committed(store, claim, { forget: ['c1', 'unknown'], tasks: [] });
    expect(await store.readConversation(claim.key, 'c1')).toBeUndefined();
    expect(await store.readTurns(claim.key, 'c1', { limit: 9 })).toEqual([]);
    expect((await store.readProject(claim.key))!.storedBytes).toBeGreaterThan(empty);
    const { state, claim: next } = await claimed(store, claim.key, claim.incarnation);
    expect(state).toEqual([writes[1]]);
    await committed(store, next);
    const turns = await store.readTurns(claim.key, 'c1', { limit: 9 });
    expect(turns.map((turn) => turn.index)).toEqual([0, 1]);
  });

  it('counts the conversations of the project', async () => {
    const { store } = subject;
    let claim = await owned(subject);
    const conversationsAfter = async (more: Partial<Commit>): Promise<number> => {
      const answer = await store.commit(commitOf(claim, more));
      if (answer.type !== 'committed') throw new Error(answer.type);
      claim = { ...claim, seq: answer.seq };
      return answer.conversations;
    };
    const of = (...ids: readonly string[]): Partial<Commit> => ({
      tasks: ids.map((conversationId) => taskCommit({ conversationId })),
    });
    expect(await conversationsAfter(of('a', 'b', 'a'))).toBe(2);
    expect(await conversationsAfter(of('b', 'c'))).toBe(3);
    expect(await conversationsAfter({ tasks: [], forget: ['a', 'unknown'] })).toBe(2);
    expect(await conversationsAfter({ ...of('a', 'd'), forget: ['b'] })).toBe(3);
  });

  it('forgets before it applies the tasks of the same commit', async () => {
    const { store } = subject;
    const claim = await grow(2);
    await committed(store, claim, { forget: ['c1'], tasks: [taskCommit()] });
    expect(await store.readConversation(claim.key, 'c1')).toMatchObject({ turnCount: 2 });
  });

  it('sweeps the turns of a forgotten long conversation', async () => {
    const { store, fixture } = subject;
    let claim = await committed(store, await owned(subject), { tasks: [] });
    const before = await fixture.keyCount();
    const tasks = Array.from({ length: 700 }, () => taskCommit({ conversationId: 'long' }));
    claim = await committed(store, claim, { tasks });
    const keysOfResults = 2 * tasks.length;
    expect(await fixture.keyCount()).toBe(before + keysOfResults + 1 + 2 * tasks.length);
    await committed(store, claim, { forget: ['long'], tasks: [] });
    while ((await fixture.keyCount()) > before + keysOfResults) await settle();
    expect(await fixture.keyCount()).toBe(before + keysOfResults);
  });
}
