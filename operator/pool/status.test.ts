import { describe, expect, it } from '@jest/globals';
import type { AgentPoolSpecInput, AgentPoolStatus } from '../../api/agent-pool.ts';
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
import { failing, failingProject, failures } from '../../test/builders/plan-rows.ts';
import type { Observed } from './observed.ts';
import { POOL_LIMITS } from './pool-limits.ts';
import { statusOf, type StatusInput } from './status.ts';

const WALL_MS = Date.parse('2026-01-02T03:04:05Z');

function status(
  wanted: AgentPoolSpecInput,
  seen: Partial<Observed>,
  over: Partial<StatusInput> = {},
): AgentPoolStatus {
  return statusOf({
    poolName: 'pool',
    generation: 3,
    spec: spec(wanted),
    module: { at: 'loaded', artifact: { digest: 'd', path: 'p' } },
    observed: observed(seen),
    memory: { complete: 'new' },
    events: [],
    limits: POOL_LIMITS,
    store: 'embedded',
    wallMs: WALL_MS,
    ...over,
  });
}

function conditions(of: AgentPoolStatus): Readonly<Record<string, string>> {
  return Object.fromEntries(of.conditions.map((one) => [one.type, `${one.status} ${one.reason}`]));
}

const GOOD = {
  Ready: 'True AllReady',
  Available: 'True MinimumAvailable',
  Progressing: 'True RolloutComplete',
  Degraded: 'False AsExpected',
  StoreDurable: 'True StoreEmbedded',
};
const STARTING = {
  Ready: 'False RuntimesStarting',
  Available: 'False NoReadyRuntime',
  Progressing: 'True RuntimesStarting',
};
const FIRST = { rollout: { at: 'rolling', to: 'new', progressMs: NOW_MS, readyCount: 0 } } as const;
const HINDERED = {
  hindrance: { reason: 'OperatorForbidden', message: 'cannot get secrets' },
} as const;
const broken = { at: 'broken', message: 'agents.ts:1: unexpected "}"' } as const;
type Row = readonly [
  title: string,
  wanted: AgentPoolSpecInput,
  seen: Partial<Observed>,
  over: Partial<StatusInput>,
  differs: Readonly<Record<string, string>>,
];

const ROWS: readonly Row[] = [
  ['all is there', {}, { runtimes: [shared('a', 'ready')] }, {}, {}],
  ['nothing is wanted', { replicas: 0 }, {}, {}, { Available: 'False NoReadyRuntime' }],
  [
    'only HOT is wanted and there',
    { replicas: 0 },
    { hot: [hot('p')], runtimes: [bound('b', 'p', 'ready')] },
    {},
    {},
  ],
  [
    'a tenant lacks something',
    {},
    {
      runtimes: [shared('a', 'ready')],
      complaint: { reason: 'TenantSecretUnusable', message: 'the Secret is too large' },
    },
    {},
    { Degraded: 'True TenantSecretUnusable' },
  ],
  [
    'it starts for the first time',
    {},
    { ...FIRST, runtimes: [shared('a', 'starting')] },
    {},
    STARTING,
  ],
  [
    'some are there',
    { replicas: 2 },
    { ...FIRST, runtimes: [shared('a', 'ready'), shared('b', 'starting')] },
    {},
    { Ready: STARTING.Ready, Progressing: STARTING.Progressing },
  ],
  [
    'it scales',
    { replicas: 2 },
    { runtimes: [shared('a', 'ready')] },
    {},
    { Ready: 'False RuntimesStarting', Progressing: 'True Scaling' },
  ],
  [
    'a standby is missing',
    { tiers: { hot: { standby: 1 } } },
    { runtimes: [shared('a', 'ready')] },
    {},
    { Ready: 'False RuntimesStarting' },
  ],
  [
    'a HOT project is missing its runtime',
    {},
    { hot: [hot('p')], runtimes: [shared('a', 'ready'), bound('b', 'p', 'starting')] },
    {},
    { Ready: 'False RuntimesStarting' },
  ],
  [
    'it rolls',
    {},
    { ...ROLLING, runtimes: [shared('o', 'ready', 'old')] },
    {},
    { Ready: 'False RollingOut', Progressing: 'True RollingOut' },
  ],
  [
    'a roll-out stalled for its module',
    {},
    { ...STALLED, runtimes: [shared('o', 'ready', 'old')] },
    {},
    {
      Ready: 'False AgentModuleInvalid',
      Progressing: 'False RolloutStalled',
      Degraded: 'True AgentModuleInvalid',
    },
  ],
  [
    'a roll-out stalled for time',
    {},
    {
      ...STALLED,
      rollout: { ...STALLED.rollout, why: 'ProgressDeadline' },
      runtimes: [shared('o', 'ready', 'old')],
    },
    {},
    {
      Ready: 'False RolloutStalled',
      Progressing: 'False RolloutStalled',
      Degraded: 'True RolloutStalled',
    },
  ],
  [
    'a roll-out stalled for crashes',
    {},
    {
      ...STALLED,
      rollout: { ...STALLED.rollout, why: 'RuntimeCrashLooping' },
      runtimes: [shared('o', 'ready', 'old')],
    },
    {},
    {
      Ready: 'False RuntimeCrashLooping',
      Progressing: 'False RolloutStalled',
      Degraded: 'True RuntimeCrashLooping',
    },
  ],
  [
    'the module never loaded',
    {},
    { ...FIRST },
    { module: broken },
    {
      ...STARTING,
      Ready: 'False AgentModuleInvalid',
      Progressing: 'False AgentModuleInvalid',
      Degraded: 'True AgentModuleInvalid',
    },
  ],
  [
    'the module is broken while it serves',
    {},
    { runtimes: [shared('a', 'ready')] },
    { module: { ...broken, last: { digest: 'd', path: 'p' } } },
    { Progressing: 'False AgentModuleInvalid', Degraded: 'True AgentModuleInvalid' },
  ],
  [
    'the operator is kept from its work while all runtimes serve',
    {},
    { ...HINDERED, runtimes: [shared('a', 'ready')] },
    {},
    { Degraded: 'True OperatorForbidden' },
  ],
  [
    'the operator is kept from its work while runtimes are missing',
    { replicas: 2 },
    { ...HINDERED, runtimes: [shared('a', 'ready')] },
    {},
    {
      Ready: 'False OperatorForbidden',
      Progressing: 'False OperatorForbidden',
      Degraded: 'True OperatorForbidden',
    },
  ],
  [
    'the operator is kept from its work in a roll-out',
    {},
    { ...ROLLING, ...HINDERED, runtimes: [shared('o', 'ready', 'old')] },
    {},
    {
      Ready: 'False OperatorForbidden',
      Progressing: 'False OperatorForbidden',
      Degraded: 'True OperatorForbidden',
    },
  ],
  [
    'a roll-out stalled as the operator is kept from its work',
    {},
    {
      ...STALLED,
      ...HINDERED,
      rollout: { ...STALLED.rollout, why: 'ProgressDeadline' },
      runtimes: [shared('o', 'ready', 'old')],
    },
    {},
    {
      Ready: 'False OperatorForbidden',
      Progressing: 'False RolloutStalled',
      Degraded: 'True OperatorForbidden',
    },
  ],
  [
    'one runtime ended',
    {},
    { failures: failing(failures(1, 0)) },
    {},
    {
      Ready: 'False RuntimesStarting',
      Available: 'False NoReadyRuntime',
      Progressing: 'True Scaling',
    },
  ],
  [
    'runtimes end again and again',
    {},
    { failures: failing(failures(3, 0)) },
    {},
    {
      Ready: 'False RuntimeCrashLooping',
      Available: 'False NoReadyRuntime',
      Progressing: 'True Scaling',
      Degraded: 'True RuntimeCrashLooping',
    },
  ],
  [
    'runtimes of one project end again and again',
    {},
    {
      hot: [hot('p')],
      runtimes: [shared('a', 'ready')],
      failures: failingProject(failures(3, 0), 'p'),
    },
    {},
    { Ready: 'False RuntimeCrashLooping', Degraded: 'True RuntimeCrashLooping' },
  ],
  [
    'failures of another revision do not count',
    {},
    { runtimes: [shared('a', 'ready')], failures: failing(failures(9, 0), { revision: 'old' }) },
    {},
    {},
  ],
  [
    'too many are HOT',
    { tiers: { hot: { maxInstances: 1 } } },
    { hot: [hot('p'), hot('q')], runtimes: [shared('a', 'ready'), bound('b', 'p', 'ready')] },
    {},
    { Degraded: 'True HotCapacityReached' },
  ],
  [
    'idle ones do not count as too many',
    { tiers: { hot: { maxInstances: 1, idleSeconds: 1 } } },
    {
      hot: [hot('p'), hot('q', 'Override', { idleMs: 1_000 })],
      runtimes: [shared('a', 'ready'), bound('b', 'p', 'ready')],
    },
    {},
    {},
  ],
  [
    'it is suspended',
    { operatingMode: 'Suspended', tiers: { hot: { standby: 1 } } },
    {},
    {},
    { Ready: 'False Suspended', Available: 'False Suspended', Progressing: 'True Suspended' },
  ],
  [
    'the store is in memory',
    {},
    { runtimes: [shared('a', 'ready')] },
    { store: 'memory' },
    { StoreDurable: 'False StoreInMemory' },
  ],
  [
    'the store is away',
    {},
    { runtimes: [shared('a', 'ready')] },
    { store: 'unavailable' },
    { Degraded: 'True StoreUnavailable', StoreDurable: 'Unknown StoreUnavailable' },
  ],
];

describe('the status of a pool', () => {
  it.each(ROWS)('conditions: %s', (...[, wanted, seen, over, differs]) => {
    expect(conditions(status(wanted, seen, over))).toEqual({ ...GOOD, ...differs });
  });

  it('counts shared runtimes, those that end not', () => {
    const runtimes = [
      shared('a', 'ready'),
      shared('b', 'starting'),
      shared('c', 'ready', 'old'),
      shared('d', 'ending'),
      standby('s', 'ready'),
    ];
    expect(status({ replicas: 3 }, { ...ROLLING, runtimes })).toMatchObject({
      observedGeneration: 3,
      replicas: 3,
      readyReplicas: 2,
      desiredReplicas: 3,
      updatedReplicas: 2,
      selector: 'agentpool.dev/pool=pool,agentpool.dev/role=shared',
      currentRevision: 'new',
      updateRevision: 'new',
    });
  });

  it('counts tiers: HOT by runtimes, the others by the instances in shared ones', () => {
    const runtimes = [
      shared('a', 'ready', 'new', { instances: { HOT: 0, WARM: 5, COLD: 2 }, blanks: 2 }),
      shared('u', 'unready', 'new', { instances: { HOT: 0, WARM: 1, COLD: 0 }, blanks: 1 }),
      bound('b', 'p', 'ready'),
      bound('c', 'q', 'starting'),
      standby('s', 'ready'),
      standby('t', 'starting'),
    ];
    expect(status({}, { hot: [hot('p'), hot('q')], runtimes }).tiers).toEqual([
      { name: 'HOT', desired: 2, ready: 1, allocated: 2, idle: 1 },
      { name: 'WARM', desired: 6, ready: 5, allocated: 6, idle: 2 },
      { name: 'COLD', desired: 2, ready: 2, allocated: 2, idle: 0 },
    ]);
  });

  it('stamps a condition when its status changes, and only then', () => {
    const before = status({}, { runtimes: [shared('a', 'ready')] });
    const later = { previous: before, wallMs: WALL_MS + 60_000 };
    const after = status({}, { runtimes: [shared('a', 'unready')] }, later);
    const times = Object.fromEntries(
      after.conditions.map((one) => [one.type, one.lastTransitionTime]),
    );
    expect(times).toMatchObject({
      Ready: '2026-01-02T03:05:05.000Z',
      StoreDurable: '2026-01-02T03:04:05.000Z',
    });
    expect(status({}, { runtimes: [shared('a', 'ready')] }, later)).toEqual(before);
  });

  it('says when and why it last scaled, for as long as it is not scaled again', () => {
    expect(status({}, {})).not.toHaveProperty('lastScaleTime');
    const events = (['ScaledUp', 'ScaledDown', 'Promoted'] as const).map((reason, minute) => ({
      ...{ reason, message: `message ${minute}` },
      lastTime: new Date(WALL_MS + minute * 60_000).toISOString(),
    }));
    const scaled = {
      lastScaleTime: '2026-01-02T03:05:05.000Z',
      lastScaleReason: 'ScaledDown: message 1',
    };
    const before = status({}, {}, { events });
    expect(before).toMatchObject(scaled);
    // Its event is forgotten, or an operator before this one has told it.
    expect(status({}, {}, { previous: before, wallMs: WALL_MS + 600_000 })).toEqual(before);
  });

  it('keeps messages within their bound', () => {
    const long = { at: 'broken', message: 'x'.repeat(10_000) } as const;
    for (const { message } of status({}, {}, { module: long }).conditions)
      expect(message.length).toBeLessThanOrEqual(4_096);
  });
});
