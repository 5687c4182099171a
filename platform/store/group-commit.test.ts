import { describe, expect, it } from '@jest/globals';
import { settle } from '../../test/fakes/fake-clock.ts';
import { GroupCommit, type GroupTarget } from './group-commit.ts';
import { StoreError } from './store-error.ts';

/** A disk whose groups reach it when the test says so. */
class SlowTarget implements GroupTarget {
  readonly data = new Map<string, unknown>();
  readonly groups: { finish: (error?: StoreError) => void; size: number }[] = [];

  get(key: string): unknown {
    return this.data.get(key);
  }

  range(): [] {
    return [];
  }

  writeGroup(fill: Parameters<GroupTarget['writeGroup']>[0]): Promise<void> {
    return new Promise((resolve, reject) => {
      const writes: (() => void)[] = [];
      fill({
        put: (key, value) => writes.push(() => this.data.set(key, value)),
        remove: (key) => writes.push(() => this.data.delete(key)),
      });
      const finish = (error?: StoreError): void => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        for (const write of writes) write();
        resolve();
      };
      this.groups.push({ finish, size: writes.length });
    });
  }
}

function setUp() {
  const target = new SlowTarget();
  const groups = new GroupCommit(target);
  const increment = (): Promise<number> =>
    groups.write((kv) => {
      const next = ((kv.get('n') as number | undefined) ?? 0) + 1;
      kv.put('n', next);
      return next;
    });
  return { target, groups, increment };
}

const outcomes = async (calls: readonly Promise<unknown>[]): Promise<unknown[]> =>
  (await Promise.allSettled(calls)).map((call) =>
    call.status === 'fulfilled' ? call.value : (call.reason as StoreError).outcome,
  );

describe('group commit', () => {
  it('runs steps in order on each other, and writes those of one turn together', async () => {
    const { target, increment } = setUp();
    const calls = [increment(), increment(), increment()];
    await settle();
    expect(target.groups.map(({ size }) => size)).toEqual([1]);
    target.groups[0]!.finish();
    expect(await outcomes(calls)).toEqual([1, 2, 3]);
    expect(target.data.get('n')).toBe(3);
  });

  it('answers nobody before the disk has the group', async () => {
    const { target, increment } = setUp();
    let answered = false;
    const call = increment().then(() => {
      answered = true;
    });
    await settle();
    expect(answered).toBe(false);
    target.groups[0]!.finish();
    await call;
  });

  it('gathers the next group on top of the one being written', async () => {
    const { target, increment } = setUp();
    const first = increment();
    await settle();
    const next = [increment(), increment()];
    await settle();
    expect(target.groups).toHaveLength(1);
    target.groups[0]!.finish();
    expect(await first).toBe(1);
    await settle();
    expect(target.groups).toHaveLength(2);
    target.groups[1]!.finish();
    expect(await outcomes(next)).toEqual([2, 3]);
  });

  it('holds back even an answer that wrote nothing while what it rests on is not on the disk', async () => {
    const { target, groups, increment } = setUp();
    const first = increment();
    const read = groups.write((kv) => kv.get('n'));
    await settle();
    target.groups[0]!.finish(new StoreError('full', 'unknown'));
    expect(await outcomes([first, read])).toEqual(['unknown', 'unknown']);
    expect(await groups.write((kv) => kv.get('n'))).toBeUndefined();
  });

  it('fails the group and what was built on it, then goes on from what the disk has', async () => {
    const { target, increment } = setUp();
    const lost = increment();
    await settle();
    const built = [increment(), increment()];
    await settle();
    target.groups[0]!.finish(new StoreError('disk full', 'unknown'));
    expect(await outcomes([lost, ...built])).toEqual(['unknown', 'not-applied', 'not-applied']);
    const after = increment();
    await settle();
    target.groups[1]!.finish();
    expect(await after).toBe(1);
  });

  it('keeps a failing step from the group: the others are written', async () => {
    const { target, groups, increment } = setUp();
    const good = increment();
    const bad = groups.write((kv) => {
      kv.put('n', 99);
      throw new Error('a mistake');
    });
    const after = increment();
    await expect(bad).rejects.toThrow('a mistake');
    await settle();
    target.groups[0]!.finish();
    expect(await outcomes([good, after])).toEqual([1, 2]);
  });

  it('refuses more than a bounded number of waiting steps', async () => {
    const { target, groups, increment } = setUp();
    const first = increment();
    await settle();
    const waiting = Array.from({ length: 10_000 }, () => increment());
    await expect(increment()).rejects.toMatchObject({ outcome: 'not-applied' });
    target.groups[0]!.finish();
    await first;
    await settle();
    target.groups[1]!.finish();
    await Promise.all(waiting);
    await groups.idle();
  });
});
