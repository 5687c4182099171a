/** Retention: by count, bytes, age and turns; a bounded few per commit. */
import { expect, it } from '@jest/globals';
import type { Claim, Retention, TaskCommit } from '../../platform/store/store.ts';
import {
  claimed,
  committed,
  GENEROUS,
  join,
  newKey,
  taskCommit,
  WALL_MS,
} from './store-builders.ts';
import type { Subject } from './store.ts';

export function retentionCases(subject: Subject): void {
  const owned = async (): Promise<Claim> => {
    const { incarnation } = await join(subject.store);
    return (await claimed(subject.store, newKey(), incarnation)).claim;
  };
  const commitEach = async (
    claim: Claim,
    tasks: readonly TaskCommit[],
    limits: Partial<Retention>,
    wallMs = WALL_MS,
  ): Promise<Claim> => {
    let next = claim;
    for (const task of tasks) {
      next = await committed(subject.store, next, {
        tasks: [task],
        retention: { ...GENEROUS, ...limits },
        wallMs,
      });
    }
    return next;
  };
  const retained = async (claim: Claim): Promise<readonly string[]> => {
    const { results } = await claimed(subject.store, claim.key, claim.incarnation);
    return results.map((result) => result.requestId);
  };
  const many = (count: number, overrides = {}): TaskCommit[] =>
    Array.from({ length: count }, () => taskCommit(overrides));
  const ids = (tasks: readonly TaskCommit[]): string[] =>
    tasks.map((task) => task.result.requestId);

  it('keeps the newest results up to the count', async () => {
    const { store } = subject;
    const tasks = many(6);
    const claim = await commitEach(await owned(), tasks, { resultsMax: 4 });
    expect(await retained(claim)).toEqual(ids(tasks).slice(2));
    expect(await store.readResult(claim.key, ids(tasks)[1]!)).toBeUndefined();
    expect(await store.readResult(claim.key, ids(tasks)[2]!)).toBeDefined();
  });

  it('keeps the newest results up to the bytes', async () => {
    const tasks = many(6, { output: { arm: 'text', body: new Uint8Array(10_000) } });
    const claim = await commitEach(await owned(), tasks, { resultBytesMax: 25_000 });
    expect(await retained(claim)).toEqual(ids(tasks).slice(4));
    expect((await subject.store.readProject(claim.key))!.storedBytes).toBeLessThan(25_000);
  });

  it('drops a result that alone exceeds the bytes: its commit still counts', async () => {
    const tasks = many(1, { output: { arm: 'text', body: new Uint8Array(10_000) } });
    const claim = await commitEach(await owned(), tasks, { resultBytesMax: 5_000 });
    expect(await retained(claim)).toEqual([]);
    expect(await subject.store.readTurns(claim.key, 'c1', { limit: 9 })).toHaveLength(2);
  });

  it('drops results that are too old, judged by the wall clock of the commit', async () => {
    const old = many(3, { finishedAtMs: WALL_MS });
    const fresh = many(1, { finishedAtMs: WALL_MS + 1_001 });
    let claim = await commitEach(await owned(), old, { resultMs: 1_000 });
    claim = await commitEach(claim, fresh, { resultMs: 1_000 }, WALL_MS + 1_001);
    expect(await retained(claim)).toEqual(ids(fresh));
  });

  it('keeps the newest turns of each conversation; their numbers stay', async () => {
    const { store } = subject;
    const tasks = [...many(4), ...many(1, { conversationId: 'c2' })];
    const claim = await commitEach(await owned(), tasks, { turnsMaxPerConversation: 3 });
    const turns = await store.readTurns(claim.key, 'c1', { limit: 100 });
    expect(turns.map((turn) => turn.index)).toEqual([5, 6, 7]);
    expect(await store.readConversation(claim.key, 'c1')).toMatchObject({ turnCount: 8 });
    expect(await store.readTurns(claim.key, 'c2', { limit: 100 })).toHaveLength(2);
    expect(await store.readTurns(claim.key, 'c1', { limit: 10, before: 6 })).toMatchObject([
      { index: 5 },
    ]);
  });

  it('reaches a lowered limit over the next commits, not in one', async () => {
    let claim = await owned();
    claim = await committed(subject.store, claim, { tasks: many(200) });
    claim = await commitEach(claim, many(1), { resultsMax: 10, turnsMaxPerConversation: 10 });
    const after = (await retained(claim)).length;
    expect(after).toBeLessThan(200);
    expect(after).toBeGreaterThan(100);
    claim = (await claimed(subject.store, claim.key, claim.incarnation)).claim;
    claim = await commitEach(claim, many(30), { resultsMax: 10, turnsMaxPerConversation: 10 });
    expect(await retained(claim)).toHaveLength(10);
    expect(await subject.store.readTurns(claim.key, 'c1', { limit: 1_000 })).toHaveLength(10);
  });

  it('stays the same size while it goes on at the limit', async () => {
    const { store, fixture } = subject;
    const limits = { resultsMax: 5, turnsMaxPerConversation: 4 };
    let claim = await commitEach(await owned(), many(20), limits);
    const keys = await fixture.keyCount();
    claim = await commitEach(claim, many(30), limits);
    expect(await fixture.keyCount()).toBe(keys);
    expect((await store.readProject(claim.key))!.storedBytes).toBeLessThan(2_000);
  });

  it('keeps the newer of two results of one request id when the older is dropped', async () => {
    const { store } = subject;
    const first = taskCommit({ requestId: 'again', digest: 'first' });
    const second = taskCommit({ requestId: 'again', digest: 'second' });
    const claim = await commitEach(await owned(), [first, second, ...many(1)], { resultsMax: 2 });
    expect(await store.readResult(claim.key, 'again')).toMatchObject({ digest: 'second' });
    await commitEach(claim, many(1), { resultsMax: 2 });
    expect(await store.readResult(claim.key, 'again')).toBeUndefined();
  });
}
