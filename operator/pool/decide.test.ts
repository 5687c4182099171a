import { describe, expect, it } from '@jest/globals';
import type { AgentPoolSpecInput } from '../../api/agent-pool.ts';
import {
  bound,
  hot,
  NOW_MS,
  placed,
  ROLLING,
  shared,
  standby,
} from '../../test/builders/pool-builders.ts';
import {
  failing,
  failingProject,
  failures,
  hotSpec,
  plan,
  show,
} from '../../test/builders/plan-rows.ts';
import type { Observed } from './observed.ts';

describe('decide', () => {
  it('drains everything of a deleted pool and makes nothing', () => {
    const seen = {
      hot: [hot('p')],
      runtimes: [shared('a', 'ready'), bound('b', 'q', 'ready'), standby('s', 'ending')],
    };
    expect(plan({ replicas: 5 }, seen, true).actions.map(show)).toEqual([
      'drain a Deleted',
      'drain b Deleted',
    ]);
  });

  it('gives a drain the time of the longest task and some more', () => {
    const { actions } = plan(
      { replicas: 0, limits: { taskTimeoutSeconds: 10 } },
      { runtimes: [shared('a', 'ready')] },
    );
    expect(actions).toEqual([{ do: 'drain', name: 'a', withinMs: 25_000, why: 'ScaledDown' }]);
  });

  it.each([
    ['one that starts', shared('a', 'starting'), false, 5_000],
    ['one whose pod waits', shared('a', 'pending'), false, 5_000],
    ['a standby that starts', standby('a', 'starting'), false, 5_000],
    ['a standby that is ready', standby('a', 'ready'), false, 25_000],
    [
      'one that has its project, and is not ready for it yet',
      bound('a', 'p', 'starting'),
      false,
      25_000,
    ],
    ['one that is not ready any more', shared('a', 'unready'), false, 25_000],
    ['one of which nobody can say whether it serves', shared('a', 'starting'), true, 25_000],
    [
      'one that may serve and was not heard yet',
      { ...shared('a', 'starting'), mayServe: true as const },
      false,
      25_000,
    ],
  ])('gives %s time to drain as it may have work', (_title, one, isBlind, withinMs) => {
    const spec = { limits: { taskTimeoutSeconds: 10 } };
    const { actions } = plan(spec, { runtimes: [one], isBlind }, true);
    expect(actions).toEqual([{ do: 'drain', name: 'a', withinMs, why: 'Deleted' }]);
  });

  it('says that there is more to do than it may do at once', () => {
    expect(plan({ replicas: 5 }, {}).partial).toBe(true);
    expect(plan({ replicas: 4 }, {}).partial).toBe(false);
  });

  it.each([
    ['at the end of a backoff', { replicas: 1 }, { failures: failing(failures(3, 100)) }, 400],
    [
      'at the end of a project’s backoff',
      hotSpec({}),
      { hot: [hot('p')], failures: failingProject(failures(2, 50), 'p') },
      200,
    ],
    [
      'when a start takes too long',
      { replicas: 1 },
      { runtimes: [shared('a', 'starting')] },
      69_000,
    ],
    [
      'when a machine must have begun with a start',
      { replicas: 1 },
      {
        runtimes: [placed('a', NOW_MS + 9_000)],
      },
      9_000,
    ],
    [
      'when a roll-out takes too long',
      { replicas: 1 },
      { ...ROLLING, runtimes: [shared('o', 'ready', 'old'), shared('n', 'ready')] },
      600_000,
    ],
    ['when a tier override ends', { replicas: 0 }, { nextTierChangeInMs: 5_000 }, 5_000],
    [
      'while a demoted project is not released',
      hotSpec({}),
      { runtimes: [bound('b', 'p', 'ready', { isServing: true })] },
      250,
    ],
    [
      'when what a runtime took is to be written down',
      hotSpec({ standby: 0 }),
      {
        hot: [hot('p')],
        runtimes: [
          {
            ...bound('b', 'p', 'ready'),
            binding: { project: 'p', sinceMs: NOW_MS - 300, isUnmarked: true },
          },
        ],
      },
      700,
    ],
    [
      'never, when all is as it should be',
      { replicas: 1 },
      { runtimes: [shared('a', 'ready')] },
      undefined,
    ],
  ] satisfies readonly (readonly [
    string,
    AgentPoolSpecInput,
    Partial<Observed>,
    number | undefined,
  ])[])('looks again %s', (_title, wanted, seen, wakeInMs) => {
    expect(plan(wanted, seen).wakeInMs).toBe(wakeInMs);
  });
});
