import { expect, it } from '@jest/globals';
import { NONE_IN_ANY_TIER } from '../../core/tier.ts';
import type { RuntimeChange, RuntimeRecord } from '../../platform/store/store.ts';
import { newsDelayMs } from './news-delay.ts';
import type { PoolRun } from './pool-run.ts';
import { NOTHING_TOLD } from './told.ts';

const LIMITS = { gatherMs: 50, hurryMs: 200, countsMs: 1_000 };
const record: RuntimeRecord = {
  ...{ incarnation: 'a.1', name: 'a', pool: 'default~pool', address: '', role: 'shared' },
  ...{ revision: 'new', protocolMin: 1, protocolMax: 1, maxConcurrentTasks: 1, agents: [] },
  ...{ ready: true, draining: false, instances: NONE_IN_ANY_TIER, blanks: 0 },
};
const says = (over: Partial<RuntimeRecord>): readonly RuntimeChange[] => [
  { type: 'lives', record: { ...record, ...over } },
];
const known = { hurry: undefined, told: { ...NOTHING_TOLD, members: [record] } };
const hurry = { sinceMs: 0, untilMs: 200 };
type Run = Pick<PoolRun, 'hurry' | 'told'>;

const ROWS: readonly [string, number, Run | undefined, readonly RuntimeChange[] | undefined][] = [
  ['soon, what is not told in full', 50, known, undefined],
  ['soon, of a pool that was not looked at yet', 50, undefined, says({})],
  ['soon, that a runtime drains', 50, known, says({ draining: true })],
  ['soon, that one is gone', 50, known, [{ type: 'gone', incarnation: 'a.1' }]],
  ['later, while projects move in', 200, { ...known, hurry }, says({ draining: true })],
  ['late, how many instances there are', 1_000, known, says({ blanks: 2 })],
  ['late, the same while projects move in', 1_000, { ...known, hurry }, says({ blanks: 2 })],
];
it.each(ROWS)('looks %s', (_title, delayMs, run, changes) => {
  expect(newsDelayMs(run, changes, LIMITS)).toBe(delayMs);
});

it('looks at once where nothing is gathered', () => {
  expect(newsDelayMs(known, says({ blanks: 2 }), { ...LIMITS, gatherMs: 0 })).toBe(0);
});
