/** Which runtimes that the store does not hear of are given up, and when. */
import { describe, expect, it } from '@jest/globals';
import { NOW_MS, observed, shared, spec, standby } from '../../test/builders/pool-builders.ts';
import { failing, failures, plan, refused } from '../../test/builders/plan-rows.ts';
import { learn } from './learn.ts';
import { lostRuntimes } from './lost-runtimes.ts';
import { NO_MEMORY } from './memory.ts';
import type { Observed, SeenRuntime } from './observed.ts';
import { POOL_LIMITS } from './pool-limits.ts';

const unheard = (name: string, forMs = 30_000, at: 'unready' | 'starting' = 'unready') =>
  shared(name, at, 'new', { incarnations: [], unheardSinceMs: NOW_MS - forMs });
const unseen = (name: string, forMs = 5_000) => ({ ...unheard(name, forMs), isUnseen: true });
const ready = shared('r', 'ready');

const rows: readonly (readonly [string, Partial<Observed>, readonly string[]])[] = [
  ['one that was ready, after 30 s', { runtimes: [unheard('a'), ready] }, ['a']],
  ['not sooner', { runtimes: [unheard('a', 29_999), ready] }, []],
  ['not one that is heard of, and not ready', { runtimes: [shared('a', 'unready'), ready] }, []],
  [
    'not one that starts: its own time counts',
    { runtimes: [unheard('a', 60_000, 'starting'), ready] },
    [],
  ],
  [
    'all, where another one is ready',
    { runtimes: [unheard('a'), unheard('b'), ready] },
    ['a', 'b'],
  ],
  ['one, where none is ready', { runtimes: [unheard('a'), unheard('b')] }, ['a']],
  [
    'none while its successor starts',
    { runtimes: [unheard('b'), unheard('c'), shared('d', 'starting')] },
    [],
  ],
  [
    'none while a successor waits for a node',
    { runtimes: [unheard('b'), standby('d', 'pending')] },
    [],
  ],
  [
    'none while successors end',
    { runtimes: [unheard('b')], failures: failing(failures(1, 0)) },
    [],
  ],
  [
    'one whose machine does not answer either, after 5 s',
    { runtimes: [unseen('a'), unseen('b', 4_999), ready] },
    ['a'],
  ],
  ['all of them, though none is ready', { runtimes: [unseen('a'), unseen('b')] }, ['a', 'b']],
  [
    'not one that is heard of, whatever its machine does',
    { runtimes: [{ ...shared('a', 'ready'), isUnseen: true }] },
    [],
  ],
  ['none while a successor is refused', { runtimes: [unheard('b')], refusals: refused('new') }, []],
];

describe('runtimes that are not heard of', () => {
  it.each(rows)('%s', (_title, seen, expected) => {
    expect([...lostRuntimes(observed(seen), POOL_LIMITS, NOW_MS)]).toEqual(expected);
  });

  const look = (runtimes: readonly SeenRuntime[]) => ({
    ...{
      spec: spec(),
      runtimes,
      isBlind: false,
      update: 'new',
      hot: [],
      standbyResources: {},
      limits: POOL_LIMITS,
    },
  });
  const before = { ...NO_MEMORY, readySinceMs: new Map([['a', NOW_MS - 90_000]]) };

  it('are looked at again when their time is over', () => {
    const { wakeInMs, actions } = plan(
      { replicas: 2 },
      { runtimes: [unheard('a', 10_000), ready] },
    );
    expect([actions, wakeInMs]).toEqual([[], 20_000]);
  });

  it('are told once, as one that had served', () => {
    const seen = look([unheard('a'), ready]);
    const { deaths, memory } = learn(before, seen, NOW_MS);
    expect(deaths).toMatchObject([{ runtime: { name: 'a' }, reason: 'Silent', servedMs: 90_000 }]);
    expect(memory.failures.size).toBe(0);
    expect(learn(memory, seen, NOW_MS + 1).deaths).toEqual([]);
  });

  it('are told again when they came back between', () => {
    const { memory } = learn(before, look([unheard('a'), ready]), NOW_MS);
    const back = learn(memory, look([shared('a', 'ready'), ready]), NOW_MS + 1);
    const again = look([unheard('a'), ready]);
    expect(learn(back.memory, again, NOW_MS + 60_000).deaths).toHaveLength(1);
  });
});
