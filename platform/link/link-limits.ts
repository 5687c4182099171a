/** Times and bounds of a link; every queue and map of the link's two ends is bounded by one of these. */

export interface LinkTimes {
  /** A ping is sent this often. */
  readonly pingMs: number;
  /** Silence for longer than pingMs + pingTimeoutMs: the link is lost. */
  readonly pingTimeoutMs: number;
  /** From the dial to the runtime's welcome. */
  readonly connectTimeoutMs: number;
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
}

/** `spec.link` of a pool when it says nothing. */
export const LINK_TIMES: LinkTimes = {
  pingMs: 1000,
  pingTimeoutMs: 1000,
  connectTimeoutMs: 2000,
  reconnectMinMs: 50,
  reconnectMaxMs: 5000,
};

/** A runtime closes a link whose gateway is silent for this long: a half-open connection is found by nothing else. */
export const GATEWAY_SILENCE_MS_MAX = 15_000;
/** Whatever `spec.link.pingMs` says: an idle link must not look like a dead gateway to the runtime. */
export const PING_MS_MAX = 5_000;
/** Shortest time between two pings that are sent early because demand outgrew the grant. */
export const DEMAND_PING_MS = 50;
/** A task whose window stays shut for so long while bytes wait ends with SLOW_CONSUMER. */
export const SLOW_CONSUMER_MS = 10_000;

/** Unfinished tasks of one link, parked ones included. */
export const LINK_TASKS_MAX = 10_000;
/** Calls of one link that wait for their reply. */
export const LINK_CALLS_MAX = 1_000;
/** Cancels that overtook their task; the oldest is forgotten first. */
export const EARLY_CANCELS_MAX = 1_000;
/** One task's input, and one answer or chunk. Pools have tighter limits; this one bounds memory. */
export const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Input bytes of tasks of one link whose end has not come yet. */
export const ASSEMBLY_BYTES_MAX = 256 * 1024 * 1024;
/** Output of one task that waits for its window; a handler that ignores back-pressure fails its task. */
export const QUEUED_BYTES_MAX = 80 * 1024 * 1024;
/** Consumed bytes are given back to the sender in portions of at least this size. */
export const WINDOW_RETURN_BYTES = 64 * 1024;
