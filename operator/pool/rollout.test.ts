import { describe, expect, it } from '@jest/globals';
import type { Failures, Rollout } from './observed.ts';
import { moveRollout, type RolloutView } from './rollout.ts';

const NOW_MS = 100_000;
const view = (over: Partial<RolloutView> = {}): RolloutView => ({
  update: 'new',
  readyCount: 0,
  isComplete: false,
  isIdle: false,
  failures: undefined,
  isCrashLooping: false,
  progressDeadlineMs: 60_000,
  ...over,
});
const rolling = (over: Partial<Extract<Rollout, { at: 'rolling' }>> = {}): Rollout => ({
  at: 'rolling',
  from: 'old',
  to: 'new',
  progressMs: NOW_MS - 10_000,
  readyCount: 0,
  ...over,
});
const stalled = (over: Partial<Extract<Rollout, { at: 'stalled' }>> = {}): Rollout => ({
  at: 'stalled',
  from: 'old',
  to: 'new',
  sinceMs: NOW_MS - 20_000,
  readyCount: 0,
  why: 'ProgressDeadline',
  message: 'm',
  ...over,
});
const failed = (reason: Failures['reason']): Pick<Failures, 'reason' | 'message'> => ({
  reason,
  message: 'm',
});

type Row = readonly [
  title: string,
  before: Rollout | undefined,
  seen: Partial<RolloutView>,
  after: Partial<Rollout>,
];

const ROWS: readonly Row[] = [
  [
    'the first revision rolls from nothing',
    undefined,
    {},
    { at: 'rolling', to: 'new', progressMs: NOW_MS },
  ],
  [
    'all is there from the start',
    undefined,
    { isComplete: true },
    { at: 'settled', revision: 'new' },
  ],
  [
    'settled stays settled, also while one is replaced',
    { at: 'settled', revision: 'new' },
    {},
    { at: 'settled', revision: 'new' },
  ],
  [
    'a changed revision rolls',
    { at: 'settled', revision: 'old' },
    {},
    { at: 'rolling', from: 'old', to: 'new', progressMs: NOW_MS },
  ],
  [
    'what settled while nothing was wanted stays so',
    { at: 'settled', revision: 'new' },
    { good: 'old', isIdle: true, isComplete: true },
    { at: 'settled', revision: 'new' },
  ],
  [
    'and is tried as soon as something is wanted',
    { at: 'settled', revision: 'new' },
    { good: 'old' },
    { at: 'rolling', from: 'old', to: 'new', progressMs: NOW_MS },
  ],
  [
    'a changed revision rolls from what last was ready',
    { at: 'settled', revision: 'never' },
    { good: 'old' },
    { at: 'rolling', from: 'old', to: 'new' },
  ],
  ['waits', rolling(), {}, { at: 'rolling', progressMs: NOW_MS - 10_000 }],
  [
    'progress starts the time anew',
    rolling(),
    { readyCount: 1 },
    { at: 'rolling', progressMs: NOW_MS, readyCount: 1 },
  ],
  [
    'one less ready is no progress',
    rolling({ readyCount: 2 }),
    { readyCount: 1 },
    { at: 'rolling', progressMs: NOW_MS - 10_000, readyCount: 2 },
  ],
  [
    'complete',
    rolling({ readyCount: 1 }),
    { readyCount: 2, isComplete: true },
    { at: 'settled', revision: 'new' },
  ],
  [
    'no progress in time',
    rolling({ progressMs: NOW_MS - 60_000 }),
    {},
    {
      at: 'stalled',
      from: 'old',
      why: 'ProgressDeadline',
      message: 'no runtime became ready within 60 s',
    },
  ],
  [
    'a module that does not load',
    rolling(),
    { failures: failed('AgentModuleInvalid') },
    { at: 'stalled', why: 'AgentModuleInvalid' },
  ],
  ['a crash is not enough', rolling(), { failures: failed('Crashed') }, { at: 'rolling' }],
  [
    'crashes again and again',
    rolling(),
    { failures: failed('Crashed'), isCrashLooping: true },
    { at: 'stalled', why: 'RuntimeCrashLooping' },
  ],
  ['stalled stays stalled', stalled(), { failures: failed('Crashed') }, { at: 'stalled' }],
  [
    'one that came up after the stall, and stays',
    stalled(),
    { readyCount: 1, stableSinceMs: NOW_MS - 5_000 },
    { at: 'rolling', from: 'old', readyCount: 1 },
  ],
  ['one that came up just now may end soon', stalled(), { readyCount: 1 }, { at: 'stalled' }],
  [
    'one that had come up before proves nothing',
    stalled({ readyCount: 1 }),
    { readyCount: 1, stableSinceMs: NOW_MS - 20_000 },
    { at: 'stalled' },
  ],
  [
    'one that came up, and others that still crash',
    stalled(),
    {
      readyCount: 1,
      stableSinceMs: NOW_MS - 5_000,
      failures: failed('Crashed'),
      isCrashLooping: true,
    },
    { at: 'stalled', why: 'RuntimeCrashLooping', readyCount: 0 },
  ],
  [
    'stalled, then complete',
    stalled(),
    { readyCount: 1, isComplete: true },
    { at: 'settled', revision: 'new' },
  ],
  [
    'corrected while stalled: from what served last',
    stalled({ to: 'bad' }),
    {},
    { at: 'rolling', from: 'old', to: 'new' },
  ],
  [
    'corrected while stalled half-way: from what was half there',
    stalled({ to: 'half', readyCount: 1 }),
    {},
    { at: 'rolling', from: 'half', to: 'new' },
  ],
  [
    'changed again while it rolls',
    rolling({ to: 'mid' }),
    {},
    { at: 'rolling', from: 'old', to: 'new' },
  ],
];

describe('a roll-out', () => {
  it.each(ROWS)('%s', (_title, before, seen, after) => {
    expect(moveRollout(before, view(seen), NOW_MS)).toMatchObject(after);
  });

  it('never goes back to a revision that never served', () => {
    const bad = { at: 'rolling', to: 'bad', progressMs: NOW_MS, readyCount: 0 } as const;
    expect(moveRollout(bad, view(), NOW_MS)).toEqual({ ...bad, to: 'new' });
  });
});
