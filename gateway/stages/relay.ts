/** Takes the task to the runtime that has the project, and again where it moved or its runtime died. The one place that decides about repeats. */
import { AppError } from '../../core/errors.ts';
import { HOPS_MAX } from '../routing/router.ts';
import { attempt, type Outcome } from './attempt.ts';
import { type Call, poolOf } from './call.ts';
import type { Grant } from '../admission/grant.ts';
import type { Stage } from './pipeline.ts';
import type { StageContext } from './stage-context.ts';

const LOST_RETRY_MS = 1_000;
/** Runtimes that may be lost under a task that had not started on any of them. */
const LOSSES_MAX = 3;

export function relay(context: StageContext): Stage {
  const { admission, clock, router } = context;
  return async (call) => {
    for (let hops = 0; ; ) {
      const grant = grantOf(call);
      const onServed = (): void => {
        router.served(call.project, grant.runtime, grant.takeover !== undefined);
      };
      const outcome = await attempt({ call, grant, clock, onServed });
      if (outcome.type === 'finished') return finish(context, call, grant, outcome);
      if (outcome.type === 'failed') throw refusal(context, call, outcome.error);
      if (outcome.type === 'elsewhere') hops = follow(context, { call, grant, outcome, hops });
      else survive(context, { call, grant, outcome });
      const turn = admission.reacquire(call, poolOf(call));
      if (turn instanceof Promise) await turn;
    }
  };
}

type OutcomeOf<Type extends Outcome['type']> = Extract<Outcome, { readonly type: Type }>;

function finish({ quarantine, router }: StageContext, call: Call, grant: Grant, outcome: OutcomeOf<'finished'>): void {
  const { header, body, connectionReused } = outcome;
  quarantine.succeeded(call.project);
  router.served(call.project, grant.runtime, grant.takeover !== undefined);
  call.answer = { requestId: call.requestId, header, body, connectionReused };
}

function refusal({ clock, rateRefusals }: StageContext, call: Call, error: AppError): AppError {
  rateRefusals.note(call.project, error, clock.nowMs());
  return error;
}

/** The task never started there: not a repeat, but not for ever either. */
function follow({ router }: StageContext, step: { call: Call; grant: Grant; outcome: OutcomeOf<'elsewhere'>; hops: number }): number {
  const { call, grant, outcome, hops } = step;
  router.elsewhere(call.project, grant.runtime, outcome.owner, outcome.epoch);
  if (hops + 1 >= HOPS_MAX)
    throw new AppError('OWNER_UNREACHABLE', `the project was not found after ${HOPS_MAX} hops`, { retryAfterMs: LOST_RETRY_MS });
  return hops + 1;
}

/** Throws unless the task may be sent again. */
function survive({ clock, metrics, quarantine, router }: StageContext, step: { call: Call; grant: Grant; outcome: OutcomeOf<'lost'> }): void {
  const { call, grant, outcome } = step;
  const { runtime } = grant;
  router.lost(runtime, outcome.refused);
  if (outcome.ran && !runtime.isDraining) quarantine.died(call.project, runtime.incarnation, clock.nowMs());
  const hadRun = call.hasRun;
  call.hasRun ||= outcome.ran;
  call.losses += 1;
  if (call.signal.aborted) throw AppError.from(call.signal.reason);
  const isLast = call.request.retry === 'NEVER' || call.hasSentChunk || (hadRun && outcome.ran) || call.losses >= LOSSES_MAX;
  if (isLast) throw new AppError('RUNTIME_LOST', 'the runtime of the task was lost', { retryAfterMs: LOST_RETRY_MS });
  metrics.retried(poolOf(call));
}

function grantOf(call: Call): Grant {
  if (call.grant === undefined) throw new AppError('INTERNAL', 'the task was not admitted');
  return call.grant;
}
