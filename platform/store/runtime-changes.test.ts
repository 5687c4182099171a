import { describe, expect, it } from '@jest/globals';
import { runtimeRecord } from '../../test/conformance/store-builders.ts';
import { concernsOthers, layOver, RuntimeReads, type RuntimeChange } from './runtime-changes.ts';
import type { RuntimeRecord } from './store.ts';

const a = runtimeRecord({ incarnation: 'a' });
const b = runtimeRecord({ incarnation: 'b' });
const lives = (record: RuntimeRecord): RuntimeChange => ({ type: 'lives', record });
const gone = (incarnation: string): RuntimeChange => ({ type: 'gone', incarnation });

describe('changes of runtimes', () => {
  it.each<[string, readonly RuntimeChange[], readonly RuntimeRecord[]]>([
    ['nothing', [], [a, b]],
    [
      'a record in place of the old one',
      [lives({ ...a, ready: false })],
      [{ ...a, ready: false }, b],
    ],
    ['the end of one', [gone('a')], [b]],
    ['the end of one that is not known', [gone('x')], [a, b]],
    ['one that went and came back', [gone('a'), lives(a)], [b, a]],
    ['one that came and went', [lives({ ...a, incarnation: 'x' }), gone('x')], [a, b]],
  ])('are laid over what is known, in order: %s', (_, changes, expected) => {
    expect(layOver([a, b], changes)).toEqual(expected);
  });

  it.each<[string, RuntimeChange, boolean]>([
    ['one that is new', lives({ ...a, incarnation: 'x' }), true],
    ['one that is ready no more', lives({ ...a, ready: false }), true],
    ['one with other agents', lives({ ...a, agents: [] }), true],
    ['the end of one', gone('a'), true],
    ['the end of one that is not known', gone('x'), false],
    ['other counts', lives({ ...a, instances: { HOT: 0, WARM: 3, COLD: 0 }, blanks: 1 }), false],
    ['nothing new', lives({ ...a }), false],
  ])('concern others than the operator, or not: %s', (_, change, expected) => {
    expect(concernsOthers([a, b], [change])).toBe(expected);
  });
});

describe('a read of runtimes', () => {
  function reading() {
    const reads = new RuntimeReads();
    const { promise, resolve, reject } = Promise.withResolvers<readonly RuntimeRecord[]>();
    const taken: (readonly RuntimeRecord[])[] = [];
    const done = reads.read(
      () => promise,
      (records) => taken.push(records),
    );
    return { reads, resolve, reject, taken, done };
  }

  it('has what was told since it was asked laid over its answer', async () => {
    const { reads, resolve, taken, done } = reading();
    reads.tell([lives({ ...a, ready: false }), gone('b')]);
    reads.tell([lives(a)]);
    resolve([b]);
    // The answer is there, but nobody has taken it.
    reads.tell([lives({ ...a, draining: true })]);
    await done;
    expect(taken).toEqual([[{ ...a, draining: true }]]);
  });

  it('keeps what was told during it for itself: the next one is asked later', async () => {
    const { reads, reject, done } = reading();
    reads.tell([gone('a')]);
    reject(new Error('away'));
    await expect(done).rejects.toThrow('away');
    await reads.read(
      async () => [a],
      (records) => expect(records).toEqual([a]),
    );
    expect.assertions(2);
  });
});
