/** Which steps of passes fail again and again, since when and by what: told once it lasts, until the step succeeds or is not wanted any more. Pure. */
import { StoreError } from '../../platform/store/store.ts';
import { CreateRefused, NameTaken } from './create-refused.ts';
import { Hindered, type HindranceReason } from './hindered.ts';

/** In the order of what is told first. */
export const STEPS = [
  'prepare',
  'keepTemplate',
  'keepModules',
  'apply',
  'bind',
  'end',
  'report',
  'publish',
  'tidy',
] as const;
export type Step = (typeof STEPS)[number];

export interface Hindrance {
  readonly reason: HindranceReason;
  readonly message: string;
}

interface StepFailure extends Hindrance {
  /** Monotonic ms. */
  readonly sinceMs: number;
  /** When it last failed, monotonic ms. */
  readonly triedMs: number;
  /** It failed again after it had failed for so long that it is told. */
  readonly lasts: boolean;
}

/** What nobody has tried for so long is not wanted any more. Longer than a new pod takes, that is tried in place of one that went. */
const FORGOTTEN_MS = 10 * 60_000;

/** By step; those that succeeded last are not in it. */
export type StepFailures = ReadonlyMap<Step, StepFailure>;

/** What became of each step that was tried; undefined: it succeeded. One that had nothing to do is not in it: that tells nothing. */
export type StepOutcomes = ReadonlyMap<Step, Error | undefined>;

export function noteSteps(
  before: StepFailures,
  outcomes: StepOutcomes,
  { nowMs, hindranceMs }: { readonly nowMs: number; readonly hindranceMs: number },
): StepFailures {
  const after = new Map(before);
  for (const [step, error] of outcomes) {
    // The condition of the store says that; whether the step would have gone well is not known.
    if (error instanceof StoreError) continue;
    const hindrance = hindranceBy(error);
    const sinceMs = before.get(step)?.sinceMs ?? nowMs;
    if (hindrance === undefined) after.delete(step);
    else {
      const lasts = nowMs - sinceMs >= hindranceMs;
      after.set(step, { ...hindrance, sinceMs, triedMs: nowMs, lasts });
    }
  }
  for (const [step, { triedMs }] of after) if (nowMs - triedMs >= FORGOTTEN_MS) after.delete(step);
  return after;
}

/** What lasts, the most telling of several. */
export function lastingHindrance(failures: StepFailures): Hindrance | undefined {
  const lasting = STEPS.map((step) => failures.get(step)).find((one) => one?.lasts === true);
  return lasting && { reason: lasting.reason, message: lasting.message };
}

/** Undefined: none, or one that is told in its own way. */
function hindranceBy(error: Error | undefined): Hindrance | undefined {
  if (error === undefined || error instanceof CreateRefused || error instanceof NameTaken)
    return undefined;
  return {
    reason: error instanceof Hindered ? error.reason : 'ReconcileFailed',
    message: error.message,
  };
}
