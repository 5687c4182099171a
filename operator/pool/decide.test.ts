/** The operator's thinking as tables: what is seen, and what is done about it in one line of text. */
import { describe, expect, it } from '@jest/globals';
import type { AgentPoolSpecInput } from '../../api/agent-pool.ts';
import {
  bound,
  hot,
  NOW_MS,
  observed,
  ROLLING,
  shared,
  spec,
  STALLED,
  standby,
} from '../../test/builders/pool-builders.ts';
import { decide } from './decide.ts';
import type { Observed } from './observed.ts';
import type { Action, Plan } from './plan.ts';
import { POOL_LIMITS } from './pool-limits.ts';

type Row = readonly [
  title: string,
  wanted: AgentPoolSpecInput,
  seen: Partial<Observed>,
  actions: readonly string[],
];

function show(action: Action): string {
  switch (action.do) {
    case 'create': {
      const { memoryMb } = action.resources;
      return `create ${action.role} ${action.revision}${memoryMb === undefined ? '' : ` ${memoryMb}`}`;
    }
    case 'bind':
      return `bind ${action.name} ${action.project}`;
    case 'drain':
      return `drain ${action.name} ${action.why}`;
    case 'remove':
      return `remove ${action.name} ${action.why}`;
  }
}

function plan(wanted: AgentPoolSpecInput, seen: Partial<Observed>, isDeleted = false): Plan {
  return decide({ spec: spec(wanted), isDeleted }, observed(seen), POOL_LIMITS, NOW_MS);
}

const LONG_AGO = NOW_MS - 71_000;
const failures = (
  count: number,
  agoMs: number,
  reason: 'Crashed' | 'AgentModuleInvalid' = 'Crashed',
) => ({
  count,
  lastMs: NOW_MS - agoMs,
  reason,
  message: 'exited with code 1',
});
const hotSpec = (fields: object): AgentPoolSpecInput => ({ replicas: 0, tiers: { hot: fields } });
const create = (count: number, role = 'shared', revision = 'new'): string[] =>
  Array.from({ length: count }, () => `create ${role} ${revision}`);

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
    'drains the emptiest when fewer are wanted',
    { replicas: 1 },
    {
      runtimes: [
        shared('a', 'ready', 'new', { instances: 3 }),
        shared('b', 'ready', 'new', { instances: 1 }),
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
    'waits after the second failure in a row',
    { replicas: 1 },
    { failuresByRevision: new Map([['new', failures(2, 100)]]) },
    [],
  ],
  [
    'starts at once after the first failure',
    { replicas: 1 },
    { failuresByRevision: new Map([['new', failures(1, 0)]]) },
    create(1),
  ],
  [
    'starts again after its backoff',
    { replicas: 1 },
    { failuresByRevision: new Map([['new', failures(2, 300)]]) },
    create(1),
  ],
  [
    'waits longer for a module that does not load',
    { replicas: 1 },
    { failuresByRevision: new Map([['new', failures(1, 9_000, 'AgentModuleInvalid')]]) },
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
        shared('p', 'ready', 'old', { instances: 1 }),
        shared('q', 'ready', 'old'),
        shared('n', 'ready'),
      ],
    },
    ['drain o Replaced', ...create(1)],
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
      runtimes: [shared('o', 'ready', 'old'), shared('p', 'ready', 'old', { instances: 2 })],
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
    'stalled: leaves good ones alone',
    { replicas: 1 },
    { ...STALLED, runtimes: [shared('o', 'ready', 'old')] },
    [],
  ],
  [
    'stalled: replaces a dead good one by its like',
    { replicas: 2 },
    { ...STALLED, runtimes: [shared('o', 'ready', 'old')] },
    create(1, 'shared', 'old'),
  ],
  [
    'stalled: lets a hanging new one go',
    { replicas: 1 },
    { ...STALLED, runtimes: [shared('o', 'ready', 'old'), shared('n', 'starting')] },
    ['drain n ScaledDown'],
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
    'stalled from the start: tries again',
    { replicas: 1 },
    {
      rollout: { at: 'stalled', to: 'new', readyCount: 0, why: 'RuntimeCrashLooping', message: '' },
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

const HOT: readonly Row[] = [
  [
    'refills standbys',
    hotSpec({ standby: 2 }),
    { runtimes: [standby('s', 'ready')] },
    create(1, 'dedicated'),
  ],
  [
    'drops standbys that are too many, unready ones first',
    hotSpec({ standby: 1 }),
    { runtimes: [standby('s', 'ready'), standby('t', 'starting')] },
    ['drain t StandbySurplus'],
  ],
  [
    'binds a ready standby and refills',
    hotSpec({ standby: 1 }),
    { hot: [hot('p')], runtimes: [standby('s', 'ready')] },
    ['bind s p', ...create(1, 'dedicated')],
  ],
  ['makes a runtime where no standby is', hotSpec({}), { hot: [hot('p')] }, create(1, 'dedicated')],
  [
    'waits for a runtime that starts',
    hotSpec({}),
    { hot: [hot('p')], runtimes: [standby('s', 'starting')] },
    [],
  ],
  [
    'binds nothing that is not ready',
    hotSpec({}),
    { hot: [hot('p')], runtimes: [standby('s', 'unready')] },
    [],
  ],
  [
    'binds each standby once',
    hotSpec({}),
    { hot: [hot('p'), hot('q')], runtimes: [standby('s', 'ready')] },
    ['bind s p', ...create(1, 'dedicated')],
  ],
  [
    'binds no standby of another class',
    hotSpec({ standby: 1 }),
    {
      standbyResources: { memoryMb: 2048 },
      hot: [hot('p', 'Project', { memoryMb: 4096 })],
      runtimes: [standby('s', 'ready', 'new', { resources: { memoryMb: 2048 } })],
    },
    ['create dedicated new 4096'],
  ],
  [
    'binds no standby of another revision',
    hotSpec({}),
    { ...ROLLING, hot: [hot('p')], runtimes: [standby('s', 'ready', 'old')] },
    ['drain s StandbySurplus', ...create(1, 'dedicated')],
  ],
  [
    'leaves a served project alone',
    hotSpec({}),
    { hot: [hot('p')], runtimes: [bound('b', 'p', 'ready', { isServing: true })] },
    [],
  ],
  [
    'waits for a project that initialises',
    hotSpec({}),
    { hot: [hot('p')], runtimes: [bound('b', 'p', 'starting')] },
    [],
  ],
  [
    'gives up a binding that never becomes ready',
    hotSpec({}),
    {
      hot: [hot('p')],
      runtimes: [{ ...bound('b', 'p', 'starting'), binding: { project: 'p', sinceMs: LONG_AGO } }],
    },
    ['remove b StartTimeout', ...create(1, 'dedicated')],
  ],
  [
    'replaces a dedicated runtime that ended',
    hotSpec({}),
    { hot: [hot('p')], runtimes: [bound('b', 'p', 'exited')] },
    ['remove b Exited', ...create(1, 'dedicated')],
  ],
  [
    'waits with a project whose runtimes fail',
    hotSpec({}),
    { hot: [hot('p')], failuresByProject: new Map([['p', failures(3, 100)]]) },
    [],
  ],
  [
    'keeps within hot.maxInstances, pinned projects first',
    hotSpec({ maxInstances: 1 }),
    { hot: [hot('p'), hot('q', 'Project')], runtimes: [standby('s', 'ready')] },
    ['bind s q'],
  ],
  [
    'keeps within maxInstances',
    { ...hotSpec({}), maxInstances: 1 },
    { hot: [hot('p'), hot('q')] },
    create(1, 'dedicated'),
  ],
  [
    'keeps no standby that no place is left for',
    hotSpec({ maxInstances: 1, standby: 1 }),
    { hot: [hot('p')], runtimes: [bound('b', 'p', 'ready'), standby('s', 'ready')] },
    ['drain s StandbySurplus'],
  ],
  [
    'a pinned project takes the place of another one',
    hotSpec({ maxInstances: 1 }),
    {
      hot: [hot('p'), hot('q', 'Project')],
      runtimes: [bound('b', 'p', 'ready', { isServing: true })],
    },
    ['drain b HotCapacity', ...create(1, 'dedicated')],
  ],
  [
    'among equals the one with a runtime keeps it',
    hotSpec({ maxInstances: 1 }),
    {
      hot: [hot('p', 'Override', { sinceMs: 1 }), hot('q', 'Override', { sinceMs: 2 })],
      runtimes: [bound('b', 'q', 'ready')],
    },
    [],
  ],
  [
    'demoted: waits until it is released',
    hotSpec({}),
    { runtimes: [bound('b', 'p', 'ready', { isServing: true })] },
    [],
  ],
  [
    'demoted and released: goes',
    hotSpec({}),
    { runtimes: [bound('b', 'p', 'ready')] },
    ['drain b Demoted'],
  ],
  [
    'idle: goes although its tier is HOT',
    hotSpec({ idleSeconds: 60 }),
    {
      hot: [hot('p', 'Override', { idleMs: 60_000 })],
      runtimes: [bound('b', 'p', 'ready', { isServing: true })],
    },
    ['drain b Idle'],
  ],
  [
    'idle but pinned: stays',
    hotSpec({ idleSeconds: 60 }),
    {
      hot: [hot('p', 'Project', { idleMs: 60_000 })],
      runtimes: [bound('b', 'p', 'ready', { isServing: true })],
    },
    [],
  ],
  [
    'idleSeconds 0: never idle',
    hotSpec({}),
    { hot: [hot('p', 'Override', { idleMs: 9e9 })], runtimes: [bound('b', 'p', 'ready')] },
    [],
  ],
  [
    'rolls: a new one is made beside the old one',
    hotSpec({}),
    { ...ROLLING, hot: [hot('p')], runtimes: [bound('o', 'p', 'ready', { revision: 'old' })] },
    create(1, 'dedicated'),
  ],
  [
    'rolls: the old one goes when the new one is ready',
    hotSpec({}),
    {
      ...ROLLING,
      served: 'new',
      hot: [hot('p')],
      runtimes: [bound('o', 'p', 'ready', { revision: 'old' }), bound('n', 'p', 'ready')],
    },
    ['drain o Replaced'],
  ],
  [
    'rolls: not before the new one is ready',
    hotSpec({}),
    {
      ...ROLLING,
      served: 'new',
      hot: [hot('p')],
      runtimes: [bound('o', 'p', 'ready', { revision: 'old' }), bound('n', 'p', 'starting')],
    },
    [],
  ],
  [
    'rolls: no more at once than maxSurge',
    hotSpec({}),
    {
      ...ROLLING,
      served: 'new',
      hot: [hot('p'), hot('q')],
      runtimes: [
        bound('o', 'p', 'ready', { revision: 'old' }),
        bound('u', 'q', 'ready', { revision: 'old' }),
      ],
    },
    create(1, 'dedicated'),
  ],
  [
    'rolls: after the shared ones',
    { replicas: 1 },
    {
      ...ROLLING,
      hot: [hot('p')],
      runtimes: [
        shared('a', 'ready', 'old'),
        shared('n', 'starting'),
        bound('o', 'p', 'ready', { revision: 'old' }),
      ],
    },
    [],
  ],
  [
    'rolls without surge: the old one goes first',
    { ...hotSpec({}), updateStrategy: { maxSurge: 0, maxUnavailable: 1 } },
    {
      ...ROLLING,
      served: 'new',
      hot: [hot('p'), hot('q')],
      runtimes: [
        bound('o', 'p', 'ready', { revision: 'old' }),
        bound('u', 'q', 'ready', { revision: 'old' }),
      ],
    },
    ['drain o Replaced'],
  ],
  [
    'stalled: binds standbys of the old revision',
    hotSpec({ standby: 1 }),
    { ...STALLED, hot: [hot('p')], runtimes: [standby('s', 'ready', 'old')] },
    ['bind s p', ...create(1, 'dedicated', 'old')],
  ],
  [
    'shared runtimes come before standbys',
    { replicas: 3, tiers: { hot: { standby: 3 } } },
    {},
    [...create(3), ...create(1, 'dedicated')],
  ],
  [
    'waiting projects come before standbys',
    hotSpec({ standby: 1 }),
    {
      runtimes: [standby('x', 'starting'), standby('y', 'starting'), standby('z', 'starting')],
      standbyResources: {},
      hot: [hot('p', 'Project', { memoryMb: 4096 })],
    },
    ['drain y StandbySurplus', 'drain z StandbySurplus', 'create dedicated new 4096'],
  ],
];

describe('decide', () => {
  describe('shared runtimes', () => {
    it.each(SHARED)('%s', (_title, wanted, seen, actions) => {
      expect(plan(wanted, seen).actions.map(show)).toEqual(actions);
    });
  });

  describe('a roll-out', () => {
    it.each(ROLLOUT)('%s', (_title, wanted, seen, actions) => {
      expect(plan(wanted, seen).actions.map(show)).toEqual(actions);
    });
  });

  describe('dedicated runtimes', () => {
    it.each(HOT)('%s', (_title, wanted, seen, actions) => {
      expect(plan(wanted, seen).actions.map(show)).toEqual(actions);
    });
  });

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

  it('says that there is more to do than it may do at once', () => {
    expect(plan({ replicas: 5 }, {}).partial).toBe(true);
    expect(plan({ replicas: 4 }, {}).partial).toBe(false);
  });

  it.each([
    [
      'at the end of a backoff',
      { replicas: 1 },
      { failuresByRevision: new Map([['new', failures(3, 100)]]) },
      400,
    ],
    [
      'at the end of a project’s backoff',
      hotSpec({}),
      { hot: [hot('p')], failuresByProject: new Map([['p', failures(2, 50)]]) },
      200,
    ],
    [
      'when a start takes too long',
      { replicas: 1 },
      { runtimes: [shared('a', 'starting')] },
      69_000,
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
