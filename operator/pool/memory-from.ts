/** What an operator that takes over remembers of a pool: as much as the one before has told in the status. Pure. */
import type { AgentPoolStatus } from '../../api/agent-pool.ts';
import { type Memory, NO_MEMORY } from './memory.ts';
import type { Rollout } from './observed.ts';

export function memoryFrom(status: AgentPoolStatus | undefined, nowMs: number): Memory {
  const served = status?.goodRevision ?? status?.currentRevision ?? '';
  if (status === undefined || served === '') return NO_MEMORY;
  const { currentRevision } = status;
  return {
    ...NO_MEMORY,
    ...(currentRevision === '' ? {} : { complete: currentRevision }),
    served,
    ...(status.goodRevision === undefined ? {} : { good: status.goodRevision }),
    rollout: rolloutFrom(status, served, nowMs),
  };
}

type Stalled = Extract<Rollout, { at: 'stalled' }>;

/** As far as it had come: what stalled is not tried anew with all runtimes at once. */
function rolloutFrom(status: AgentPoolStatus, served: string, nowMs: number): Rollout {
  const { currentRevision, updateRevision: to } = status;
  if (served === currentRevision && served === to) return { at: 'settled', revision: served };
  const from = served === to ? currentRevision : served;
  const both = { ...(from === '' ? {} : { from }), to, readyCount: served === to ? 1 : 0 };
  const progressing = status.conditions.find(({ type }) => type === 'Progressing');
  if (progressing?.reason !== 'RolloutStalled')
    return { at: 'rolling', ...both, progressMs: nowMs };
  // One that is ready by now, and stays so, counts like one that becomes ready from now on.
  return { at: 'stalled', ...both, sinceMs: nowMs - 1, ...causeFrom(status) };
}

const CAUSES: readonly Stalled['why'][] = [
  'AgentModuleInvalid',
  'RuntimeCrashLooping',
  'PodRejected',
];

function causeFrom({ conditions }: AgentPoolStatus): Pick<Stalled, 'why' | 'message'> {
  const { reason, message = '' } = conditions.find(({ type }) => type === 'Degraded') ?? {};
  const why = CAUSES.find((cause) => cause === reason);
  if (why !== undefined) return { why, message };
  const isTold = reason === 'RolloutStalled';
  return {
    why: 'ProgressDeadline',
    message: isTold ? message : 'no runtime became ready in time',
  };
}
