/** The latest events of a pool: bounded, equal ones counted, reasons from the closed table. */
import { POOL_EVENTS_MAX, type PoolEvent } from '../../api/pool-report.ts';
import { EVENT_REASONS, type EventReason } from '../../api/reasons.ts';

export interface NewEvent {
  readonly reason: EventReason;
  readonly message: string;
}

/** A deleted pool that was held for as long as it may be. */
export const ERASE_GIVEN_UP: NewEvent = {
  reason: 'EraseGivenUp',
  message: 'its projects could not be erased in time: they stay in the store',
};

export const STORE_UNAVAILABLE = {
  reason: 'StoreUnavailable',
  message: 'the store does not answer',
} as const satisfies NewEvent;

/** The list with these added, oldest first: one that is there already counts up and moves to the end. */
export function addEvents(
  events: readonly PoolEvent[],
  added: readonly NewEvent[],
  wallMs: number,
): readonly PoolEvent[] {
  const time = new Date(wallMs).toISOString();
  let list = [...events];
  for (const { reason, message } of added) {
    const same = list.find((one) => one.reason === reason && one.message === message);
    list = list.filter((one) => one !== same);
    list.push({
      type: EVENT_REASONS[reason].type,
      reason,
      message,
      count: (same?.count ?? 0) + 1,
      firstTime: same?.firstTime ?? time,
      lastTime: time,
    });
  }
  return list.slice(-POOL_EVENTS_MAX);
}
