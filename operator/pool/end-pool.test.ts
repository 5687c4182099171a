/** How long a deleted pool is held for the tasks of its runtimes. */
import { describe, expect, it } from '@jest/globals';
import { NOW_MS, observed, shared, spec } from '../../test/builders/pool-builders.ts';
import { isDraining } from './end-pool.ts';
import type { SeenRuntime } from './observed.ts';
import { POOL_LIMITS } from './pool-limits.ts';

describe('a pool that is being deleted', () => {
  const busy = shared('a', 'ending');
  it.each<[string, boolean, number | undefined, readonly SeenRuntime[]]>([
    ['has the time of its tasks, though its projects should be erased by then', true, 614, [busy]],
    ['no longer than that', false, 615, [busy]],
    ['none, where its runtimes are gone', false, 301, []],
    ['none, where they have ended', false, 301, [shared('a', 'exited')]],
    ['none, where nobody deletes it', false, undefined, [busy]],
  ])('%s', (_, expected, heldSeconds, runtimes) => {
    const run = {
      goingSinceMs: heldSeconds === undefined ? undefined : NOW_MS - heldSeconds * 1_000,
      observed: observed({ runtimes }),
      spec: spec({ limits: { taskTimeoutSeconds: 600 } }),
    };
    expect(isDraining(run, POOL_LIMITS, NOW_MS)).toBe(expected);
  });
});
