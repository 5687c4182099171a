/** The store port over Redis: for several machines. One connection (two with replicas to wait for), one script per step, no command ever sent twice. */
import type { PoolKey, ProjectKey } from '../../../core/identifiers.ts';
import type { TierOverride } from '../../../core/tier.ts';
import type { Timer } from '../../clock.ts';
import { ChangeTopics } from '../change-topics.ts';
import type { TurnWindow } from '../reads.ts';
import { StoreError } from '../store-error.ts';
import { TOPICS } from '../store-methods.ts';
import type * as port from '../store.ts';
import { LeaseWatch } from './lease-watch.ts';
import { commitTo } from './redis-commits.ts';
import { RedisConnection } from './redis-connection.ts';
import type { RedisContext } from './redis-context.ts';
import { checkDurability, UNCHECKED } from './redis-durability.ts';
import { isTopic, RedisKeys } from './redis-keys.ts';
import { RedisLeases } from './redis-leases.ts';
import { keyPrefixOf, TIMEOUT_MS, type RedisStoreOptions } from './redis-options.ts';
import { RedisOwnership } from './redis-ownership.ts';
import { RedisPools } from './redis-pools.ts';
import * as reads from './redis-reads.ts';
import { ReplicaGate } from './replica-gate.ts';

/** How often an idle connection is asked whether it lives; a lost announcement is made good for then, too. */
const PING_MS = 5_000;
const READ_AGAIN_MS = 60_000;

export class RedisStore implements port.Store {
  readonly kind = 'redis';
  readonly #options: RedisStoreOptions;
  readonly #context: RedisContext;
  readonly #writing: RedisContext;
  readonly #topics = new ChangeTopics();
  readonly #leases: RedisLeases;
  readonly #watch: LeaseWatch;
  readonly #replicas: ReplicaGate;
  readonly #ownership: RedisOwnership;
  readonly #pools: RedisPools;
  #durability = UNCHECKED;
  #lostAtMs: number | undefined;
  #timer: Timer | undefined;
  #readAgainAtMs = 0;
  #closed = false;
  #onOpen: ((error?: unknown) => void) | undefined;

  /** @param onOpen called once: when it can be used, or with what makes it useless. See openRedisStore. */
  constructor(options: RedisStoreOptions, onOpen: (error?: unknown) => void) {
    const { clock, minReplicas = 0, timeoutMs = TIMEOUT_MS, serverTimeMs, pool } = options;
    const keys = new RedisKeys(keyPrefixOf(options));
    this.#options = options;
    this.#onOpen = onOpen;
    const connection = new RedisConnection(options, {
      onReady: () => void this.#connected(),
      onLost: () => this.#lost(),
      onMessage: (channel, message) => this.#heard(keys.poolOfChannel(channel), message),
    });
    const time = (): string => (serverTimeMs === undefined ? '' : String(serverTimeMs()));
    this.#context = { connection, keys, pool, time };
    const writer = minReplicas === 0 ? connection : new RedisConnection(options, NOTHING_TO_HEAR);
    this.#writing = { ...this.#context, connection: writer };
    this.#replicas = new ReplicaGate(writer, minReplicas, timeoutMs / 2);
    this.#leases = new RedisLeases(this.#context, clock);
    this.#watch = new LeaseWatch(this.#leases, clock);
    this.#ownership = new RedisOwnership(this.#writing, this.#leases, this.#replicas);
    this.#pools = new RedisPools(this.#context, this.#leases);
  }

  /** What an acknowledged commit survives, as found at the last connect. */
  get durability(): port.StoreDurability {
    return this.#durability;
  }

  /** Why there is no connection, for people. */
  get lastProblem(): string {
    return this.#context.connection.lastProblem;
  }

  heartbeat(record: port.RuntimeRecord, ttlMs: number): Promise<void> {
    return this.#leases.heartbeat(record, ttlMs);
  }

  deregister(incarnation: string): Promise<void> {
    return this.#leases.deregister(incarnation);
  }

  listRuntimes(): Promise<readonly port.RuntimeRecord[]> {
    return this.#leases.list();
  }

  claim(request: port.ClaimRequest): Promise<port.ClaimAnswer> {
    return this.#ownership.claim(request);
  }

  async commit(commit: port.Commit): Promise<port.CommitAnswer> {
    const answer = await commitTo(this.#writing, commit);
    if (answer.type === 'committed') await this.#replicas.wait('commit');
    return answer;
  }

  release(claim: port.Claim): Promise<void> {
    return this.#ownership.release(claim);
  }

  readProject(key: ProjectKey): Promise<port.ProjectRecord | undefined> {
    return reads.readProject(this.#context, key);
  }

  readProjects(keys: readonly ProjectKey[]): Promise<readonly (port.ProjectRecord | undefined)[]> {
    return reads.readProjects(this.#context, keys);
  }

  readOwner(key: ProjectKey): Promise<port.Owner | undefined> {
    return this.#ownership.readOwner(key);
  }

  setPaused(key: ProjectKey, paused: boolean, epoch: number): Promise<'set' | 'changed'> {
    return this.#ownership.setPaused(key, paused, epoch);
  }

  listProjects(
    pool: PoolKey,
    page: port.Page & { readonly tenant?: string },
  ): Promise<readonly port.ProjectRecord[]> {
    return reads.listProjects(this.#context, pool, page);
  }

  eraseProject(key: ProjectKey): Promise<boolean> {
    return this.#ownership.eraseProject(key);
  }

  readResult(key: ProjectKey, requestId: string): Promise<port.StoredResult | undefined> {
    return reads.readResult(this.#context, key, requestId);
  }

  readTurns(
    key: ProjectKey,
    conversation: string,
    window: TurnWindow,
  ): Promise<readonly port.Turn[]> {
    return reads.readTurns(this.#context, { key, conversation }, window);
  }

  readConversation(
    key: ProjectKey,
    conversation: string,
  ): Promise<port.ConversationSummary | undefined> {
    return reads.readConversation(this.#context, key, conversation);
  }

  listConversations(
    key: ProjectKey,
    page: port.Page,
  ): Promise<readonly port.ConversationSummary[]> {
    return reads.listConversations(this.#context, key, page);
  }

  setTierOverride(
    key: ProjectKey,
    override: Omit<TierOverride, 'generation'> | undefined,
    expected: number,
  ): Promise<'set' | 'conflict'> {
    return this.#pools.setOverride(key, override, expected);
  }

  readTierOverride(key: ProjectKey): Promise<TierOverride | undefined> {
    return this.#pools.readOverride(key);
  }

  listTierOverrides(
    pool: PoolKey,
  ): Promise<readonly { readonly key: ProjectKey; readonly override: TierOverride }[]> {
    return this.#pools.listOverrides(pool);
  }

  putPool(record: port.PoolRecord): Promise<void> {
    return this.#pools.put(record);
  }

  deletePool(key: PoolKey): Promise<void> {
    return this.#pools.delete(key);
  }

  listPools(): Promise<readonly port.PoolRecord[]> {
    return this.#pools.list();
  }

  subscribe(topic: port.Topic, onChange: () => void): () => void {
    const stop = this.#topics.subscribe(topic, onChange);
    if (topic === 'runtimes') this.#watch.start();
    return stop;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#topics.close();
    this.#watch.stop();
    this.#timer?.cancel();
    this.#context.connection.close();
    this.#writing.connection.close();
  }

  /** Forgives first, so that nobody's lease is judged by the time in which nobody could renew; then listens, then looks at everything. */
  async #connected(): Promise<void> {
    const lostAtMs = this.#lostAtMs;
    this.#lostAtMs = undefined;
    try {
      const forgiven = lostAtMs === undefined ? undefined : this.#leases.forgive(lostAtMs);
      const durability = checkDurability(this.#context, this.#options.minReplicas ?? 0);
      await this.#listen();
      await forgiven;
      this.#durability = await durability;
      this.#onOpen?.();
      this.#onOpen = undefined;
      this.#everythingMayHaveChanged();
      this.#ping();
    } catch (error) {
      this.#lostAtMs ??= lostAtMs;
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    const onOpen = this.#onOpen;
    if (onOpen !== undefined && !this.#context.connection.isReady) return;
    this.#onOpen = undefined;
    onOpen?.(error);
    if (onOpen !== undefined) return;
    this.#options.log.warn('Redis is connected but cannot be used; trying again', { err: error });
    this.#context.connection.drop((error as Error).message);
  }

  #lost(): void {
    this.#timer?.cancel();
    if (this.#closed || this.#lostAtMs !== undefined) return;
    // Nothing may have come through for as long as a call waits.
    const { clock, timeoutMs = TIMEOUT_MS } = this.#options;
    this.#lostAtMs = clock.nowMs() - timeoutMs;
  }

  #heard(pool: PoolKey, message: string): void {
    if (!isTopic(message)) return;
    if (message === 'runtimes') this.#watch.lookAt(pool);
    this.#topics.notify(message);
  }

  #everythingMayHaveChanged(): void {
    this.#readAgainAtMs = this.#options.clock.nowMs() + READ_AGAIN_MS;
    this.#watch.lookAtAll();
    for (const topic of TOPICS) this.#topics.notify(topic);
  }

  async #listen(): Promise<void> {
    const { connection, keys, pool } = this.#context;
    const [command, channel] = pool === undefined ? ['PSUBSCRIBE', '*'] : ['SUBSCRIBE', pool];
    const args = [keys.channel(channel)];
    await connection.call({ name: 'subscribe', writes: false, command, args });
  }

  #ping(): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.after(PING_MS, () => {
      this.#context.connection.ping().then(
        () => this.#ping(),
        // The next connection starts anew.
        () => undefined,
      );
      if (clock.nowMs() >= this.#readAgainAtMs) this.#everythingMayHaveChanged();
    });
  }
}

const NOTHING_TO_HEAR = {
  onReady: () => undefined,
  onLost: () => undefined,
  onMessage: () => undefined,
};

const OPEN_MS_MAX = 10_000;

/** Tries for 10 s, then throws a StoreError with the last reason; later losses are healed in the background. */
export function openRedisStore(options: RedisStoreOptions): Promise<RedisStore> {
  return new Promise((resolve, reject) => {
    const store = new RedisStore(options, (error) => {
      timer.cancel();
      if (error === undefined) resolve(store);
      else void store.close().finally(() => reject(error as Error));
    });
    const timer = options.clock.after(OPEN_MS_MAX, () => {
      void store.close();
      reject(new StoreError(`no connection to Redis: ${store.lastProblem}`, 'not-applied'));
    });
  });
}
