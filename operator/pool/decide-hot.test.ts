import { describe, expect, it } from '@jest/globals';
import {
  bound,
  hot,
  NOW_MS,
  ROLLING,
  shared,
  STALLED,
  standby,
  warm,
} from '../../test/builders/pool-builders.ts';
import {
  actions,
  create,
  failingProject,
  failures,
  hotSpec,
  LONG_AGO,
  refused,
  type Row,
} from '../../test/builders/plan-rows.ts';
import type { SeenRuntime } from './observed.ts';

const boundAt = (name: string, project: string, sinceMs: number): SeenRuntime => ({
  ...bound(name, project, 'ready', { isServing: true }),
  binding: { project, sinceMs },
});

const HOT: readonly Row[] = [
  [
    'refills standbys',
    hotSpec({ standby: 2 }),
    { runtimes: [standby('s', 'ready')] },
    create(1, 'dedicated'),
  ],
  [
    'stalled, and good standbys are refused: tries a new one, and that first',
    hotSpec({ standby: 1 }),
    { ...STALLED, refusals: refused('old') },
    [...create(1, 'dedicated'), ...create(1, 'dedicated', 'old')],
  ],
  [
    'stalled, and the good one of a project is refused: another project tries the new one first',
    hotSpec({}),
    {
      ...STALLED,
      hot: [hot('p'), hot('q')],
      runtimes: [bound('q', 'q', 'ready', { revision: 'old' })],
      refusals: refused('old'),
    },
    [...create(1, 'dedicated'), ...create(1, 'dedicated', 'old')],
  ],
  [
    'makes none in the place of one of which nobody knows whether it ends',
    hotSpec({ standby: 2, maxInstances: 2 }),
    { runtimes: [standby('s', 'ready'), standby('t', 'ending', 'new', { isStuck: true })] },
    [],
  ],
  [
    'drops standbys that are too many, unready ones first',
    hotSpec({ standby: 1 }),
    { runtimes: [standby('s', 'ready'), standby('t', 'starting')] },
    ['drain t StandbySurplus'],
  ],
  [
    'binds a ready standby, and refills later',
    hotSpec({ standby: 1 }),
    { hot: [hot('p')], runtimes: [standby('s', 'ready')] },
    ['bind s p'],
  ],
  [
    'has what a runtime took written down a second later, unless it ends',
    hotSpec({ standby: 0 }),
    {
      hot: [hot('p'), hot('q'), hot('s')],
      runtimes: [
        {
          ...bound('a', 's', 'ready'),
          binding: { project: 's', sinceMs: NOW_MS - 999, isUnmarked: true },
        },
        {
          ...bound('b', 'p', 'ready'),
          binding: { project: 'p', sinceMs: NOW_MS - 1_000, isUnmarked: true },
        },
        { ...bound('c', 'q', 'ready'), binding: { project: 'q', sinceMs: 0 } },
        { ...bound('d', 'r', 'ending'), binding: { project: 'r', sinceMs: 0, isUnmarked: true } },
      ],
    },
    ['mark b p'],
  ],
  [
    'refills no standby shortly after a promotion',
    hotSpec({ standby: 1 }),
    { hot: [hot('p')], runtimes: [boundAt('b', 'p', NOW_MS - 999)] },
    [],
  ],
  [
    'refills no standby while a project moves in, which may take longer',
    hotSpec({ standby: 1 }),
    {
      hot: [hot('p')],
      runtimes: [
        {
          ...bound('b', 'p', 'starting'),
          binding: { project: 'p', sinceMs: NOW_MS - 4_999 },
        },
      ],
    },
    [],
  ],
  [
    'refills when a project does not move in',
    hotSpec({ standby: 1 }),
    {
      hot: [hot('p')],
      runtimes: [
        {
          ...bound('b', 'p', 'starting'),
          binding: { project: 'p', sinceMs: NOW_MS - 5_000 },
        },
      ],
    },
    create(1, 'dedicated'),
  ],
  [
    'refills some time after a promotion',
    hotSpec({ standby: 1 }),
    { hot: [hot('p')], runtimes: [boundAt('b', 'p', NOW_MS - 1_000)] },
    create(1, 'dedicated'),
  ],
  [
    'refills some time after the first of promotions that do not end, too',
    hotSpec({ standby: 1 }),
    {
      hot: [0, 1, 2, 3, 4, 5, 6].map((index) => hot(`p${index}`)),
      runtimes: [0, 1, 2, 3, 4, 5, 6].map((index) =>
        boundAt(`b${index}`, `p${index}`, NOW_MS - index * 900),
      ),
    },
    create(1, 'dedicated'),
  ],
  [
    'makes a runtime that a project waits for also then',
    hotSpec({ standby: 1 }),
    { hot: [hot('p'), hot('q')], runtimes: [standby('s', 'ready')] },
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
    'binds no standby that may use another share of the CPU',
    hotSpec({}),
    {
      hot: [hot('p', 'Project', { memoryMb: 2048, cpuPercent: 200 })],
      runtimes: [standby('s', 'ready', 'new', { resources: { memoryMb: 2048, cpuPercent: 100 } })],
    },
    ['drain s StandbySurplus', 'create dedicated new 2048 200'],
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
    { hot: [hot('p')], failures: failingProject(failures(3, 100), 'p') },
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
    'rolls again before it was done: the one in between goes, the one that serves stays',
    hotSpec({ maxInstances: 1 }),
    {
      ...ROLLING,
      served: 'new',
      hot: [hot('p')],
      runtimes: [
        bound('o', 'p', 'ready', { revision: 'old', isServing: true }),
        bound('m', 'p', 'ready', { revision: 'mid', instances: warm(1) }),
      ],
    },
    ['drain m Replaced', ...create(1, 'dedicated')],
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
    'rolls: those that failed come after the others',
    hotSpec({}),
    {
      ...ROLLING,
      served: 'new',
      hot: [hot('p'), hot('q')],
      runtimes: [
        bound('o', 'p', 'ready', { revision: 'old' }),
        bound('u', 'q', 'ready', { revision: 'old' }),
        standby('s', 'ready'),
      ],
      failures: failingProject(failures(1, 60_000), 'p'),
    },
    ['bind s q'],
  ],
  [
    'rolls: one that must wait leaves its place to others',
    hotSpec({}),
    {
      ...ROLLING,
      served: 'new',
      hot: [hot('p'), hot('q')],
      runtimes: [
        bound('o', 'p', 'ready', { revision: 'old' }),
        bound('n', 'q', 'ready'),
        standby('s', 'ready'),
      ],
      failures: failingProject(failures(5, 100), 'p'),
    },
    ['drain s StandbySurplus'],
  ],
  [
    'stalled: a project tries the new revision when its time has come',
    hotSpec({}),
    {
      ...STALLED,
      served: 'new',
      rollout: { ...STALLED.rollout, readyCount: 1 },
      hot: [hot('p'), hot('q')],
      runtimes: [
        bound('o', 'p', 'ready', { revision: 'old' }),
        bound('u', 'q', 'ready', { revision: 'old' }),
        standby('s', 'ready'),
      ],
      failures: failingProject(failures(9, 31_000), 'p'),
    },
    ['bind s q'],
  ],
  [
    'stalled: keeps the old runtime of a project that tries the new revision',
    hotSpec({}),
    {
      ...STALLED,
      served: 'new',
      rollout: { ...STALLED.rollout, readyCount: 1 },
      hot: [hot('p')],
      runtimes: [bound('o', 'p', 'ready', { revision: 'old' }), bound('n', 'p', 'ready')],
    },
    [],
  ],
  [
    'stalled: keeps standbys of the old revision, and tries one of the new',
    hotSpec({ standby: 1 }),
    { ...STALLED, runtimes: [standby('s', 'ready', 'old')] },
    create(1, 'dedicated'),
  ],
  [
    'stalled: makes good ones first',
    hotSpec({ standby: 1 }),
    { ...STALLED, runtimes: [standby('s', 'starting')] },
    create(1, 'dedicated', 'old'),
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
    ['bind s p'],
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

describe('decide: dedicated runtimes', () => {
  it.each(HOT)('%s', (_title, wanted, seen, expected) => {
    expect(actions(wanted, seen)).toEqual(expected);
  });
});
