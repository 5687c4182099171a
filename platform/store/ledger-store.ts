/** The store's rules over any ordered map: memory and embedded are this class with another backend. Leases stay in memory. */
import { type PoolKey, poolKeyOfProject, type ProjectKey } from '../../core/identifiers.ts';
import type { TierOverride } from '../../core/tier.ts';
import type { Clock } from '../clock.ts';
import { ChangeTopics, changedTopics } from './change-topics.ts';
import { applyCommit } from './commit-ops.ts';
import type { Backend, KeyValue, KeyValueReader } from './key-value.ts';
import { overrideKey, poolKey, sweepKey } from './keys.ts';
import { LeaseTable } from './lease-table.ts';
import {
  claimProject,
  eraseProject,
  ownerOf,
  pauseProject,
  readRow,
  releaseProject,
} from './ownership-ops.ts';
import * as reads from './reads.ts';
import { StoreError } from './store.ts';
import type * as port from './store.ts';
import { setOverride } from './override-ops.ts';
import { isSweepDue, sweepStep } from './sweep.ts';
import { TakeoverTimes } from './takeover-times.ts';

export class LedgerStore implements port.Store {
  readonly kind: Backend['kind'];
  readonly #backend: Backend;
  readonly #clock: Clock;
  readonly #topics = new ChangeTopics();
  readonly #leases: LeaseTable;
  readonly #takeovers = new TakeoverTimes();
  #sweeping: Promise<void> | undefined;
  #closed = false;

  constructor(backend: Backend, clock: Clock) {
    this.kind = backend.kind;
    this.#backend = backend;
    this.#clock = clock;
    this.#leases = new LeaseTable(clock, (pool, changes) => {
      this.#topics.notify('runtimes', pool, changes);
    });
    if (this.#read(isSweepDue)) this.#sweepSoon();
  }

  async heartbeat(record: port.RuntimeRecord, ttlMs: number): Promise<void> {
    this.#assertOpen();
    this.#leases.heartbeat(record, ttlMs);
  }

  async deregister(incarnation: string): Promise<void> {
    this.#assertOpen();
    this.#leases.deregister(incarnation);
  }

  async listRuntimes(pool?: PoolKey): Promise<readonly port.RuntimeRecord[]> {
    this.#assertOpen();
    return this.#leases.list(pool);
  }

  async claim(request: port.ClaimRequest): Promise<port.ClaimAnswer> {
    const outcome = await this.#write((kv) => {
      const nowMs = this.#clock.nowMs();
      const takeoverAtMs = this.#takeovers.lastMs(request.key, nowMs);
      return claimProject(kv, request, { findRuntime: this.#findRuntime, takeoverAtMs, nowMs });
    });
    if (outcome.takeoverCounted) this.#takeovers.count(request.key, this.#clock.nowMs());
    return outcome.answer;
  }

  async commit(commit: port.Commit): Promise<port.CommitAnswer> {
    const answer = await this.#write((kv) => applyCommit(kv, commit));
    if (commit.flush && answer.type === 'committed') await this.#backend.flush();
    if (commit.forget !== undefined && commit.forget.length > 0) this.#sweepSoon();
    return answer;
  }

  async release(claim: port.Claim): Promise<void> {
    await this.#write((kv) => {
      releaseProject(kv, claim);
    });
  }

  async readProject(key: ProjectKey): Promise<port.ProjectRecord | undefined> {
    // Who is not sure of a commit asks here: one that the disk has refused must not look as good as any.
    await this.#backend.recover();
    return this.#read((kv) => reads.readProject(kv, key));
  }

  async readProjects(
    keys: readonly ProjectKey[],
  ): Promise<readonly (port.ProjectRecord | undefined)[]> {
    if (keys.length > reads.LISTED_MAX) {
      throw new StoreError(
        `at most ${reads.LISTED_MAX} projects can be read at once`,
        'not-applied',
      );
    }
    return this.#read((kv) => keys.map((key) => reads.readProject(kv, key)));
  }

  async readOwner(key: ProjectKey): Promise<port.Owner | undefined> {
    return this.#read((kv) => ownerOf(readRow(kv, key), this.#findRuntime));
  }

  async setPaused(key: ProjectKey, paused: boolean, epoch: number): Promise<'set' | 'changed'> {
    return this.#write((kv) => pauseProject(kv, { key, paused, epoch }, this.#findRuntime));
  }

  async listProjects(
    pool: PoolKey,
    page: port.Page & { readonly tenant?: string },
  ): Promise<readonly port.ProjectRecord[]> {
    return this.#read((kv) => reads.listProjects(kv, pool, page));
  }

  async eraseProject(key: ProjectKey, unchanged?: port.SeenProject): Promise<boolean> {
    const { found, prefix } = await this.#write((kv) => eraseProject(kv, key, unchanged));
    if (found) this.#topics.notify('tiers', poolKeyOfProject(key));
    while (prefix !== undefined && this.#read((kv) => kv.get(sweepKey(prefix)) !== undefined))
      await this.#sweep();
    return found;
  }

  /** Its first write is the whole of an erasure for everybody; the sweep after it is remembered and goes on by itself. */
  async endErasures(): Promise<boolean> {
    this.#assertOpen();
    return false;
  }

  async readResult(key: ProjectKey, requestId: string): Promise<port.StoredResult | undefined> {
    return this.#read((kv) => reads.readResult(kv, key, requestId));
  }

  async readTurns(
    key: ProjectKey,
    conversation: string,
    window: reads.TurnWindow,
  ): Promise<readonly port.Turn[]> {
    return this.#read((kv) => reads.readTurns(kv, { key, conversation }, window));
  }

  async readConversation(
    key: ProjectKey,
    conversation: string,
  ): Promise<port.ConversationSummary | undefined> {
    return this.#read((kv) => reads.readConversation(kv, key, conversation));
  }

  async listConversations(
    key: ProjectKey,
    page: port.Page,
  ): Promise<readonly port.ConversationSummary[]> {
    return this.#read((kv) => reads.listConversations(kv, key, page));
  }

  async setTierOverride(
    key: ProjectKey,
    override: Omit<TierOverride, 'generation'> | undefined,
    expected: number,
  ): Promise<'set' | 'conflict'> {
    const answer = await this.#write((kv) => setOverride(kv, { key, override, expected }));
    if (answer === 'set') this.#topics.notify('tiers', poolKeyOfProject(key));
    return answer;
  }

  async readTierOverride(key: ProjectKey): Promise<TierOverride | undefined> {
    return this.#read((kv) => kv.get(overrideKey(key)) as TierOverride | undefined);
  }

  async listTierOverrides(
    pool: PoolKey,
  ): Promise<readonly { readonly key: ProjectKey; readonly override: TierOverride }[]> {
    return this.#read((kv) => reads.listTierOverrides(kv, pool));
  }

  async putPool(record: port.PoolRecord): Promise<void> {
    const before = await this.#write((kv) => {
      const stored = kv.get(poolKey(record.key)) as port.PoolRecord | undefined;
      kv.put(poolKey(record.key), record);
      return stored;
    });
    for (const topic of changedTopics(before, record)) this.#topics.notify(topic, record.key);
  }

  async deletePool(key: PoolKey): Promise<void> {
    await this.#write((kv) => {
      kv.remove(poolKey(key));
    });
    this.#topics.notify('pools', key);
  }

  async listPools(pool?: PoolKey): Promise<readonly port.PoolRecord[]> {
    return this.#read((kv) => reads.listPools(kv, pool));
  }

  subscribe(topic: port.Topic, onChange: port.OnChange): () => void {
    return this.#topics.subscribe(topic, onChange);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#topics.close();
    this.#leases.close();
    await this.#backend.close();
  }

  readonly #findRuntime = (incarnation: string): port.RuntimeRecord | undefined =>
    this.#leases.find(incarnation);

  #assertOpen(): void {
    if (this.#closed) throw new StoreError('the store is closed', 'not-applied');
  }

  #read<T>(run: (kv: KeyValueReader) => T): T {
    this.#assertOpen();
    return this.#backend.read(run);
  }

  async #write<T>(run: (kv: KeyValue) => T): Promise<T> {
    this.#assertOpen();
    return this.#backend.write(run);
  }

  /** In the background; what fails is done with the next sweep or the next start. */
  #sweepSoon(): void {
    this.#sweep().catch(() => undefined);
  }

  /** One sweep at a time: who comes later waits for the running one and looks again. */
  #sweep(): Promise<void> {
    this.#sweeping ??= this.#sweepAll().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async #sweepAll(): Promise<void> {
    while (!this.#closed && (await this.#write(sweepStep)));
  }
}
