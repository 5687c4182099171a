/** Bounds and times of the operator's decisions about one pool, each with its unit in its name. */
export interface PoolLimits {
  /** Runtimes of a pool that may be starting at once. Processes share the machine that the operator is on: few. */
  readonly startsInFlightMax: number;
  /** On top of health.initializeTimeoutSeconds: time to start a process and to read its module. */
  readonly startGraceMs: number;
  /** On top of limits.taskTimeoutSeconds: time for a draining runtime to commit and release. */
  readonly drainGraceMs: number;
  /** All the time for one that is still starting. */
  readonly drainStartingMs: number;
  /** A runtime that was ready, and has had no live lease for so long, is lost: whatever keeps it alive ends it sooner, where that can. */
  readonly unheardMs: number;
  /** The same of one whose machine does not answer either. */
  readonly unseenMs: number;
  /** A runtime that ends sooner after it was ready counts as a failed start. */
  readonly stableMs: number;
  /** Second failure in a row waits this long, each further one twice as long. The first is made good at once. */
  readonly restartBackoffMinMs: number;
  readonly restartBackoffMaxMs: number;
  /** The same after one that had been ready: what a project's agents do must not make all others wait for long. */
  readonly lostBackoffMaxMs: number;
  /** The same where a stalled roll-out is tried again: others serve meanwhile. */
  readonly trialBackoffMaxMs: number;
  /** After a refused create, each further one in a row waits twice as long, up to restartBackoffMaxMs. */
  readonly refusedBackoffMinMs: number;
  /** A module that does not load is hardly mended by another try. */
  readonly moduleRetryMinMs: number;
  /** Failures in a row from which on a pool is said to be crash-looping. */
  readonly crashLoopFailures: number;
  /** A step of passes that has failed for so long, and fails again, is told. */
  readonly hindranceMs: number;
  /** How often to look whether a demoted project has been released. */
  readonly demotionPollMs: number;
  /** All that nobody waits for (status, belongings) is left for so long after a promotion; where one follows another, at most for the longer. */
  readonly hurryMs: number;
  readonly hurryMsMax: number;
  /** What a runtime took is written down so long after it was given. */
  readonly markWaitMs: number;
  /** Standbys are made good so long after a promotion; where one follows another, or takes long, at most the longer after the first of them. */
  readonly refillWaitMs: number;
  readonly refillWaitMsMax: number;
  /** Standbys that nobody waits for: so many start at once, or this part of `tiers.hot.standby` where that is more. */
  readonly refillStartsMax: number;
  readonly refillStartsShare: number;
  /** One that takes longer to be ready keeps no others from starting: it may never be. */
  readonly refillStartsMs: number;
  /** What is told of runtimes is gathered for so long before it is looked at: a start is told in ten parts. What people ask for is looked at at once. */
  readonly gatherMs: number;
  /** The same of how many instances runtimes have, where other news are gathered at all: it is only shown. */
  readonly countsMs: number;
  /** How often to look though nothing happened: whatever a lost event left undone. */
  readonly resyncMs: number;
  /** The same where there is no runtime and none is wanted: of thousands of such pools each look costs. */
  readonly emptyResyncMs: number;
  /** How often to look while the store does not answer; that it answers again is told. */
  readonly blindPollMs: number;
  /** Projects read per pass to find those that tiers.default makes HOT. */
  readonly projectsScannedMax: number;
  /** Counts in the status change all the time: written at most this often, all else at once. */
  readonly countsWriteIntervalMs: number;
}

export const POOL_LIMITS: PoolLimits = Object.freeze({
  startsInFlightMax: 4,
  startGraceMs: 10_000,
  drainGraceMs: 15_000,
  drainStartingMs: 5_000,
  unheardMs: 30_000,
  unseenMs: 5_000,
  stableMs: 5_000,
  restartBackoffMinMs: 250,
  restartBackoffMaxMs: 30_000,
  lostBackoffMaxMs: 1_000,
  trialBackoffMaxMs: 300_000,
  refusedBackoffMinMs: 1_000,
  moduleRetryMinMs: 10_000,
  crashLoopFailures: 3,
  hindranceMs: 5_000,
  demotionPollMs: 250,
  hurryMs: 200,
  hurryMsMax: 1_000,
  markWaitMs: 1_000,
  refillWaitMs: 1_000,
  refillWaitMsMax: 5_000,
  gatherMs: 0,
  countsMs: 1_000,
  refillStartsMax: 4,
  refillStartsShare: 0.1,
  refillStartsMs: 30_000,
  resyncMs: 30_000,
  emptyResyncMs: 180_000,
  blindPollMs: 5_000,
  projectsScannedMax: 10_000,
  countsWriteIntervalMs: 5_000,
});

/**
 * Pods start on many nodes, and kubelets and scheduler bound that themselves: waiting for the first ones would only be slower. As many
 * as the ReplicaSet controller makes in one go; creates that fail end a pass early all the same.
 */
export const CLUSTER_POOL_LIMITS: PoolLimits = Object.freeze({
  ...POOL_LIMITS,
  startsInFlightMax: 500,
  gatherMs: 50,
});
