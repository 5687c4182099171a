/** The times by which runtimes and their store judge leases (architecture, "Ownership and fencing"). */

/** Time to live of a runtime's lease. */
export const LEASE_TTL_MS = 10_000;
export const LEASE_RENEW_MS = 2_000;
/** A runtime without a renewal for this long no longer trusts its own lease. */
export const LEASE_FENCE_MS = 7_000;
/** One takeover per project in this time, but where the connection was refused. */
export const TAKEOVER_INTERVAL_MS = 5_000;
