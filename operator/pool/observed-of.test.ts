/** What a pool needs around its runtimes: how many of them its budgets are made for. */
import { describe, expect, it } from '@jest/globals';
import type { AgentPoolStatus, TierStatus } from '../../api/agent-pool.ts';
import { bound, shared, spec, standby } from '../../test/builders/pool-builders.ts';
import type { SeenRuntime } from './observed.ts';
import { refused } from '../../test/builders/plan-rows.ts';
import { needsOf } from './observed-of.ts';

const statusWith = (hot: Partial<TierStatus>): Pick<AgentPoolStatus, 'tiers'> => ({
  tiers: [{ name: 'HOT', desired: 0, ready: 0, allocated: 0, idle: 0, ...hot }],
});
const waiting = (one: SeenRuntime): SeenRuntime => ({
  ...one,
  state: { at: 'pending', problem: { reason: 'Unschedulable', message: 'no room' } },
});

describe('the dedicated runtimes that a pool should have', () => {
  it.each<
    [string, { max: number; standby: number; hot: Partial<TierStatus> }, SeenRuntime[], number]
  >([
    ['HOT projects and standbys', { max: 10, standby: 3, hot: { desired: 4 } }, [], 7],
    ['no standby where all places are taken', { max: 4, standby: 3, hot: { desired: 4 } }, [], 4],
    ['as many standbys as have a place', { max: 5, standby: 3, hot: { desired: 4 } }, [], 5],
    [
      'no more than places while runtimes are replaced',
      { max: 4, standby: 0, hot: { desired: 4, allocated: 5 } },
      [],
      4,
    ],
    [
      'of standbys only those that are ready, where no node has room for one',
      { max: 10, standby: 3, hot: { desired: 4, idle: 1 } },
      [standby('a', 'ready'), waiting(standby('b', 'pending'))],
      5,
    ],
    [
      'each standby while they start',
      { max: 10, standby: 3, hot: { desired: 4 } },
      [standby('a', 'pending')],
      7,
    ],
    [
      'each standby though another runtime waits for room',
      { max: 10, standby: 1, hot: { desired: 4 } },
      [waiting(bound('p', 'project', 'pending')), waiting(shared('s', 'pending'))],
      5,
    ],
  ])('are %s', (_, { max, standby: standbys, hot }, runtimes, expected) => {
    const wanted = spec({ tiers: { hot: { maxInstances: max, standby: standbys } } });
    const status = statusWith(hot) as AgentPoolStatus;
    expect(needsOf(wanted, status, { runtimes, refusals: new Map() })).toMatchObject({
      shared: 1,
      dedicated: expected,
    });
  });

  it('are without the standbys that a quota refuses', () => {
    const wanted = spec({ tiers: { hot: { standby: 2 } } });
    const status = statusWith({ desired: 2, idle: 1 }) as AgentPoolStatus;
    expect(needsOf(wanted, status, { runtimes: [], refusals: refused('new') }).dedicated).toBe(3);
  });
});
