/** What stands behind the keys: the rows that no port type covers, and how large things count. */
import type {
  ClientLease,
  Ownership,
  ProjectRecord,
  StateEntry,
  StoredResult,
  Turn,
} from './store.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { RateBucket } from '../../core/rate.ts';

export interface ProjectRow {
  /** Under which its data hangs; never used twice. */
  readonly number: number;
  readonly owner?: Ownership;
  readonly epoch: number;
  readonly seq: number;
  readonly paused: boolean;
  readonly leases: readonly ClientLease[];
  readonly rate?: RateBucket;
  readonly storedBytes: number;
  readonly resultBytes: number;
  readonly requests: number;
  readonly lastUsedMs: number;
  /** The log holds the orders from `logFirst` up to, not including, `logNext`. */
  readonly logFirst: number;
  readonly logNext: number;
  readonly nextConversation: number;
  /** How many there are; absent in rows of older versions. */
  readonly conversations?: number;
}

export interface LogRow {
  readonly requestId: string;
  readonly digest: string;
  readonly bytes: number;
  readonly finishedAtMs: number;
}

export interface ResultRow {
  readonly order: number;
  readonly result: StoredResult;
}

export interface ConversationRow {
  readonly id: string;
  /** Under which its turns hang; a forgotten conversation of the same name had another. */
  readonly number: number;
  readonly agent: string;
  /** The turns from `first` up to, not including, `turnCount` are retained. */
  readonly first: number;
  readonly turnCount: number;
  readonly bytes: number;
  readonly updatedMs: number;
}

export interface Counters {
  readonly projects: number;
  /** At least the epoch of every erased project, so that a name that comes back still moves routes forward. */
  readonly epochFloor: number;
  readonly generations: number;
}

export const NO_COUNTERS: Counters = { projects: 0, epochFloor: 0, generations: 0 };

export function newProjectRow(number: number, epoch: number): ProjectRow {
  return {
    number,
    epoch,
    seq: 0,
    paused: false,
    leases: [],
    storedBytes: 0,
    resultBytes: 0,
    requests: 0,
    lastUsedMs: 0,
    logFirst: 0,
    logNext: 0,
    nextConversation: 0,
  };
}

export function withoutOwner(row: ProjectRow): ProjectRow {
  const rest: { -readonly [K in keyof ProjectRow]: ProjectRow[K] } = { ...row };
  delete rest.owner;
  return rest;
}

export function toRecord(key: ProjectKey, row: ProjectRow): ProjectRecord {
  const { epoch, seq, paused, leases, storedBytes, requests, lastUsedMs } = row;
  const record = { key, epoch, seq, paused, leases, storedBytes, requests, lastUsedMs };
  return row.owner === undefined ? record : { ...record, owner: row.owner };
}

/** Older rows tell at least how many there can be. */
export const conversationsOf = (row: ProjectRow): number =>
  row.conversations ?? row.nextConversation;

/** What a row costs beyond its texts: keys, indexes, numbers. An estimate, the same for every backend. */
export const ROW_BYTES = 64;

export function stateBytes(entry: StateEntry): number {
  return ROW_BYTES + Buffer.byteLength(entry.key) + Buffer.byteLength(entry.json);
}

export function resultBytes(result: StoredResult): number {
  return 2 * ROW_BYTES + result.requestId.length + result.output.body.byteLength;
}

export function turnBytes(turn: Omit<Turn, 'index'>): number {
  return ROW_BYTES + Buffer.byteLength(turn.json);
}
