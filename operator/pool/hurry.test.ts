import { describe, expect, it } from '@jest/globals';
import { restInMs } from './hurry.ts';
import type { Plan } from './plan.ts';
import { newPoolRun, type PoolRun } from './pool-run.ts';

const BIND = { do: 'bind', name: 's', project: 'p' } as const;
const REMOVE = { do: 'remove', name: 'r', why: 'Exited', incarnations: [] } as const;
const planOf = (actions: Plan['actions']): Plan => ({ actions, partial: false, isComplete: true });
const poolRun = (): PoolRun => {
  const run = newPoolRun('default~pool', { namespace: 'default', name: 'pool' }, 0);
  const { key, generation } = run;
  run.published = { key, generation, spec: {}, status: {}, revision: '' };
  return run;
};
const LIMITS = { hurryMs: 200, hurryMsMax: 500 };

describe('a pass', () => {
  it.each([
    ['leaves the rest after it has bound standbys', planOf([BIND]), 200],
    ['does the rest where it has bound none', planOf([]), 0],
    ['does the rest where more than bindings is to be done', planOf([BIND, REMOVE]), 0],
  ])('%s', (_title, plan, expected) => {
    expect(restInMs(poolRun(), plan, LIMITS, 0)).toBe(expected);
  });

  it('leaves the rest shortly after a binding, too, whatever woke it', () => {
    const run = poolRun();
    restInMs(run, planOf([BIND]), LIMITS, 0);
    const at = (nowMs: number): number => restInMs(run, planOf([]), LIMITS, nowMs);
    expect([20, 199, 200, 201].map(at)).toEqual([180, 1, 0, 0]);
  });

  it.each([
    ['the spec', { generation: 7 }],
    ['the revision', { memory: { ...poolRun().memory, served: 'r2' } }],
  ])('leaves nothing where %s has not been published', (_what, news) => {
    const run = Object.assign(poolRun(), news);
    expect(restInMs(run, planOf([BIND]), LIMITS, 0)).toBe(0);
  });

  it('begins anew where no pass has come after the last time', () => {
    const run = poolRun();
    restInMs(run, planOf([BIND]), LIMITS, 0);
    expect(restInMs(run, planOf([BIND]), LIMITS, 5_000)).toBe(200);
  });

  it('does the rest all the same when binding goes on for long, and then may leave it again', () => {
    const run = poolRun();
    const at = (nowMs: number): number => restInMs(run, planOf([BIND]), LIMITS, nowMs);
    expect([0, 150, 350, 450, 500, 510].map(at)).toEqual([200, 200, 150, 50, 0, 200]);
  });
});
