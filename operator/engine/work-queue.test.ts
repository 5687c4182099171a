import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { WorkQueue } from './work-queue.ts';

describe('the work queue', () => {
  let clock: FakeClock;
  let queue: WorkQueue;
  let chance: number;
  beforeEach(() => {
    clock = new FakeClock();
    chance = 1;
    queue = new WorkQueue(
      clock,
      { float: () => chance, id: () => 'id' },
      { backoffMinMs: 100, backoffMaxMs: 1_000 },
    );
  });
  const take = async (): Promise<string | undefined> => {
    const taken = queue.take();
    await settle();
    return Promise.race([taken, Promise.resolve('nothing')]);
  };

  it('hands keys out in the order in which they came', async () => {
    queue.add('a');
    queue.add('b');
    expect([await take(), await take()]).toEqual(['a', 'b']);
  });

  it('merges equal keys that wait', async () => {
    queue.add('a');
    queue.add('a');
    expect(await take()).toBe('a');
    queue.done('a');
    expect(await take()).toBe('nothing');
  });

  it('never hands out a key that runs, and does so once it is done', async () => {
    queue.add('a');
    await take();
    queue.add('a');
    queue.add('a');
    const second = queue.take();
    await settle();
    queue.add('b');
    expect(await second).toBe('b');
    queue.done('a');
    expect(await take()).toBe('a');
    queue.done('a');
    expect(await take()).toBe('nothing');
  });

  it('gives a key to whoever waits for one', async () => {
    const [first, second] = [queue.take(), queue.take()];
    queue.add('a');
    queue.add('b');
    expect([await first, await second]).toEqual(['a', 'b']);
  });

  it.each([
    ['the earlier of two times', [500, 200], 200],
    ['the earlier of two times, said first', [200, 500], 200],
  ])('delays a key until %s', async (_title, delays, expectedMs) => {
    const taken: number[] = [];
    void queue.take().then(() => taken.push(clock.nowMs()));
    const startMs = clock.nowMs();
    for (const delayMs of delays) queue.addAfter('a', delayMs);
    await clock.advance(1_000);
    expect(taken).toEqual([startMs + expectedMs]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('at once ends a delay of the same key', async () => {
    queue.addAfter('a', 500);
    queue.add('a');
    expect(await take()).toBe('a');
    queue.done('a');
    await clock.advance(1_000);
    expect(await take()).toBe('nothing');
  });

  it('a delay that ends while the key runs is not lost', async () => {
    queue.add('a');
    await take();
    queue.addAfter('a', 100);
    await clock.advance(200);
    queue.done('a');
    expect(await take()).toBe('a');
  });

  it('waits twice as long after each failure in a row, up to the most', () => {
    const waits = Array.from({ length: 6 }, () => queue.addAfterFailure('a'));
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(queue.addAfterFailure('b')).toBe(100);
    queue.forgetFailures('a');
    expect(queue.addAfterFailure('a')).toBe(100);
  });

  it('leaves half of the wait to chance', () => {
    chance = 0;
    expect(queue.addAfterFailure('a')).toBe(50);
  });

  it('when closed ends those who wait, hands nothing out and leaves no timer', async () => {
    const waiting = queue.take();
    queue.addAfter('b', 100);
    queue.close();
    expect(await waiting).toBeUndefined();
    queue.add('a');
    queue.addAfter('a', 1);
    expect(await queue.take()).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });
});
