import { describe, expect, it } from '@jest/globals';
import { hot, NOW_MS, observed, spec, standby } from '../../test/builders/pool-builders.ts';
import { hotSpec } from '../../test/builders/plan-rows.ts';
import { decide } from './decide.ts';
import type { Observed } from './observed.ts';
import type { Plan } from './plan.ts';
import { CLUSTER_POOL_LIMITS } from './pool-limits.ts';

const starting = (count: number) =>
  Array.from({ length: count }, (_, index) => standby(`s${index}`, 'starting'));

function planOf(standbys: number, seen: Partial<Observed>): Plan {
  const wanted = spec(hotSpec({ standby: standbys, maxInstances: 200 }));
  return decide({ spec: wanted, isDeleted: false }, observed(seen), CLUSTER_POOL_LIMITS, NOW_MS);
}

function createsOf(standbys: number, seen: Partial<Observed>): number {
  return planOf(standbys, seen).actions.filter((action) => action.do === 'create').length;
}

describe('standbys that nobody waits for', () => {
  it.each([
    ['of few, all', 3, 0, 3],
    ['of many, some', 20, 0, 4],
    ['of some that start, as many more', 20, 3, 1],
    ['of enough that start, none', 20, 4, 0],
    ['of very many, a part', 90, 0, 9],
  ])('start at once: %s', (_, standbys, started, creates) => {
    expect(createsOf(standbys, { runtimes: starting(started) })).toBe(creates);
  });

  it('that never come up keep others from starting for a while only', () => {
    const stuck = starting(4).map((one) => ({ ...one, state: { at: 'pending' } as const }));
    const since = (ms: number) => stuck.map((one) => ({ ...one, createdMs: NOW_MS - ms }));
    expect(createsOf(20, { runtimes: since(29_999) })).toBe(0);
    expect(createsOf(20, { runtimes: since(30_000) })).toBe(4);
    expect(planOf(20, { runtimes: since(29_000) }).wakeInMs).toBe(1_000);
  });

  it('make room for runtimes that projects wait for, which are made at once', () => {
    const waiting = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => hot(name));
    expect(createsOf(20, { hot: waiting })).toBe(6);
  });
});
