/** What is said of runtimes that do not come up in time. */
import { describe, expect, it } from '@jest/globals';
import { bound, NOW_MS, shared, spec } from '../../test/builders/pool-builders.ts';
import { learn } from './learn.ts';
import { NO_MEMORY } from './memory.ts';
import type { SeenRuntime } from './observed.ts';
import { POOL_LIMITS } from './pool-limits.ts';

const PROJECT = 'default~pool~acme~website';
const LATER_MS = NOW_MS + 120_000;
const failing = (one: SeenRuntime, problem: string): SeenRuntime => ({
  ...one,
  state: { at: 'starting', problem },
});

describe('a runtime that does not come up in time', () => {
  it.each<[string, SeenRuntime, string]>([
    [
      'with a project: both are named, with what it says itself',
      failing(bound('d', PROJECT, 'starting'), 'initialize of agent guide failed: no key'),
      'it was not ready in time with acme/website: initialize of agent guide failed: no key',
    ],
    [
      'with a project, and says nothing',
      bound('d', PROJECT, 'starting'),
      'it was not ready in time with acme/website',
    ],
    ['with no project', shared('s', 'starting'), 'it was not ready in time'],
  ])('%s', (_, runtime, message) => {
    const look = { spec: spec(), runtimes: [runtime], isBlind: false, update: 'new' };
    const seen = { ...look, hot: [], standbyResources: {}, limits: POOL_LIMITS };
    const { deaths, memory } = learn(NO_MEMORY, seen, LATER_MS);
    expect(deaths).toEqual([{ runtime, reason: 'StartTimeout', message }]);
    expect([...memory.failures.values()]).toMatchObject([{ count: 1, message }]);
  });
});
