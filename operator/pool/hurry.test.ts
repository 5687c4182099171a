import { describe, expect, it } from '@jest/globals';
import { leavesRest } from './hurry.ts';
import type { Plan } from './plan.ts';
import { newPoolRun } from './pool-run.ts';

const bind = { do: 'bind', name: 's', project: 'p' } as const;
const planOf = (actions: Plan['actions']): Plan => ({ actions, partial: false, isComplete: true });

describe('a pass that has bound standbys', () => {
  it.each([
    ['leaves the rest to the next one, which comes at once', planOf([bind]), true, true],
    ['does the rest where nothing else has come', planOf([bind]), false, false],
    ['does the rest where it has bound none', planOf([]), true, false],
  ])('%s', (_title, plan, hasNews, expected) => {
    const run = newPoolRun('default~pool', { namespace: 'default', name: 'pool' });
    expect(leavesRest(run, plan, hasNews, { nowMs: 0, hurryMsMax: 500 })).toBe(expected);
  });

  it('does the rest all the same when that goes on for long, and then may leave it again', () => {
    const run = newPoolRun('default~pool', { namespace: 'default', name: 'pool' });
    const at = (nowMs: number): boolean =>
      leavesRest(run, planOf([bind]), true, { nowMs, hurryMsMax: 500 });
    expect([0, 300, 499, 500, 501, 900].map(at)).toEqual([true, true, true, false, true, true]);
  });
});
