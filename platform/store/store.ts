/**
 * The store port: what gateway, runtimes and operator ask of whatever remembers (memory, embedded, Redis), in the
 * architecture's words. Every adapter passes test/conformance/store.ts. No method is ever retried by an adapter.
 */
import type { RedisReason } from '../../api/reasons.ts';
import type { PoolKey, ProjectKey } from '../../core/identifiers.ts';
import type { RateBucket } from '../../core/rate.ts';
import type { TierOverride } from '../../core/tier.ts';
import type { Retention } from './commit-limit.ts';
import type { ClientLease, ProjectRecord, SeenProject } from './project-record.ts';
import type { RuntimeChange } from './runtime-changes.ts';
import type { RuntimeRecord } from './runtime-record.ts';

export type { Retention } from './commit-limit.ts';
export type { ClientLease, Ownership, ProjectRecord, SeenProject } from './project-record.ts';
export { StoreError } from './store-error.ts';
export type { AgentInfo, RuntimeRecord } from './runtime-record.ts';
export type { RuntimeChange } from './runtime-changes.ts';
export {
  LEASE_FENCE_MS,
  LEASE_RENEW_MS,
  LEASE_TTL_MS,
  TAKEOVER_INTERVAL_MS,
} from './lease-times.ts';

export interface ClaimRequest {
  readonly key: ProjectKey;
  readonly incarnation: string;
  /** Fresh and random. The same id again is answered like the first time (an unknown outcome can be asked again). */
  readonly claimId: string;
  /** The owner does not answer: claim although its lease lives, if it still is this owner at this epoch. */
  readonly takeover?: {
    readonly incarnation: string;
    readonly epoch: number;
    /** The connection was refused, so nobody listens there: not counted against the limit of one takeover per 5 s. */
    readonly refused: boolean;
  };
}

export type ClaimAnswer =
  | { readonly type: 'claimed'; readonly activation: Activation }
  /** Another runtime owns it under a live lease. */
  | { readonly type: 'moved'; readonly owner: Owner }
  /** A takeover was asked too soon after the last one. */
  | { readonly type: 'limited'; readonly retryAfterMs: number };

export interface Owner {
  readonly incarnation: string;
  readonly address: string;
  readonly epoch: number;
}

/** All that an owner needs to serve the project; conversations are read lazily. */
export interface Activation {
  readonly claim: Claim;
  readonly paused: boolean;
  readonly leases: readonly ClientLease[];
  readonly override?: TierOverride;
  readonly state: readonly StateEntry[];
  /** Retained results, oldest first. */
  readonly results: readonly ResultId[];
  readonly rate?: RateBucket;
  /** False: the project was never committed before. */
  readonly known: boolean;
}

export interface Claim {
  readonly key: ProjectKey;
  readonly incarnation: string;
  readonly claimId: string;
  readonly epoch: number;
  /** Sequence number that the next commit must carry. */
  readonly seq: number;
}

/** State is per project and agent, and per conversation (`conversation` set). */
export interface StateEntry {
  readonly agent: string;
  readonly conversation?: string;
  readonly key: string;
  /** JSON text. */
  readonly json: string;
}

export interface StateWrite {
  readonly agent: string;
  readonly conversation?: string;
  readonly key: string;
  /** JSON text; undefined deletes the key. */
  readonly json?: string;
}

export interface ResultId {
  readonly requestId: string;
  /** Digest of agent, conversation_id as sent and input bytes: tells a repeat from a reuse. */
  readonly digest: string;
}

/** Which field of the answer's `output` carries the body; `json` is an encoded google.protobuf.Value. */
export type PayloadArm = 'text' | 'json' | 'json_utf8' | 'parts';

export interface Payload {
  readonly arm: PayloadArm;
  readonly body: Uint8Array;
}

export interface StoredResult extends ResultId {
  readonly agent: string;
  readonly conversationId: string;
  readonly output: Payload;
  readonly finishedAtMs: number;
}

export interface Turn {
  readonly index: number;
  readonly role: 'user' | 'assistant';
  /** JSON text of the content. */
  readonly json: string;
  readonly timeMs: number;
  readonly requestId: string;
}

export interface ConversationSummary {
  readonly id: string;
  readonly agent: string;
  /** Turns ever appended; retention may have dropped the oldest. */
  readonly turnCount: number;
  readonly updatedMs: number;
}

/** One finished task as part of a commit. */
export interface TaskCommit {
  readonly result: StoredResult;
  readonly writes: readonly StateWrite[];
  readonly turns: readonly Omit<Turn, 'index'>[];
}

/** All of it or nothing of it, if (claimId, seq) still match. */
export interface Commit {
  readonly claim: Claim;
  readonly tasks: readonly TaskCommit[];
  /** Conversations to erase with their state; applied before the tasks of the same commit. */
  readonly forget?: readonly string[];
  /** Replaces the leases. */
  readonly leases?: readonly ClientLease[];
  readonly paused?: boolean;
  readonly rate?: RateBucket;
  readonly retention: Retention;
  /** Wait until the disk has it (`durability: Machine`). */
  readonly flush: boolean;
  /** Wall-clock ms of the owner: stamps and retention by age. */
  readonly wallMs: number;
}

/** `refused`: the claim is no longer the project's, or out of sequence: the instance must be discarded. */
export type CommitAnswer =
  /** `conversations`: how many the project has now. */
  | { readonly type: 'committed'; readonly seq: number; readonly conversations: number }
  | { readonly type: 'refused' };

export interface PoolRecord {
  readonly key: PoolKey;
  readonly generation: number;
  /** The effective spec (all defaults applied): `AgentPoolSpec` of api/; the store does not look into it. */
  readonly spec: unknown;
  /** `AgentPoolStatus` of api/. */
  readonly status: unknown;
  /** `PoolReport` of api/: events, what the driver does not enforce. */
  readonly report?: unknown;
  /** What is served now; new projects go to runtimes of this revision. */
  readonly revision: string;
  /** Nobody wants it any more, and what `deletionPolicy` says is not done yet. */
  readonly deleting?: true;
  /** Which installation wrote it, where several may share a store: of others' pools nothing is forgotten. */
  readonly installation?: string;
}

export interface Page {
  /** At most LISTED_MAX (1,001) are answered, whatever is asked. */
  readonly limit: number;
  /** Exclusive: the last id of the page before. */
  readonly after?: string;
}

/**
 * What a subscription can be about. `reports`: what is told of a pool (`status`, `report`), which changes often and concerns no runtime;
 * `pools`: all else of its record.
 */
export type Topic = 'pools' | 'reports' | 'runtimes' | 'tiers';

/**
 * @param pool undefined: any.
 * @param changes of `runtimes`, where a store tells them: all that has changed, in the order in which it did. Left out at any time: read again.
 */
export type OnChange = (pool?: PoolKey, changes?: readonly RuntimeChange[]) => void;

/** What an acknowledged commit survives; `durable` undefined: it could not be found out. */
export interface StoreDurability {
  readonly durable: boolean | undefined;
  readonly reason: RedisReason;
  readonly message: string;
}

export interface Store {
  readonly kind: 'memory' | 'embedded' | 'redis';
  /** Where it depends on settings that are not ours: as found at the last connect. */
  readonly durability?: StoreDurability;

  /** Membership: writes the record and (re)starts its lease, judged by the store's own monotonic clock. */
  heartbeat(record: RuntimeRecord, ttlMs: number): Promise<void>;
  /** Ends the lease at once: the runtime said goodbye or is known to be dead. A later heartbeat of it is refused (`not-applied`). */
  deregister(incarnation: string): Promise<void>;
  /** Runtimes with a live lease, of one pool or of all; of all costs as much as there are pools. */
  listRuntimes(pool?: PoolKey): Promise<readonly RuntimeRecord[]>;

  claim(request: ClaimRequest): Promise<ClaimAnswer>;
  commit(commit: Commit): Promise<CommitAnswer>;
  /** Gives the project up; a claim that is not the project's any more is left alone. */
  release(claim: Claim): Promise<void>;
  readProject(key: ProjectKey): Promise<ProjectRecord | undefined>;
  /** The records of these projects as of one moment; at most LISTED_MAX (1,001) keys. */
  readProjects(keys: readonly ProjectKey[]): Promise<readonly (ProjectRecord | undefined)[]>;
  /** Owner with a live lease, if any. */
  readOwner(key: ProjectKey): Promise<Owner | undefined>;
  /**
   * For projects without a live owner: `changed` when there is one, or the epoch is not this one any more (absent record: epoch 0). An
   * owner whose lease has ended loses the project: it may come back, and would not know of the flag.
   */
  setPaused(key: ProjectKey, paused: boolean, epoch: number): Promise<'set' | 'changed'>;
  /** In key order. */
  listProjects(
    pool: PoolKey,
    page: Page & { readonly tenant?: string },
  ): Promise<readonly ProjectRecord[]>;
  /**
   * Erases every trace of the project; a commit that comes after is refused, and epochs go on from here. True: there was something. With
   * `unchanged` only if nobody has claimed it or committed since that record was read: false, and nothing is erased.
   */
  eraseProject(key: ProjectKey, unchanged?: SeenProject): Promise<boolean>;
  /**
   * Ends erasures that were interrupted, some with each call; a project that lives, also one that has been made anew since, stays. With `listed`
   * what first claims left that were interrupted, too: that costs as much as the pool has projects. True: there is more.
   */
  endErasures(pool: PoolKey, which: 'begun' | 'listed'): Promise<boolean>;

  readResult(key: ProjectKey, requestId: string): Promise<StoredResult | undefined>;
  /**
   * The last `limit` turns with an index below `before` (absent: the newest), oldest first: at most LISTED_MAX (1,001), and of those only the newest that
   * fit into `TURN_PAGE_BYTES_MAX` together, but always one. What is missing comes with the index of the first as `before`.
   */
  readTurns(
    key: ProjectKey,
    conversation: string,
    window: { readonly limit: number; readonly before?: number },
  ): Promise<readonly Turn[]>;
  readConversation(key: ProjectKey, conversation: string): Promise<ConversationSummary | undefined>;
  /** In id order. */
  listConversations(key: ProjectKey, page: Page): Promise<readonly ConversationSummary[]>;

  /** Absent override: ends it. `conflict` when the stored generation is not `expected` (0: none stored). */
  setTierOverride(
    key: ProjectKey,
    override: Omit<TierOverride, 'generation'> | undefined,
    expected: number,
  ): Promise<'set' | 'conflict'>;
  readTierOverride(key: ProjectKey): Promise<TierOverride | undefined>;
  listTierOverrides(
    pool: PoolKey,
  ): Promise<readonly { readonly key: ProjectKey; readonly override: TierOverride }[]>;

  /** Announces `pools` and `reports` only where that part has changed. */
  putPool(record: PoolRecord): Promise<void>;
  deletePool(key: PoolKey): Promise<void>;
  /** @param pool of one only: it, or nothing. */
  listPools(pool?: PoolKey): Promise<readonly PoolRecord[]>;

  /**
   * Calls back after anything of the topic changed, with the pool whose it is: read again. Without a pool: anybody's may have changed. May be
   * spurious. With changes: who has read since it subscribed and lays them all over (runtime-changes.ts) knows what reading would tell it.
   * Returns its end.
   * @param of of `tiers`: only this project's is of interest, so that a store need not wake everybody.
   */
  subscribe(topic: Topic, onChange: OnChange, of?: ProjectKey): () => void;
  close(): Promise<void>;
}
