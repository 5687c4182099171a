/** Takes the task to the runtime that has the project, and again where it moved or its runtime died. The one place that decides about repeats. */
import { AppError } from '../../core/errors.ts';
import { HOPS_MAX } from '../routing/router.ts';
import { attempt, type Outcome } from './attempt.ts';
import { type Call, poolOf } from '../task/call.ts';
import type { Grant } from '../task/grant.ts';
import type { Stage } from './stage.ts';
import type { StageContext } from './stage-context.ts';

const LOST_RETRY_MS = 1_000;
/** Runtimes that a task follows its project to, also while that changes hands all the time. */
const MOVES_MAX = 12;
/** Runtimes that may be lost under a task, whatever the reason for trying it again. */
const LOSSES_MAX = 5;

export function relay(context: StageContext): Stage {
  const { admission, clock, router } = context;
  return async (call) => {
    for (let trail: Trail = { hops: 0, moves: 0, epoch: 0 }; ;) {
      const grant = grantOf(call);
      const onServed = (): void => {
        router.served(call.project, grant.runtime, grant.takeover !== undefined);
      };
      const onLost = (ran: boolean): void => {
        if (ran && !grant.runtime.isDraining) blame(context, { call, grant });
      };
      const isSentOn = trail.moves > 0;
      const outcome = await attempt({ call, grant, clock, isSentOn, onServed, onLost });
      if (outcome.type === 'finished') {
        finish(context, { call, grant, outcome });
        return;
      }
      if (outcome.type === 'failed') fail(context, { call, error: outcome.error });
      else if (outcome.type === 'elsewhere')
        trail = follow(context, { call, grant, outcome, trail });
      else survive(context, { call, grant, outcome });
      const turn = admission.reacquire(call, poolOf(call));
      if (turn instanceof Promise) await turn;
    }
  };
}

/** The log has it for ever; `agentpool describe pool` as long as it lasts. */
function blame(
  { clock, log, quarantine }: StageContext,
  { call, grant }: { readonly call: Call; readonly grant: Grant },
): void {
  const { incarnation } = grant.runtime;
  if (!quarantine.died(call.project, incarnation, clock.nowMs())) return;
  const { namespace, name } = poolOf(call).ref;
  const { tenant, project } = call.request;
  log.warn('project is quarantined: runtimes ended twice while its tasks ran', {
    namespace,
    pool: name,
    tenant,
    project,
    instance_id: call.project,
    runtime: incarnation,
  });
}

type OutcomeOf<Type extends Outcome['type']> = Extract<Outcome, { readonly type: Type }>;

function finish(
  { quarantine, router }: StageContext,
  { call, grant, outcome }: { call: Call; grant: Grant; outcome: OutcomeOf<'finished'> },
): void {
  const { header, body, connectionReused } = outcome;
  quarantine.succeeded(call.project);
  router.served(call.project, grant.runtime, grant.takeover !== undefined);
  call.answer = { requestId: call.requestId, header, body, connectionReused };
}

/** Throws, unless the runtime lives but lost the project under the task: that counts like a lost runtime. */
function fail(
  { clock, metrics, rateRefusals }: StageContext,
  { call, error }: { call: Call; error: AppError },
): void {
  // The runtime knows that it was told to cancel, not why.
  if (error.reason === 'CANCELLED' && call.signal.aborted) throw AppError.from(call.signal.reason);
  rateRefusals.note(call.project, error, clock.nowMs());
  if (error.reason !== 'RUNTIME_LOST' || !mayRepeat(call, true, false)) throw error;
  metrics.retried(poolOf(call));
}

/** How a task has followed its project. */
interface Trail {
  /** In a row, without news. */
  readonly hops: number;
  readonly moves: number;
  /** The newest that was told. */
  readonly epoch: number;
}

/** The task never started there: not a repeat, but not for ever either. A project that changes hands meanwhile is no circle. */
function follow(
  { router }: StageContext,
  step: { call: Call; grant: Grant; outcome: OutcomeOf<'elsewhere'>; trail: Trail },
): Trail {
  const { call, grant, outcome, trail } = step;
  router.elsewhere(call.project, grant.runtime, outcome.owner, outcome.epoch);
  const hops = outcome.epoch > trail.epoch ? 1 : trail.hops + 1;
  const moves = trail.moves + 1;
  if (hops >= HOPS_MAX || moves >= MOVES_MAX)
    throw new AppError(
      'OWNER_UNREACHABLE',
      `no runtime had the project after ${moves} hops, it is on the move: try again`,
      {
        retryAfterMs: LOST_RETRY_MS,
      },
    );
  return { hops, moves, epoch: Math.max(outcome.epoch, trail.epoch) };
}

/** Throws unless the task may be sent again. */
function survive(
  context: StageContext,
  step: { call: Call; grant: Grant; outcome: OutcomeOf<'lost'> },
): void {
  const { call, grant, outcome } = step;
  const { metrics, router } = context;
  router.lost(grant.runtime, outcome.refused);
  if (!mayRepeat(call, outcome.ran, isOneOfSeveralSuspects(context, call)))
    throw new AppError(
      'RUNTIME_LOST',
      'the runtime was lost under the task: try again with the same request_id',
      {
        retryAfterMs: LOST_RETRY_MS,
      },
    );
  metrics.retried(poolOf(call));
}

/** At most one of those that a death condemned is guilty: the others must not pay, so each is tried once more, alone. */
function isOneOfSeveralSuspects({ clock, quarantine }: StageContext, call: Call): boolean {
  const resetMs = poolOf(call).spec.circuitBreaker.resetTimeoutSeconds * 1000;
  return quarantine.verdict(call.project, clock.nowMs(), resetMs).type === 'suspect';
}

/** Once after the agent has run, twice for one of several suspects, while nothing was sent to the caller. Counts the loss. */
function mayRepeat(call: Call, ran: boolean, isSuspect: boolean): boolean {
  if (ran) call.lossesInRun += 1;
  call.losses += 1;
  if (call.signal.aborted) throw AppError.from(call.signal.reason);
  if (call.request.retry === 'NEVER' || call.hasSentChunk) return false;
  const isOverdone = ran && call.lossesInRun > (isSuspect ? 2 : 1);
  return !isOverdone && call.losses < LOSSES_MAX;
}

function grantOf(call: Call): Grant {
  if (call.grant === undefined) throw new AppError('INTERNAL', 'the task was not admitted');
  return call.grant;
}
