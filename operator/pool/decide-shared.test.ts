import { describe, expect, it } from '@jest/globals';
import {
  NOW_MS,
  placed,
  ROLLING,
  shared,
  STALLED,
  standby,
  warm,
} from '../../test/builders/pool-builders.ts';
import {
  actions,
  create,
  failing,
  failures,
  LONG_AGO,
  refused,
  type Row,
} from '../../test/builders/plan-rows.ts';

/** Beside `ending`: nobody knows what became of the order. */
const IN_DOUBT = { isStuck: true } as const;

const SHARED: readonly Row[] = [
  ['creates what is missing', { replicas: 2 }, {}, create(2)],
  ['does nothing when all are there', { replicas: 1 }, { runtimes: [shared('a', 'ready')] }, []],
  [
    'waits for those that start',
    { replicas: 2 },
    { runtimes: [shared('a', 'starting'), shared('b', 'expected')] },
    [],
  ],
  ['starts at most four at once', { replicas: 9 }, {}, create(4)],
  [
    'counts starts in flight',
    { replicas: 9 },
    { runtimes: [shared('a', 'starting'), shared('b', 'expected'), shared('c', 'starting')] },
    create(1),
  ],
  [
    'does not count a runtime that ends',
    { replicas: 1 },
    { runtimes: [shared('a', 'ending')] },
    create(1),
  ],
  [
    'keeps one that is unready for a while',
    { replicas: 1 },
    { runtimes: [shared('a', 'unready')] },
    [],
  ],
  [
    'removes and replaces one that ended',
    { replicas: 1 },
    { runtimes: [shared('a', 'exited')] },
    ['remove a Exited', ...create(1)],
  ],
  [
    'removes and replaces one that fell silent',
    { replicas: 1 },
    { runtimes: [shared('a', 'silent')] },
    ['remove a Silent', ...create(1)],
  ],
  [
    'gives up one that never becomes ready',
    { replicas: 1 },
    { runtimes: [shared('a', 'starting', 'new', { createdMs: LONG_AGO })] },
    ['remove a StartTimeout', ...create(1)],
  ],
  [
    'gives up one that its machine has not begun with',
    { replicas: 1 },
    {
      runtimes: [placed('a', NOW_MS)],
    },
    ['remove a StartTimeout', ...create(1)],
  ],
  [
    'waits for a machine that still has time to begin',
    { replicas: 1 },
    {
      runtimes: [placed('a', NOW_MS + 1)],
    },
    [],
  ],
  [
    'drains the emptiest when fewer are wanted',
    { replicas: 1 },
    {
      runtimes: [
        shared('a', 'ready', 'new', { instances: warm(3) }),
        shared('b', 'ready', 'new', { instances: warm(1) }),
      ],
    },
    ['drain b ScaledDown'],
  ],
  [
    'drains one that is not ready before one that is',
    { replicas: 1 },
    { runtimes: [shared('a', 'ready'), shared('b', 'starting')] },
    ['drain b ScaledDown'],
  ],
  [
    'drains one that no list shows before one that starts',
    { replicas: 1 },
    {
      runtimes: [
        shared('a', 'expected', 'new', { createdMs: NOW_MS - 2_000 }),
        shared('b', 'starting', 'new', { createdMs: NOW_MS - 1_000 }),
      ],
    },
    ['drain a ScaledDown'],
  ],
  [
    'drains all at replicas 0',
    { replicas: 0 },
    { runtimes: [shared('a', 'ready')] },
    ['drain a ScaledDown'],
  ],
  [
    'drains all when suspended',
    { operatingMode: 'Suspended' },
    { runtimes: [shared('a', 'ready'), standby('s', 'starting'), shared('x', 'exited')] },
    ['remove x Exited', 'drain a Suspended', 'drain s Suspended'],
  ],
  [
    'while nobody knows whether one ends: makes none in its place',
    { replicas: 2 },
    { runtimes: [shared('a', 'ending', 'new', IN_DOUBT), shared('b', 'ready')] },
    [],
  ],
  [
    'while nobody knows whether two end: lets no others go for them',
    { replicas: 2 },
    {
      runtimes: [
        shared('a', 'ending', 'new', IN_DOUBT),
        shared('b', 'ending', 'new', IN_DOUBT),
        shared('c', 'ready'),
        shared('d', 'ready'),
      ],
    },
    [],
  ],
  [
    'while nobody knows whether one ends that had not started: counts it as a start',
    { replicas: 9 },
    { runtimes: [shared('a', 'ending', 'new', { ...IN_DOUBT, incarnations: [] })] },
    create(3),
  ],
  [
    'one that would not end counts, and others go',
    { replicas: 1 },
    { runtimes: [shared('a', 'ready', 'new', { isStuck: true }), shared('b', 'ready')] },
    ['drain b ScaledDown'],
  ],
  [
    'waits after the second failure in a row',
    { replicas: 1 },
    { failures: failing(failures(2, 100)) },
    [],
  ],
  [
    'starts at once after the first failure',
    { replicas: 1 },
    { failures: failing(failures(1, 0)) },
    create(1),
  ],
  [
    'starts again after its backoff',
    { replicas: 1 },
    { failures: failing(failures(2, 300)) },
    create(1),
  ],
  [
    'waits long when many starts in a row failed',
    { replicas: 1 },
    { failures: failing(failures(9, 5_000)) },
    [],
  ],
  [
    'does not wait long for what had served, however often it ended',
    { replicas: 1 },
    { failures: failing({ ...failures(9, 1_001), hadServed: true }) },
    create(1),
  ],
  [
    'waits longer for a module that does not load',
    { replicas: 1 },
    { failures: failing(failures(1, 9_000, 'AgentModuleInvalid')) },
    [],
  ],
  [
    'starts nothing while no module ever loaded',
    { replicas: 1 },
    { update: undefined as never },
    [],
  ],
];

const ROLLOUT: readonly Row[] = [
  [
    'starts a new one before an old one goes',
    { replicas: 1 },
    { ...ROLLING, runtimes: [shared('o', 'ready', 'old')] },
    create(1),
  ],
  [
    'keeps the old one while the new one starts',
    { replicas: 1 },
    { ...ROLLING, runtimes: [shared('o', 'ready', 'old'), shared('n', 'starting')] },
    [],
  ],
  [
    'drains the old one when the new one is ready',
    { replicas: 1 },
    { ...ROLLING, runtimes: [shared('o', 'ready', 'old'), shared('n', 'ready')] },
    ['drain o Replaced'],
  ],
  [
    'replaces three one by one',
    { replicas: 3 },
    {
      ...ROLLING,
      runtimes: [
        shared('o', 'ready', 'old'),
        shared('p', 'ready', 'old', { instances: warm(1) }),
        shared('q', 'ready', 'old'),
        shared('n', 'ready'),
      ],
    },
    ['drain o Replaced', ...create(1)],
  ],
  [
    'while nobody knows whether an old one ends: lets no other go, and makes none',
    { replicas: 3 },
    {
      ...ROLLING,
      runtimes: [
        shared('o', 'ending', 'old', IN_DOUBT),
        shared('p', 'ready', 'old'),
        shared('q', 'ready', 'old'),
        shared('n', 'ready'),
      ],
    },
    [],
  ],
  [
    'keeps to maxSurge',
    { replicas: 3, updateStrategy: { maxSurge: 2 } },
    {
      ...ROLLING,
      runtimes: [
        shared('o', 'ready', 'old'),
        shared('p', 'ready', 'old'),
        shared('q', 'ready', 'old'),
      ],
    },
    create(2),
  ],
  [
    'without surge drains first',
    { replicas: 2, updateStrategy: { maxSurge: 0, maxUnavailable: 1 } },
    {
      ...ROLLING,
      runtimes: [shared('o', 'ready', 'old'), shared('p', 'ready', 'old', { instances: warm(2) })],
    },
    ['drain o Replaced', ...create(1)],
  ],
  [
    'without surge waits while one is missing',
    { replicas: 2, updateStrategy: { maxSurge: 0, maxUnavailable: 1 } },
    { ...ROLLING, runtimes: [shared('p', 'ready', 'old'), shared('n', 'starting')] },
    [],
  ],
  [
    'lets go at once an old one that never served',
    { replicas: 1 },
    {
      ...ROLLING,
      runtimes: [
        shared('o', 'starting', 'old'),
        shared('p', 'ready', 'old'),
        shared('n', 'starting'),
      ],
    },
    ['drain o Replaced'],
  ],
  [
    'keeps an old one that is unready while nothing else serves',
    { replicas: 1 },
    { ...ROLLING, runtimes: [shared('o', 'unready', 'old'), shared('n', 'starting')] },
    [],
  ],
  [
    'replaces a dead old one by a new one',
    { replicas: 1 },
    { ...ROLLING, runtimes: [shared('o', 'exited', 'old')] },
    ['remove o Exited', ...create(1)],
  ],
  [
    'stalled: leaves good ones alone, and tries a new one beside them',
    { replicas: 1 },
    { ...STALLED, runtimes: [shared('o', 'ready', 'old')] },
    create(1),
  ],
  [
    'stalled: waits before the next try',
    { replicas: 1 },
    {
      ...STALLED,
      runtimes: [shared('o', 'ready', 'old')],
      failures: failing(failures(20, 299_000)),
    },
    [],
  ],
  [
    'stalled: tries again at last',
    { replicas: 1 },
    {
      ...STALLED,
      runtimes: [shared('o', 'ready', 'old')],
      failures: failing(failures(20, 300_000)),
    },
    create(1),
  ],
  [
    'stalled without surge: tries nothing',
    { replicas: 1, updateStrategy: { maxSurge: 0, maxUnavailable: 1 } },
    { ...STALLED, runtimes: [shared('o', 'ready', 'old')] },
    [],
  ],
  [
    'stalled: tries one at a time',
    { replicas: 1, updateStrategy: { maxSurge: 2 } },
    {
      ...STALLED,
      runtimes: [shared('o', 'ready', 'old'), shared('m', 'pending'), shared('n', 'starting')],
    },
    ['drain n ScaledDown'],
  ],
  [
    'stalled: replaces a dead good one by its like',
    { replicas: 2 },
    { ...STALLED, runtimes: [shared('o', 'ready', 'old')] },
    create(1, 'shared', 'old'),
  ],
  [
    'stalled, and good ones are refused: tries a new one, and that first',
    { replicas: 2 },
    { ...STALLED, runtimes: [shared('o', 'ready', 'old')], refusals: refused('old') },
    [...create(1), ...create(1, 'shared', 'old')],
  ],
  [
    'stalled, and good ones are refused: tries a new one though none is left',
    { replicas: 1 },
    { ...STALLED, refusals: refused('old') },
    [...create(1), ...create(1, 'shared', 'old')],
  ],
  [
    'stalled, and good ones are refused: tries one at a time',
    { replicas: 2 },
    {
      ...STALLED,
      runtimes: [shared('o', 'ready', 'old'), shared('n', 'starting')],
      refusals: refused('old'),
    },
    create(1, 'shared', 'old'),
  ],
  [
    'stalled, and both are refused: each waits for its own next try',
    { replicas: 2 },
    {
      ...STALLED,
      runtimes: [shared('o', 'ready', 'old')],
      refusals: new Map([...refused('old'), ...refused('new', 3, 3_999)]),
    },
    create(1, 'shared', 'old'),
  ],
  [
    'stalled, and new ones are refused: makes the good ones first',
    { replicas: 2 },
    { ...STALLED, runtimes: [shared('o', 'ready', 'old')], refusals: refused('new') },
    create(1, 'shared', 'old'),
  ],
  [
    'stalled: makes none in the place of a good one that may end',
    { replicas: 2 },
    {
      ...STALLED,
      runtimes: [shared('o', 'ready', 'old'), shared('p', 'ending', 'old', IN_DOUBT)],
    },
    [],
  ],
  [
    'stalled: waits for a new one that starts, or is kept from it',
    { replicas: 1 },
    { ...STALLED, runtimes: [shared('o', 'ready', 'old'), shared('n', 'pending')] },
    [],
  ],
  [
    'stalled half-way: goes on with the revision that did come up',
    { replicas: 2 },
    {
      ...STALLED,
      rollout: { ...STALLED.rollout, readyCount: 1 },
      runtimes: [shared('n', 'ready')],
    },
    create(1),
  ],
  [
    'stalled half-way: tries one more',
    { replicas: 2 },
    {
      ...STALLED,
      rollout: { ...STALLED.rollout, readyCount: 1 },
      runtimes: [shared('n', 'ready'), shared('o', 'ready', 'old')],
    },
    create(1),
  ],
  [
    'stalled half-way: keeps one that came up just now',
    { replicas: 2 },
    {
      ...STALLED,
      rollout: { ...STALLED.rollout, readyCount: 1 },
      runtimes: [
        shared('n', 'ready', 'new', { instances: warm(1) }),
        shared('o', 'ready', 'old', { instances: warm(1) }),
        { ...shared('t', 'ready'), state: { at: 'ready', sinceMs: NOW_MS - 1_000 } },
      ],
    },
    [],
  ],
  [
    'stalled half-way: one that starts in the place of a lost one is a try, too',
    { replicas: 2 },
    {
      ...STALLED,
      rollout: { ...STALLED.rollout, readyCount: 1 },
      runtimes: [shared('n', 'starting'), shared('o', 'ready', 'old')],
    },
    [],
  ],
  [
    'stalled from the start: tries again',
    { replicas: 1 },
    {
      rollout: {
        at: 'stalled',
        to: 'new',
        sinceMs: 0,
        readyCount: 0,
        why: 'RuntimeCrashLooping',
        message: '',
      },
    },
    create(1),
  ],
  [
    'scaled down while it rolls',
    { replicas: 1 },
    {
      ...ROLLING,
      runtimes: [shared('o', 'ready', 'old'), shared('p', 'ready', 'old'), shared('n', 'ready')],
    },
    ['drain o Replaced', 'drain p Replaced'],
  ],
];

describe('decide', () => {
  describe('shared runtimes', () => {
    it.each(SHARED)('%s', (_title, wanted, seen, expected) => {
      expect(actions(wanted, seen)).toEqual(expected);
    });
  });

  describe('a roll-out', () => {
    it.each(ROLLOUT)('%s', (_title, wanted, seen, expected) => {
      expect(actions(wanted, seen)).toEqual(expected);
    });
  });
});
