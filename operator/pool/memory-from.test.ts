/** What an operator that takes over makes of the status that the one before has left. */
import { describe, expect, it } from '@jest/globals';
import type { AgentPoolStatus, Condition } from '../../api/agent-pool.ts';
import type { Memory } from './memory.ts';
import { memoryFrom } from './memory-from.ts';

const NOW_MS = 1_000;

function statusWith(
  fields: Partial<AgentPoolStatus>,
  reasons: Readonly<Record<string, string>> = {},
): AgentPoolStatus {
  const conditions = Object.entries(reasons).map(([type, reason]): Condition => ({
    ...{ type, reason, status: 'False', message: `${reason}!` },
    ...{ lastTransitionTime: '2026-01-01T00:00:00Z', observedGeneration: 1 },
  }));
  return {
    ...{ observedGeneration: 1, replicas: 0, readyReplicas: 0, desiredReplicas: 0 },
    ...{ updatedReplicas: 0, selector: '', currentRevision: '', updateRevision: '', tiers: [] },
    ...fields,
    conditions,
  };
}

const back = { from: 'one', to: 'two', readyCount: 0 };
const known = { complete: 'one', served: 'one' };
const underWay = { currentRevision: 'one', updateRevision: 'two', goodRevision: 'one' };
const stalled = (degraded: string): AgentPoolStatus =>
  statusWith(underWay, { Progressing: 'RolloutStalled', Degraded: degraded });

describe('an operator that takes over remembers', () => {
  it.each<[string, AgentPoolStatus | undefined, Pick<Memory, 'complete' | 'served' | 'rollout'>]>([
    ['nothing of a new pool', undefined, {}],
    ['nothing where nothing was ever served', statusWith({ updateRevision: 'one' }), {}],
    [
      'what was rolled out',
      statusWith({ currentRevision: 'one', updateRevision: 'one', goodRevision: 'one' }),
      { ...known, rollout: { at: 'settled', revision: 'one' } },
    ],
    [
      'what an older version told to be rolled out',
      statusWith({ currentRevision: 'one', updateRevision: 'one' }),
      { ...known, rollout: { at: 'settled', revision: 'one' } },
    ],
    [
      'a roll-out, also of an older version',
      statusWith({ currentRevision: 'one', updateRevision: 'two' }),
      { ...known, rollout: { at: 'rolling', ...back, progressMs: NOW_MS } },
    ],
    [
      'a roll-out that goes on',
      statusWith(underWay, { Progressing: 'RollingOut', Degraded: 'AsExpected' }),
      { ...known, rollout: { at: 'rolling', ...back, progressMs: NOW_MS } },
    ],
    [
      'one whose new runtimes serve already',
      statusWith({ ...underWay, goodRevision: 'two' }, { Progressing: 'RollingOut' }),
      {
        ...{ complete: 'one', served: 'two' },
        rollout: { at: 'rolling', ...back, readyCount: 1, progressMs: NOW_MS },
      },
    ],
    [
      'the first one, whose runtimes serve already',
      statusWith({ updateRevision: 'two', goodRevision: 'two' }, { Progressing: 'RollingOut' }),
      {
        served: 'two',
        rollout: { at: 'rolling', to: 'two', readyCount: 1, progressMs: NOW_MS },
      },
    ],
    [
      'what served last, though it never was all there is',
      statusWith({ ...underWay, currentRevision: '' }, { Progressing: 'RollingOut' }),
      { served: 'one', rollout: { at: 'rolling', ...back, progressMs: NOW_MS } },
    ],
    ...(['RuntimeCrashLooping', 'AgentModuleInvalid', 'PodRejected'] as const).map(
      (why): [string, AgentPoolStatus, object] => [
        `one that is stalled, and why: ${why}`,
        stalled(why),
        {
          ...known,
          rollout: { at: 'stalled', ...back, sinceMs: NOW_MS - 1, why, message: `${why}!` },
        },
      ],
    ),
    ...(
      [
        ['RolloutStalled', 'RolloutStalled!'],
        ['StoreUnavailable', 'no runtime became ready in time'],
      ] as const
    ).map(([degraded, message]): [string, AgentPoolStatus, object] => [
      `one that is stalled for want of progress: ${degraded}`,
      stalled(degraded),
      {
        ...known,
        rollout: {
          ...{ at: 'stalled', ...back, sinceMs: NOW_MS - 1 },
          ...{ why: 'ProgressDeadline', message },
        },
      },
    ]),
  ])('%s', (_what, status, expected) => {
    const { complete, served, rollout } = memoryFrom(status, NOW_MS);
    expect(JSON.parse(JSON.stringify({ complete, served, rollout }))).toEqual(expected);
  });
});
