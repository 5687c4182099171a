/** The status of a pool from what is observed of it: pure, so that it is written only when it changed. */
import type { AgentPoolStatus, Condition, TierStatus } from '../../api/agent-pool.ts';
import { sharedSelector } from '../../api/names.ts';
import type { PoolEvent } from '../../api/pool-report.ts';
import type { EventReason } from '../../api/reasons.ts';
import { judge, type Situation, type Tally } from './conditions.ts';
import type { Memory } from './memory.ts';
import type { Observed, SeenRuntime } from './observed.ts';
import { hotPlaces, isLive, isReady } from './runtimes.ts';
import { selectHot } from './select-hot.ts';

export interface StatusInput extends Omit<Situation, 'tally'> {
  readonly poolName: string;
  readonly generation: number;
  readonly memory: Pick<Memory, 'complete'>;
  readonly endpoint?: string;
  readonly previous?: AgentPoolStatus;
  /** The latest of the pool, oldest first. */
  readonly events: readonly Pick<PoolEvent, 'reason' | 'message' | 'lastTime'>[];
  readonly wallMs: number;
}

const MESSAGE_CHARACTERS_MAX = 4_096;

export function statusOf(input: StatusInput): AgentPoolStatus {
  const { observed, memory, endpoint } = input;
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
    ...(observed.good === undefined ? {} : { goodRevision: observed.good }),
    ...(endpoint === undefined ? {} : { endpoint }),
    tiers: tiersOf(observed, tally),
    ...lastScaleOf(input),
    conditions: judge({ ...input, tally }).map((verdict) => conditionOf(verdict, input)),
  };
}

const SCALINGS: readonly EventReason[] = ['ScaledUp', 'ScaledDown'];

/** With its event; that one may be forgotten by now, or an operator before this one has told it. */
function lastScaleOf({
  events,
  previous,
}: StatusInput): Pick<AgentPoolStatus, 'lastScaleTime' | 'lastScaleReason'> {
  const last = events.findLast(({ reason }) => SCALINGS.includes(reason));
  if (last !== undefined)
    return {
      lastScaleTime: last.lastTime,
      lastScaleReason: `${last.reason}: ${last.message}`.slice(0, MESSAGE_CHARACTERS_MAX),
    };
  const { lastScaleTime, lastScaleReason } = previous ?? {};
  return {
    ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
    ...(lastScaleReason === undefined ? {} : { lastScaleReason }),
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

/** A HOT project counts as WARM where a shared runtime serves it still. */
function tiersOf(observed: Observed, tally: Tally): TierStatus[] {
  const bound = observed.runtimes.filter((one) => isLive(one) && one.binding !== undefined);
  const shared = observed.runtimes.filter((one) => one.role === 'shared');
  const serving = shared.filter(isReady);
  const live = (name: 'WARM' | 'COLD', idle: number): TierStatus => {
    const count = (runtimes: readonly SeenRuntime[]): number =>
      sum(runtimes, ({ instances }) => instances[name]);
    return { name, desired: count(shared), ready: count(serving), allocated: count(shared), idle };
  };
  return [
    {
      name: 'HOT',
      desired: tally.hotWanted,
      ready: tally.hotReady,
      allocated: bound.length,
      idle: tally.standbysReady,
    },
    live(
      'WARM',
      sum(serving, ({ blanks }) => blanks),
    ),
    live('COLD', 0),
  ];
}

function sum(runtimes: readonly SeenRuntime[], of: (runtime: SeenRuntime) => number): number {
  return runtimes.reduce((total, one) => total + of(one), 0);
}
