/** What the operator tells of a pool beside its status: what happened lately, and what the driver does not do. Kept in the pool's record, shown by `describe`. */
import type { EventReason } from './reasons.ts';

export const POOL_EVENTS_MAX = 50;

/** Equal events are one entry with a count. */
export interface PoolEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: EventReason;
  readonly message: string;
  readonly count: number;
  /** RFC 3339. */
  readonly firstTime: string;
  readonly lastTime: string;
}

export interface PoolReport {
  /** `process`, `kubernetes` … */
  readonly driver: string;
  /** Fields of the spec that this driver does not enforce, and what holds instead. */
  readonly notEnforced: readonly { readonly field: string; readonly instead: string }[];
  /** Oldest first; at most `POOL_EVENTS_MAX`. */
  readonly events: readonly PoolEvent[];
}
