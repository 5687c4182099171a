/** What is decided while the store does not answer: what is missing is made good, nobody is let go who may own something. */
import { describe, expect, it } from '@jest/globals';
import { bound, hot, placed, ROLLING, shared, standby } from '../../test/builders/pool-builders.ts';
import { actions, create, LONG_AGO, plan, type Row, show } from '../../test/builders/plan-rows.ts';

const blind = <T extends object>(observed: T) => ({ ...observed, isBlind: true });
const HOT = { tiers: { hot: { maxInstances: 2 } } } as const;

const ROWS: readonly Row[] = [
  [
    'removes and replaces one that ended',
    { replicas: 2 },
    blind({ runtimes: [shared('a', 'exited'), shared('b', 'ready')] }),
    ['remove a Exited', ...create(1)],
  ],
  [
    'removes and replaces one whose machine is lost',
    { replicas: 1 },
    blind({ runtimes: [shared('a', 'silent')] }),
    ['remove a Silent', ...create(1)],
  ],
  [
    'removes one that its machine has not begun with',
    { replicas: 1 },
    blind({ runtimes: [placed('a', LONG_AGO)] }),
    ['remove a StartTimeout', ...create(1)],
  ],
  [
    'makes more where more are wanted',
    { replicas: 3 },
    blind({ runtimes: [shared('a', 'ready')] }),
    create(2),
  ],
  [
    'keeps those that are too many',
    { replicas: 1 },
    blind({ runtimes: [shared('a', 'ready'), shared('b', 'unready'), shared('c', 'starting')] }),
    [],
  ],
  [
    'of those that are too many lets go what runs nowhere yet',
    { replicas: 1 },
    blind({ runtimes: [shared('a', 'ready'), shared('b', 'pending')] }),
    ['drain b ScaledDown'],
  ],
  [
    'puts a mended revision in place of one that never ran, and no more than may be',
    { replicas: 2 },
    blind({ ...ROLLING, runtimes: [shared('a', 'ready', 'old'), shared('b', 'pending', 'bad')] }),
    ['drain b Replaced', ...create(2)],
  ],
  [
    'keeps the old ones though new ones were ready',
    { replicas: 2 },
    blind({
      ...ROLLING,
      runtimes: [shared('a', 'ready', 'old'), shared('b', 'ready'), shared('c', 'ready')],
    }),
    [],
  ],
  [
    'keeps the runtimes of a pool that is suspended',
    { operatingMode: 'Suspended', replicas: 1 },
    blind({ runtimes: [shared('a', 'ready'), shared('b', 'pending')] }),
    ['drain b Suspended'],
  ],
  [
    'demotes nobody, whatever is known to be HOT',
    HOT,
    blind({
      runtimes: [shared('s', 'ready'), bound('a', 'p', 'ready'), bound('b', 'q', 'unready')],
    }),
    [],
  ],
  [
    'binds no standby, and keeps it for the project that waits',
    HOT,
    blind({ runtimes: [shared('s', 'ready'), standby('a', 'ready')], hot: [hot('p')] }),
    [],
  ],
  [
    'makes a runtime for a HOT project whose own has ended',
    HOT,
    blind({ runtimes: [shared('s', 'ready'), bound('a', 'p', 'exited')], hot: [hot('p')] }),
    ['remove a Exited', ...create(1, 'dedicated')],
  ],
  [
    'makes no room by letting go for more HOT projects than there are places for',
    { tiers: { hot: { maxInstances: 1 } } },
    blind({ runtimes: [shared('s', 'ready'), bound('a', 'p', 'ready')], hot: [hot('q')] }),
    [],
  ],
];

describe('while the store does not answer', () => {
  it.each(ROWS)('%s', (_, input, seen, expected) => {
    expect(actions(input, seen)).toEqual(expected);
  });

  it('a pool that was deleted goes all the same', () => {
    const runtimes = [shared('a', 'ready'), bound('b', 'p', 'ready')];
    expect(plan({}, blind({ runtimes }), true).actions.map(show)).toEqual([
      'drain a Deleted',
      'drain b Deleted',
    ]);
  });
});
