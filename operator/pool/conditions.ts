/** The conditions of a pool, each from what is observed. Pure; reasons from the closed table. */
import type { AgentPoolSpec, Condition } from '../../api/agent-pool.ts';
import type { ConditionReason, ConditionType } from '../../api/reasons.ts';
import type { Store, StoreDurability } from '../../platform/store/store.ts';
import { labelled } from './failures.ts';
import type { Hindrance } from './hindrance.ts';
import type { Observed, Refusal, Rollout } from './observed.ts';
import type { PoolLimits } from './pool-limits.ts';
import {
  hotPlaces,
  loopReason,
  problemOf,
  revisionToCreate,
  revisionToFallBackTo,
} from './runtimes.ts';
import { activeHot } from './select-hot.ts';
import type { ModuleState } from './wanted-pool.ts';

/** Numbers that conditions and status are made of. */
export interface Tally {
  readonly sharedReady: number;
  readonly sharedWanted: number;
  readonly hotWanted: number;
  /** HOT projects whose runtime is ready. */
  readonly hotReady: number;
  readonly standbysWanted: number;
  readonly standbysReady: number;
}

export interface Situation {
  readonly spec: AgentPoolSpec;
  readonly module: ModuleState;
  /** What is wrong with the manifest: what is served is the one before. */
  readonly problems?: readonly string[];
  readonly observed: Observed;
  readonly tally: Tally;
  readonly limits: PoolLimits;
  readonly store: Store['kind'] | 'unavailable';
  /** What the store says of itself, if it has found that out. */
  readonly durability?: StoreDurability;
}

interface Failure {
  readonly reason: ConditionReason;
  readonly message: string;
}

type Verdict = Pick<Condition, 'status' | 'message'> & { readonly reason: ConditionReason };

const say = (status: Condition['status'], reason: ConditionReason, message: string): Verdict => ({
  status,
  reason,
  message,
});

/** In the order in which they are shown. */
export function judge(
  situation: Situation,
): readonly (Verdict & { readonly type: ConditionType })[] {
  return [
    { type: 'Ready', ...ready(situation) },
    { type: 'Available', ...available(situation) },
    { type: 'Progressing', ...progressing(situation) },
    { type: 'Degraded', ...degraded(situation) },
    { type: 'StoreDurable', ...storeDurable(situation) },
  ];
}

function ready(situation: Situation): Verdict {
  const { tally, observed, problems } = situation;
  if (problems !== undefined) return say('False', 'SpecInvalid', problems.join('; '));
  if (situation.spec.operatingMode === 'Suspended') return suspended('False');
  const isAll =
    tally.sharedReady >= tally.sharedWanted &&
    tally.hotReady >= tally.hotWanted &&
    tally.standbysReady >= tally.standbysWanted;
  const isWell = observed.rollout.at === 'settled' && loopOf(situation) === undefined;
  if (isAll && isWell) return say('True', 'AllReady', counts(tally));
  const failure = failureOf(situation);
  if (failure !== undefined) return say('False', failure.reason, failure.message);
  if (isReplacing(observed.rollout))
    return say('False', 'RollingOut', `revision ${observed.rollout.to}: ${counts(tally)}`);
  return say('False', 'RuntimesStarting', counts(tally));
}

function available({ spec, tally }: Situation): Verdict {
  if (spec.operatingMode === 'Suspended') return suspended('False');
  if (tally.sharedReady + tally.hotReady > 0) return say('True', 'MinimumAvailable', counts(tally));
  return say('False', 'NoReadyRuntime', counts(tally));
}

function progressing(situation: Situation): Verdict {
  const { spec, module, observed, tally } = situation;
  const { rollout } = observed;
  if (spec.operatingMode === 'Suspended') return suspended('True');
  if (module.at === 'broken') return say('False', 'AgentModuleInvalid', module.message);
  switch (rollout.at) {
    case 'stalled':
      return say(
        'False',
        'RolloutStalled',
        `revision ${rollout.to}: ${rollout.message}; ${outlook(spec, observed)}`,
      );
    case 'rolling':
      if (observed.hindrance !== undefined) return hindered('False', observed.hindrance);
      return isReplacing(rollout)
        ? say('True', 'RollingOut', `revision ${rollout.to}: ${counts(tally)}`)
        : say('True', 'RuntimesStarting', counts(tally));
    case 'settled':
      if (tally.sharedReady === tally.sharedWanted)
        return say('True', 'RolloutComplete', `revision ${rollout.revision}`);
      if (observed.hindrance !== undefined) return hindered('False', observed.hindrance);
      return say('True', 'Scaling', counts(tally));
  }
}

function degraded(situation: Situation): Verdict {
  if (situation.store === 'unavailable')
    return say('True', 'StoreUnavailable', 'the store does not answer');
  const failure = failureOf(situation);
  if (failure !== undefined) return say('True', failure.reason, failure.message);
  const { spec, observed } = situation;
  const wanted = activeHot(spec, observed).length;
  if (spec.operatingMode === 'Running' && wanted > hotPlaces(spec))
    return say(
      'True',
      'HotCapacityReached',
      `${wanted} projects are HOT, there are places for ${hotPlaces(spec)}`,
    );
  if (observed.complaint !== undefined) return hindered('True', observed.complaint);
  return say('False', 'AsExpected', '');
}

function storeDurable({ store, spec, durability }: Situation): Verdict {
  switch (store) {
    case 'unavailable':
      return say('Unknown', 'StoreUnavailable', 'the store does not answer');
    case 'memory':
      return say('False', 'StoreInMemory', 'state is lost when the process ends');
    case 'embedded':
      return say('True', 'StoreEmbedded', `durability ${spec.checkpoint.durability}`);
    case 'redis':
      return redisDurable(durability);
  }
}

function redisDurable(durability: StoreDurability | undefined): Verdict {
  if (durability === undefined)
    return say('Unknown', 'RedisUnchecked', 'Redis has not been asked yet');
  const { durable, reason, message } = durability;
  if (durable === undefined) return say('Unknown', reason, message);
  return say(durable ? 'True' : 'False', reason, message);
}

/** What keeps the pool from becoming what it should be, the gravest first. */
function failureOf(situation: Situation): Failure | undefined {
  const { module, observed } = situation;
  const { rollout } = observed;
  if (module.at === 'broken') return { reason: 'AgentModuleInvalid', message: module.message };
  if (observed.hindrance !== undefined) return observed.hindrance;
  if (rollout.at === 'stalled') {
    const reason = rollout.why === 'ProgressDeadline' ? 'RolloutStalled' : rollout.why;
    return { reason, message: rollout.message };
  }
  const refusal = refusalOf(observed);
  if (refusal !== undefined) return { reason: refusal.reason, message: refusal.message };
  const problem = observed.runtimes.map(problemOf).find((one) => one !== undefined);
  if (problem !== undefined) return problem;
  return loopOf(situation);
}

/** Of several that of what the pool needs, not of what is tried beside it. */
function refusalOf(observed: Observed): Refusal | undefined {
  const { refusals } = observed;
  return refusals.get(revisionToCreate(observed) ?? '') ?? [...refusals.values()][0];
}

/** What of the revisions that runtimes are made of ends again and again, whatever else is well. */
function loopOf({ observed, limits }: Situation): Failure | undefined {
  const revisions = [observed.update, revisionToCreate(observed)];
  const rows = [...observed.failures.values()]
    .filter(({ of }) => revisions.includes(of.revision))
    .toSorted((a, b) => b.count - a.count);
  const invalid = rows.find((one) => one.reason === 'AgentModuleInvalid');
  if (invalid !== undefined) return { reason: 'AgentModuleInvalid', message: labelled(invalid) };
  const worst = rows.find((one) => one.count >= limits.crashLoopFailures);
  if (worst === undefined) return undefined;
  return {
    reason: loopReason(worst, limits),
    message: `${worst.count} in a row: ${labelled(worst)}`,
  };
}

/** How a stalled roll-out goes on. */
function outlook(spec: AgentPoolSpec, observed: Observed): string {
  if (spec.updateStrategy.maxSurge > 0 || revisionToFallBackTo(observed.rollout) === undefined)
    return 'it is tried again every 5 minutes at least, and goes on by itself once one is ready';
  return 'updateStrategy.maxSurge 0 leaves no room to try it again: it goes on when the spec is changed';
}

function isReplacing(rollout: Rollout): rollout is Extract<Rollout, { at: 'rolling' }> {
  return rollout.at === 'rolling' && rollout.from !== undefined;
}

function hindered(status: Condition['status'], { reason, message }: Hindrance): Verdict {
  return say(status, reason, message);
}

function suspended(status: Condition['status']): Verdict {
  return say(status, 'Suspended', 'spec.operatingMode is Suspended');
}

function counts(tally: Tally): string {
  const parts = [`${tally.sharedReady}/${tally.sharedWanted} shared runtimes ready`];
  if (tally.hotWanted > 0) parts.push(`${tally.hotReady}/${tally.hotWanted} HOT projects`);
  if (tally.standbysWanted > 0)
    parts.push(`${tally.standbysReady}/${tally.standbysWanted} standbys`);
  return parts.join(', ');
}
