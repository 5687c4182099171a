/** Claims, releases, pauses and erasures inside one transaction; the decisions are core's. */
import { checkPauseEpoch, decideClaim, holdsClaim } from '../../core/ownership.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { TierOverride } from '../../core/tier.ts';
import type { KeyValue, KeyValueReader } from './key-value.ts';
import {
  COUNTERS_KEY,
  dataPrefix,
  logPrefix,
  overrideKey,
  projectRowKey,
  statePrefix,
  sweepKey,
  under,
} from './keys.ts';
import {
  NO_COUNTERS,
  newProjectRow,
  withoutOwner,
  type Counters,
  type LogRow,
  type ProjectRow,
} from './rows.ts';
import {
  TAKEOVER_INTERVAL_MS,
  type Activation,
  type Claim,
  type ClaimAnswer,
  type ClaimRequest,
  type Owner,
  type RuntimeRecord,
  type StateEntry,
  type SeenProject,
} from './store.ts';

export interface ClaimContext {
  readonly findRuntime: (incarnation: string) => RuntimeRecord | undefined;
  readonly takeoverAtMs: number | undefined;
  readonly nowMs: number;
}

export interface ClaimOutcome {
  readonly answer: ClaimAnswer;
  readonly takeoverCounted: boolean;
}

export function readCounters(kv: KeyValueReader): Counters {
  return (kv.get(COUNTERS_KEY) as Counters | undefined) ?? NO_COUNTERS;
}

export function readRow(kv: KeyValueReader, key: ProjectKey): ProjectRow | undefined {
  return kv.get(projectRowKey(key)) as ProjectRow | undefined;
}

export function claimProject(
  kv: KeyValue,
  request: ClaimRequest,
  context: ClaimContext,
): ClaimOutcome {
  const row = readRow(kv, request.key);
  const owner = ownerOf(row, context.findRuntime);
  const decision = decideClaim(request, {
    record: row,
    ownerLeaseAlive: owner !== undefined,
    takeoverAtMs: context.takeoverAtMs,
    takeoverIntervalMs: TAKEOVER_INTERVAL_MS,
    nowMs: context.nowMs,
  });
  if (decision.type === 'limited') return { answer: decision, takeoverCounted: false };
  if (decision.type === 'moved' && owner !== undefined) {
    return { answer: { type: 'moved', owner }, takeoverCounted: false };
  }
  const owned = decision.type === 'again' && row !== undefined ? row : grant(kv, request, row);
  const answer: ClaimAnswer = { type: 'claimed', activation: activationOf(kv, request, owned) };
  return { answer, takeoverCounted: decision.type === 'granted' && decision.takeoverCounted };
}

function grant(kv: KeyValue, request: ClaimRequest, row: ProjectRow | undefined): ProjectRow {
  const base = row ?? createRow(kv);
  const { incarnation, claimId } = request;
  const granted: ProjectRow = { ...base, owner: { incarnation, claimId }, epoch: base.epoch + 1 };
  kv.put(projectRowKey(request.key), granted);
  return granted;
}

function createRow(kv: KeyValue): ProjectRow {
  const counters = readCounters(kv);
  kv.put(COUNTERS_KEY, { ...counters, projects: counters.projects + 1 });
  return newProjectRow(counters.projects, counters.epochFloor);
}

function activationOf(kv: KeyValueReader, request: ClaimRequest, row: ProjectRow): Activation {
  const { key, incarnation, claimId } = request;
  const override = kv.get(overrideKey(key)) as TierOverride | undefined;
  const log = kv.range(under(logPrefix(row.number)));
  return {
    claim: { key, incarnation, claimId, epoch: row.epoch, seq: row.seq },
    paused: row.paused,
    leases: row.leases,
    state: kv.range(under(statePrefix(row.number))).map((entry) => entry.value as StateEntry),
    results: log.map((entry) => {
      const { requestId, digest } = entry.value as LogRow;
      return { requestId, digest };
    }),
    known: row.seq > 0,
    ...(override === undefined ? {} : { override }),
    ...(row.rate === undefined ? {} : { rate: row.rate }),
  };
}

/** The owner, if its lease lives. */
export function ownerOf(
  row: ProjectRow | undefined,
  findRuntime: ClaimContext['findRuntime'],
): Owner | undefined {
  if (row?.owner === undefined) return undefined;
  const runtime = findRuntime(row.owner.incarnation);
  if (runtime === undefined) return undefined;
  return { incarnation: runtime.incarnation, address: runtime.address, epoch: row.epoch };
}

export function releaseProject(kv: KeyValue, claim: Claim): void {
  const row = readRow(kv, claim.key);
  if (row === undefined || !holdsClaim(row, claim.claimId)) return;
  kv.put(projectRowKey(claim.key), withoutOwner(row));
}

export interface PauseRequest {
  readonly key: ProjectKey;
  readonly paused: boolean;
  readonly epoch: number;
}

/** An owner whose lease has ended loses the project: it may come back, and would not know of the flag. */
export function pauseProject(
  kv: KeyValue,
  request: PauseRequest,
  findRuntime: ClaimContext['findRuntime'],
): 'set' | 'changed' {
  const row = readRow(kv, request.key);
  const ownerLeaseAlive = ownerOf(row, findRuntime) !== undefined;
  if (checkPauseEpoch(row, ownerLeaseAlive, request.epoch) === 'changed') return 'changed';
  if (row === undefined && !request.paused) return 'set';
  const base = row ?? createRow(kv);
  kv.put(projectRowKey(request.key), { ...withoutOwner(base), paused: request.paused });
  return 'set';
}

/** The prefix that is left to be swept, and whether there was anything. */
export interface Erasure {
  readonly found: boolean;
  readonly prefix?: string;
}

export function eraseProject(kv: KeyValue, key: ProjectKey, unchanged?: SeenProject): Erasure {
  if (unchanged !== undefined && !isAsSeen(readRow(kv, key), unchanged)) return { found: false };
  const overridden = kv.get(overrideKey(key)) !== undefined;
  if (overridden) kv.remove(overrideKey(key));
  const row = readRow(kv, key);
  if (row === undefined) return { found: overridden };
  const counters = readCounters(kv);
  if (row.epoch > counters.epochFloor) kv.put(COUNTERS_KEY, { ...counters, epochFloor: row.epoch });
  kv.remove(projectRowKey(key));
  const prefix = dataPrefix(row.number);
  kv.put(sweepKey(prefix), true);
  return { found: true, prefix };
}

function isAsSeen(row: ProjectRow | undefined, { epoch, seq }: SeenProject): boolean {
  return row?.epoch === epoch && row.seq === seq;
}
