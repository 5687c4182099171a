/** The status of a pool from what is observed of it: pure, so that it is written only when it changed. */
import type { AgentPoolStatus, Condition, TierStatus } from '../../api/agent-pool.ts';
import { sharedSelector } from '../../api/names.ts';
import { judge, type Situation, type Tally } from './conditions.ts';
import type { Memory } from './memory.ts';
import type { Observed } from './observed.ts';
import { hotPlaces, isLive, isReady } from './runtimes.ts';
import { selectHot } from './select-hot.ts';

export interface StatusInput extends Omit<Situation, 'tally'> {
  readonly poolName: string;
  readonly generation: number;
  readonly memory: Pick<Memory, 'complete'>;
  readonly endpoint?: string;
  readonly previous?: AgentPoolStatus;
  readonly wallMs: number;
}

const MESSAGE_CHARACTERS_MAX = 4_096;

export function statusOf(input: StatusInput): AgentPoolStatus {
  const { spec, observed, memory, endpoint } = input;
  const shared = observed.runtimes.filter((one) => one.role === 'shared' && isLive(one));
  const tally = tallyOf(input);
  return {
    observedGeneration: input.generation,
    replicas: shared.length,
    readyReplicas: tally.sharedReady,
    desiredReplicas: tally.sharedWanted,
    updatedReplicas: shared.filter((one) => one.revision === observed.update).length,
    selector: sharedSelector(input.poolName),
    currentRevision: memory.complete ?? '',
    updateRevision: observed.update ?? '',
    ...(endpoint === undefined ? {} : { endpoint }),
    tiers: tiersOf(observed, tally, spec.tiers.default),
    conditions: judge({ ...input, tally }).map((verdict) => conditionOf(verdict, input)),
  };
}

function conditionOf(
  verdict: ReturnType<typeof judge>[number],
  { previous, generation, wallMs }: StatusInput,
): Condition {
  const before = previous?.conditions.find((one) => one.type === verdict.type);
  const isSame = before?.status === verdict.status;
  return {
    ...verdict,
    message: verdict.message.slice(0, MESSAGE_CHARACTERS_MAX),
    lastTransitionTime: isSame ? before.lastTransitionTime : new Date(wallMs).toISOString(),
    observedGeneration: generation,
  };
}

function tallyOf({ spec, observed }: StatusInput): Tally {
  const isRunning = spec.operatingMode === 'Running';
  const selected = isRunning ? selectHot(spec, observed) : [];
  const ready = observed.runtimes.filter(isReady);
  const housed = new Set(ready.map((one) => one.binding?.project));
  return {
    sharedReady: ready.filter((one) => one.role === 'shared').length,
    sharedWanted: isRunning ? spec.replicas : 0,
    hotWanted: selected.length,
    hotReady: selected.filter((one) => housed.has(one.project)).length,
    standbysWanted: isRunning
      ? Math.min(spec.tiers.hot.standby, hotPlaces(spec) - selected.length)
      : 0,
    standbysReady: ready.filter((one) => one.role === 'dedicated' && one.binding === undefined)
      .length,
  };
}

/** Runtimes do not tell WARM from COLD instances: all count for the tier that projects have by default. */
function tiersOf(observed: Observed, tally: Tally, defaultTier: TierStatus['name']): TierStatus[] {
  const bound = observed.runtimes.filter((one) => isLive(one) && one.binding !== undefined);
  const live = observed.runtimes
    .filter((one) => one.role === 'shared')
    .reduce((sum, one) => sum + one.instances, 0);
  const none = { desired: 0, ready: 0, allocated: 0, idle: 0 };
  const some = { desired: live, ready: live, allocated: live, idle: 0 };
  return [
    {
      name: 'HOT',
      desired: tally.hotWanted,
      ready: tally.hotReady,
      allocated: bound.length,
      idle: tally.standbysReady,
    },
    { name: 'WARM', ...(defaultTier === 'COLD' ? none : some) },
    { name: 'COLD', ...(defaultTier === 'COLD' ? some : none) },
  ];
}
