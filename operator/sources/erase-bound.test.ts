import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { ERASE_MS_MAX, EraseBound } from './erase-bound.ts';
import { ERASE_FINALISER } from './pool-writer.ts';

const MINUTE_MS = 60_000;

interface Case {
  readonly heldMs?: number;
  readonly triedMs: number;
  readonly seenMs?: number;
  readonly finalizers?: string[];
}

describe('the bound of a finaliser', () => {
  it.each<[string, boolean, Case]>([
    ['a pool that nobody deletes', false, { triedMs: ERASE_MS_MAX }],
    [
      'one that is not held by us',
      false,
      { heldMs: ERASE_MS_MAX, triedMs: ERASE_MS_MAX, finalizers: ['foregroundDeletion'] },
    ],
    ['one that was deleted just now', false, { heldMs: MINUTE_MS, triedMs: ERASE_MS_MAX }],
    ['one that has been held long enough', true, { heldMs: ERASE_MS_MAX, triedMs: ERASE_MS_MAX }],
    [
      'one that was deleted long before this operator began',
      false,
      { heldMs: 2 * ERASE_MS_MAX, triedMs: MINUTE_MS - 1 },
    ],
    ['the same, after a minute', true, { heldMs: 2 * ERASE_MS_MAX, triedMs: MINUTE_MS }],
    [
      'the same, in a namespace that was out of sight until a moment ago',
      false,
      { heldMs: 2 * ERASE_MS_MAX, triedMs: ERASE_MS_MAX, seenMs: MINUTE_MS - 1 },
    ],
    [
      'the same, in sight for a minute',
      true,
      { heldMs: 2 * ERASE_MS_MAX, triedMs: ERASE_MS_MAX, seenMs: MINUTE_MS },
    ],
  ])(
    'for %s: over %s',
    async (_what, isOver, { heldMs, triedMs, seenMs, finalizers = [ERASE_FINALISER] }) => {
      const clock = new FakeClock();
      const bound = new EraseBound(clock);
      await clock.advance(triedMs);
      const deletion =
        heldMs === undefined
          ? {}
          : { deletionTimestamp: new Date(clock.wallMs() - heldMs).toISOString() };
      const seenSinceMs = seenMs === undefined ? undefined : clock.nowMs() - seenMs;
      expect(bound.isOver({ finalizers, ...deletion }, seenSinceMs)).toBe(isOver);
    },
  );

  it('may be shorter than a minute', async () => {
    const clock = new FakeClock();
    const bound = new EraseBound(clock, 1_000);
    const deletionTimestamp = new Date(clock.wallMs()).toISOString();
    await clock.advance(1_000);
    expect(bound.isOver({ finalizers: [ERASE_FINALISER], deletionTimestamp })).toBe(true);
  });
});
