/** How many instances fit into this runtime, and who goes first to make room; decides by numbers, ends nothing itself. */
import type { Tier } from '../../core/tier.ts';

export interface RoomRules {
  /** `tiers.warm.maxInstancesPerReplica`. */
  readonly perReplicaMax: number;
  /** `maxInstances` of the pool. */
  readonly poolMax: number;
  readonly hotProjects: number;
  readonly sharedRuntimes: number;
}

/** The pool's instances less those of HOT projects, split over the shared runtimes, within what one may have. */
export function roomOf(rules: RoomRules): number {
  const share = Math.ceil((rules.poolMax - rules.hotProjects) / rules.sharedRuntimes);
  return Math.max(1, Math.min(rules.perReplicaMax, share));
}

/** A tenant's limit over all runtimes, as this one's part of it. */
export function tenantRoomOf(tenantMax: number, sharedRuntimes: number): number {
  return Math.max(1, Math.ceil(tenantMax / sharedRuntimes));
}

export interface Candidate {
  readonly tier: Tier;
  /** For how long it has had nothing to do; 0: it is busy. */
  readonly idleMs: number;
  readonly leased: boolean;
}

/** Who goes first: COLD before WARM, then the idlest. Undefined: all are busy or leased. */
export function chooseVictim<Of extends Candidate>(candidates: Iterable<Of>): Of | undefined {
  let best: Of | undefined;
  for (const candidate of candidates) {
    if (candidate.idleMs <= 0 || candidate.leased) continue;
    if (best === undefined || goesBefore(candidate, best)) best = candidate;
  }
  return best;
}

function goesBefore(a: Candidate, b: Candidate): boolean {
  if ((a.tier === 'COLD') !== (b.tier === 'COLD')) return a.tier === 'COLD';
  return a.idleMs > b.idleMs;
}

export interface Idleness extends Candidate {
  readonly idleMsMax: number | undefined;
}

/** Unused for longer than its tier keeps it. */
export function isHibernationDue({ idleMs, idleMsMax, leased }: Idleness): boolean {
  return !leased && idleMsMax !== undefined && idleMs >= idleMsMax;
}
