/**
 * Who may claim a project and whose commit counts (architecture, "Ownership and fencing"): decisions as data, shared by every
 * store adapter. Knows neither leases nor clocks; callers bring what they observed.
 */

export interface OwnedRecord {
  /** Absent: free or released. */
  readonly owner?: { readonly incarnation: string; readonly claimId: string };
  readonly epoch: number;
  readonly seq: number;
}

export interface ClaimAttempt {
  readonly incarnation: string;
  readonly claimId: string;
  readonly takeover?: {
    readonly incarnation: string;
    readonly epoch: number;
    readonly refused: boolean;
  };
}

export interface ClaimSituation {
  /** Absent: the project was never heard of. */
  readonly record: OwnedRecord | undefined;
  readonly ownerLeaseAlive: boolean;
  /** Monotonic ms of the last counted takeover of this project, if it is still known. */
  readonly takeoverAtMs: number | undefined;
  readonly takeoverIntervalMs: number;
  readonly nowMs: number;
}

export type ClaimDecision =
  /** Becomes the owner with epoch + 1; `takeoverCounted`: remember `nowMs` as the time of the last takeover. */
  | { readonly type: 'granted'; readonly takeoverCounted: boolean }
  /** This very claim was granted before and still holds: answer it the same, change nothing. */
  | { readonly type: 'again' }
  | { readonly type: 'moved' }
  | { readonly type: 'limited'; readonly retryAfterMs: number };

const GRANTED: ClaimDecision = { type: 'granted', takeoverCounted: false };

/** The table of the architecture, top to bottom; the first row that fits decides. */
export function decideClaim(attempt: ClaimAttempt, situation: ClaimSituation): ClaimDecision {
  const { record, ownerLeaseAlive } = situation;
  if (record?.owner === undefined) return GRANTED;
  const { owner, epoch } = record;
  if (owner.incarnation === attempt.incarnation) {
    return owner.claimId === attempt.claimId ? { type: 'again' } : GRANTED;
  }
  if (!ownerLeaseAlive) return GRANTED;
  const { takeover } = attempt;
  if (takeover?.incarnation !== owner.incarnation || takeover.epoch !== epoch)
    return { type: 'moved' };
  return takeover.refused ? GRANTED : limitTakeover(situation);
}

function limitTakeover(situation: ClaimSituation): ClaimDecision {
  const { takeoverAtMs = -Infinity, takeoverIntervalMs, nowMs } = situation;
  const waitMs = takeoverAtMs + takeoverIntervalMs - nowMs;
  if (waitMs > 0) return { type: 'limited', retryAfterMs: Math.ceil(waitMs) };
  return { type: 'granted', takeoverCounted: true };
}

/** Equality of the random claim id and of the sequence number, never "greater epoch": a failed-over store can hand out an epoch twice. */
export function checkCommit(
  record: OwnedRecord | undefined,
  claim: { readonly claimId: string; readonly seq: number },
): 'accepted' | 'refused' {
  if (!holdsClaim(record, claim.claimId)) return 'refused';
  return record?.seq === claim.seq ? 'accepted' : 'refused';
}

/** Whether the record still belongs to this claim; enough for a release, not for a commit. */
export function holdsClaim(record: OwnedRecord | undefined, claimId: string): boolean {
  return record?.owner !== undefined && record.owner.claimId === claimId;
}

/** A pause written past the owner: only where nobody serves, and nobody has claimed since the caller looked (absent record: epoch 0). */
export function checkPauseEpoch(
  record: OwnedRecord | undefined,
  ownerLeaseAlive: boolean,
  epoch: number,
): 'accepted' | 'changed' {
  return !ownerLeaseAlive && (record?.epoch ?? 0) === epoch ? 'accepted' : 'changed';
}
