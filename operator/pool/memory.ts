/** What the operator remembers of a pool between two looks at it: plain data, lost with the process and made anew. */
import type { RuntimeName } from './driver.ts';
import type { StartKey } from './start-key.ts';
import type { StepFailures } from './hindrance.ts';
import type { Failures, Refusal, Rollout } from './observed.ts';

export interface Memory {
  /** When a runtime became ready in what it is for now (monotonic ms); a standby that is bound starts anew. */
  readonly readySinceMs: ReadonlyMap<RuntimeName, number>;
  /** Since when those that run have had no live lease (monotonic ms). */
  readonly unheardSinceMs: ReadonlyMap<RuntimeName, number>;
  /** Runtimes whose end has been counted already, as long as a list shows them. */
  readonly mourned: ReadonlySet<RuntimeName>;
  readonly failures: ReadonlyMap<StartKey, Failures>;
  /** By revision; none: the last create was not refused, or nothing is wanted any more. */
  readonly refusals: ReadonlyMap<string, Refusal>;
  readonly stepFailures: StepFailures;
  readonly rollout?: Rollout;
  /** Revision whose runtimes get new projects. */
  readonly served?: string;
  /** Revision of which a runtime last became ready while it was the pool's. */
  readonly good?: string;
  /** Revision that was rolled out to the last runtime. */
  readonly complete?: string;
}

export const NO_MEMORY: Memory = {
  readySinceMs: new Map(),
  unheardSinceMs: new Map(),
  mourned: new Set(),
  failures: new Map(),
  refusals: new Map(),
  stepFailures: new Map(),
};
