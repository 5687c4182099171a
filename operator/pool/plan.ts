/** What `decide` answers: actions as plain data, and when to look again. */
import type { Role } from '../../api/names.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { ResourceClass, RuntimeName } from './driver.ts';
import type { StartKey } from './start-key.ts';

export type DrainReason =
  | 'ScaledDown'
  /** A runtime of the new revision has taken its place. */
  | 'Replaced'
  | 'StandbySurplus'
  /** Its project is not HOT any more, and released. */
  | 'Demoted'
  /** Its project has been idle for tiers.hot.idleSeconds. */
  | 'Idle'
  /** Its project is HOT, but there is no room for it. */
  | 'HotCapacity'
  | 'Suspended'
  | 'Deleted';

export type RemoveReason =
  | 'Exited'
  | 'Silent'
  /** It runs, and has no live lease. */
  | 'Unheard'
  | 'StartTimeout';

export type CreateAction = {
  readonly do: 'create';
  readonly role: Role;
  readonly revision: string;
  readonly resources: ResourceClass;
  /** Of a revision whose roll-out is stalled, beside those that serve. */
  readonly isTrial?: true;
};

export type Action =
  | CreateAction
  | { readonly do: 'bind'; readonly name: RuntimeName; readonly project: ProjectKey }
  /** What it took is to be written down. */
  | { readonly do: 'mark'; readonly name: RuntimeName; readonly project: ProjectKey }
  | {
      readonly do: 'drain';
      readonly name: RuntimeName;
      readonly withinMs: number;
      readonly why: DrainReason;
    }
  | {
      readonly do: 'remove';
      readonly name: RuntimeName;
      readonly incarnations: readonly string[];
      readonly why: RemoveReason;
    };

export interface Plan {
  readonly actions: readonly Action[];
  /** All that is wanted, also what must wait; absent: nothing is. */
  readonly asked?: ReadonlySet<StartKey>;
  /** More is to be done than one pass may do. */
  readonly partial: boolean;
  /** No further runtime is wanted, now or later. */
  readonly isComplete: boolean;
  /** Look again after this time though nothing happened; absent: when something happens. */
  readonly wakeInMs?: number;
}

/** What one part of the decision asks for; creates apart, as they share one budget. */
export interface PartialPlan {
  readonly actions: readonly Action[];
  /** Most urgent first. */
  readonly creates: readonly CreateAction[];
  /** What else is wanted, and waits. */
  readonly asked?: readonly StartKey[];
  /** So many more are wanted after one of `wakeAtMs`. */
  readonly later?: number;
  /** Monotonic ms. */
  readonly wakeAtMs: readonly number[];
}

export function withoutCreates(plan: Plan): Plan {
  return { ...plan, actions: plan.actions.filter((action) => action.do !== 'create') };
}
