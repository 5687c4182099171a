/** Order inside an instance: locks, arrival, priority; also as a property over random schedules. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PRIORITIES, type Priority } from '../../platform/link/frames.ts';
import { conversationLock, locksOf, TaskQueue, type Queued } from './task-queue.ts';

interface Entry extends Queued {
  readonly name: string;
}

const entry = (
  name: string,
  conversation: string | undefined,
  priority: Priority = 'NORMAL',
): Entry => ({
  name,
  priority,
  locks: conversation === undefined ? [] : [conversationLock(conversation)],
});

describe('a task queue', () => {
  it.each([
    { what: 'arrival', entries: [entry('a', 'x'), entry('b', 'y')], order: ['a', 'b'] },
    {
      what: 'priority',
      entries: [entry('a', 'x', 'LOW'), entry('b', 'y', 'HIGH')],
      order: ['b', 'a'],
    },
    {
      what: 'arrival within a conversation, whatever the priority',
      entries: [entry('a', 'x', 'LOW'), entry('b', 'x', 'CRITICAL')],
      order: ['a'],
    },
    {
      what: 'priority among the heads of conversations only',
      entries: [entry('a', 'x', 'LOW'), entry('b', 'x', 'CRITICAL'), entry('c', 'y', 'NORMAL')],
      order: ['c', 'a'],
    },
    {
      what: 'no locks',
      entries: [entry('a', undefined), entry('b', undefined)],
      order: ['a', 'b'],
    },
  ])('starts by $what', ({ entries, order }) => {
    const queue = new TaskQueue<Entry>();
    for (const one of entries) queue.add(one);
    const started: string[] = [];
    for (let next = queue.takeNext(); next !== undefined; next = queue.takeNext())
      started.push(next.name);
    expect(started).toEqual(order);
  });

  it('removes what waits, not what was taken', () => {
    const queue = new TaskQueue<Entry>();
    const [a, b] = [entry('a', 'x'), entry('b', 'x')];
    queue.add(a);
    queue.add(b);
    expect(queue.takeNext()).toBe(a);
    expect([queue.remove(a), queue.remove(b), queue.size]).toEqual([false, true, 0]);
  });

  it.each([
    { concurrency: 'conversation' as const, locks: ['conversation c'] },
    { concurrency: 'project' as const, locks: ['conversation c', 'agent a'] },
    { concurrency: 'none' as const, locks: [] },
  ])('locks for concurrency $concurrency', ({ concurrency, locks }) => {
    expect(locksOf(concurrency, { agent: 'a', conversationId: 'c' })).toEqual(locks);
  });

  it('never runs two of one conversation, never reorders one, and starts all', () => {
    const step = fc.record({
      conversation: fc.constantFrom('x', 'y', 'z'),
      priority: fc.constantFrom(...PRIORITIES),
      startAndEnd: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const queue = new TaskQueue<Entry & { readonly at: number }>();
        const running: (Entry & { readonly at: number })[] = [];
        const last = new Map<string, number>();
        const start = (): boolean => {
          const next = queue.takeNext();
          if (next === undefined) return false;
          const [lock = ''] = next.locks;
          expect(running.some((other) => other.locks[0] === lock)).toBe(false);
          expect(last.get(lock) ?? -1).toBeLessThan(next.at);
          last.set(lock, next.at);
          running.push(next);
          return true;
        };
        const end = (): void => {
          const ended = running.shift();
          if (ended !== undefined) queue.release(ended);
        };
        steps.forEach(({ conversation, priority, startAndEnd }, at) => {
          queue.add({ ...entry(String(at), conversation, priority), at });
          for (let n = 0; n < startAndEnd; n += 1) if (!start()) end();
        });
        while (queue.size > 0 || running.length > 0) if (!start()) end();
        expect([...last.values()].length).toBe(
          new Set(steps.map(({ conversation }) => conversation)).size,
        );
      }),
    );
  });
});
