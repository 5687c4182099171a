/** How the fake API server misbehaves towards one client: probabilities for each call, rolled from the seed. */
export interface KubeFaults {
  /** Calls take up to so long. */
  readonly latencyMaxMs: number;
  /** Nothing happens, and the caller is told so. */
  readonly unavailable: number;
  readonly tooManyRequests: number;
  /** A write is refused as if somebody had been faster. */
  readonly conflict: number;
  /** A write is never answered: it was applied, it was lost, or it is applied when nobody expects it any more. */
  readonly unknownApplied: number;
  readonly unknownLost: number;
  readonly unknownLate: number;
  /** When a caller without an answer gives up; a late write lands up to three times as late. */
  readonly timeoutMs: number;
  /** A list shows the cluster as it was up to so many writes ago. */
  readonly staleList: number;
  readonly staleWritesMax: number;
  /** Before an event: the watch ends. */
  readonly watchCut: number;
  /** Instead of an event: the watch is silent from now on, and does not end. */
  readonly watchStall: number;
  /** The event never comes. */
  readonly watchLoss: number;
  /** Events are up to so late; their order stays. */
  readonly watchLateMaxMs: number;
}

export const NO_FAULTS: KubeFaults = {
  latencyMaxMs: 0,
  unavailable: 0,
  tooManyRequests: 0,
  conflict: 0,
  unknownApplied: 0,
  unknownLost: 0,
  unknownLate: 0,
  timeoutMs: 10_000,
  staleList: 0,
  staleWritesMax: 20,
  watchCut: 0,
  watchStall: 0,
  watchLoss: 0,
  watchLateMaxMs: 0,
};

/** Everything at once, each seldom enough that work gets done. */
export const MANY_FAULTS: KubeFaults = {
  latencyMaxMs: 50,
  unavailable: 0.03,
  tooManyRequests: 0.01,
  conflict: 0.03,
  unknownApplied: 0.02,
  unknownLost: 0.01,
  unknownLate: 0.01,
  timeoutMs: 10_000,
  staleList: 0.2,
  staleWritesMax: 20,
  watchCut: 0.02,
  watchStall: 0.003,
  watchLoss: 0,
  watchLateMaxMs: 400,
};
