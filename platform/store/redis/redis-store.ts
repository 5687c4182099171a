/** The store port over Redis: for several machines. Two connections (three with replicas to wait for), one script per step, no command ever sent twice. */
import type { PoolKey, ProjectKey } from '../../../core/identifiers.ts';
import type { TierOverride } from '../../../core/tier.ts';
import { ChangeTopics } from '../change-topics.ts';
import type { TurnWindow } from '../reads.ts';
import { StoreError } from '../store-error.ts';
import type * as port from '../store.ts';
import { AnswerRoom } from './answer-room.ts';
import { BrokenValues } from './broken-values.ts';
import { LeaseWatch } from './lease-watch.ts';
import { commitTo } from './redis-commits.ts';
import { RedisConnection } from './redis-connection.ts';
import type { RedisContext } from './redis-context.ts';
import { RedisKeys } from './redis-keys.ts';
import { RedisLeases } from './redis-leases.ts';
import { keyPrefixOf, TIMEOUT_MS, type RedisStoreOptions } from './redis-options.ts';
import { RedisErasure } from './redis-erasure.ts';
import { RedisOwnership } from './redis-ownership.ts';
import { RedisPools } from './redis-pools.ts';
import * as reads from './redis-reads.ts';
import { RedisSession } from './redis-session.ts';
import { ReplicaGate } from './replica-gate.ts';

export class RedisStore implements port.Store {
  readonly kind = 'redis';
  readonly #context: RedisContext;
  readonly #writing: RedisContext;
  readonly #topics = new ChangeTopics();
  readonly #leases: RedisLeases;
  readonly #watch: LeaseWatch;
  readonly #replicas: ReplicaGate;
  readonly #erasure: RedisErasure;
  readonly #ownership: RedisOwnership;
  readonly #pools: RedisPools;
  readonly #session: RedisSession;

  /** @param onOpen called once: when it can be used, or with what makes it useless. See openRedisStore. */
  constructor(options: RedisStoreOptions, onOpen: (error?: StoreError) => void) {
    const { clock, minReplicas = 0, timeoutMs = TIMEOUT_MS, serverTimeMs, pool } = options;
    const keys = new RedisKeys(keyPrefixOf(options));
    const connection = new RedisConnection(options, {
      onReady: () => this.#session.connected(),
      onLost: () => this.#session.lost(),
    });
    const time = (): string => (serverTimeMs === undefined ? '' : String(serverTimeMs()));
    const broken = new BrokenValues(clock, options.log);
    this.#context = { connection, keys, pool, time, answers: new AnswerRoom(clock), broken };
    const { writer, isReady } = writerOf(options, connection);
    this.#writing = { ...this.#context, connection: writer };
    this.#replicas = new ReplicaGate(writer, minReplicas, timeoutMs / 2);
    this.#leases = new RedisLeases(this.#context, clock);
    this.#watch = new LeaseWatch(this.#leases, clock);
    this.#erasure = new RedisErasure(this.#writing);
    this.#ownership = new RedisOwnership(
      this.#writing,
      this.#leases,
      this.#replicas,
      this.#erasure,
    );
    this.#pools = new RedisPools(this.#context, this.#leases);
    this.#session = new RedisSession(options, {
      context: this.#context,
      leases: this.#leases,
      watch: this.#watch,
      topics: this.#topics,
      onOpen: (error) => {
        void isReady.then(() => onOpen(error));
      },
    });
  }

  /** What an acknowledged commit survives, as found at the last connect. */
  get durability(): port.StoreDurability {
    return this.#session.durability;
  }

  /** Why there is no connection, for people. */
  get lastProblem(): string {
    return this.#session.lastProblem;
  }

  heartbeat(record: port.RuntimeRecord, ttlMs: number): Promise<void> {
    return this.#leases.heartbeat(record, ttlMs);
  }

  deregister(incarnation: string): Promise<void> {
    return this.#leases.deregister(incarnation);
  }

  listRuntimes(pool?: PoolKey): Promise<readonly port.RuntimeRecord[]> {
    return this.#leases.list(pool);
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

  eraseProject(key: ProjectKey, unchanged?: port.SeenProject): Promise<boolean> {
    return this.#erasure.erase(key, unchanged);
  }

  endErasures(pool: PoolKey, which: 'begun' | 'listed'): Promise<boolean> {
    return this.#erasure.endAll(pool, which);
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

  listPools(pool?: PoolKey): Promise<readonly port.PoolRecord[]> {
    return this.#pools.list(pool);
  }

  subscribe(topic: port.Topic, onChange: port.OnChange, of?: ProjectKey): () => void {
    const stop = this.#topics.subscribe(topic, onChange);
    this.#session.follow(topic, of);
    if (topic === 'runtimes') this.#watch.start();
    return stop;
  }

  async close(): Promise<void> {
    this.#session.close();
    this.#topics.close();
    this.#watch.stop();
    this.#context.connection.close();
    this.#writing.connection.close();
  }
}

/** While Redis waits for replicas it answers nothing else on that connection, so those writes have one of their own. */
function writerOf(
  options: RedisStoreOptions,
  connection: RedisConnection,
): { readonly writer: RedisConnection; readonly isReady: Promise<void> } {
  if ((options.minReplicas ?? 0) === 0) return { writer: connection, isReady: Promise.resolve() };
  const ready = Promise.withResolvers<undefined>();
  const writer = new RedisConnection(options, {
    onReady: () => ready.resolve(undefined),
    onLost: () => undefined,
  });
  return { writer, isReady: ready.promise };
}

const OPEN_MS_MAX = 10_000;

/** Tries for 10 s, then throws a StoreError with the last reason; later losses are healed in the background. */
export function openRedisStore(options: RedisStoreOptions): Promise<RedisStore> {
  return new Promise((resolve, reject) => {
    const store = new RedisStore(options, (error) => {
      timer.cancel();
      if (error === undefined) resolve(store);
      else void store.close().finally(() => reject(error));
    });
    const timer = options.clock.after(OPEN_MS_MAX, () => {
      void store.close();
      reject(new StoreError(`no connection to Redis: ${store.lastProblem}`, 'not-applied'));
    });
  });
}
