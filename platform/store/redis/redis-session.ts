/** What happens around a connection: after it is made (forgive, listen, look at everything), while it is idle, when it is lost. Sends nothing of the port's. */
import type { ProjectKey } from '../../../core/identifiers.ts';
import type { Timer } from '../../clock.ts';
import type { ChangeTopics } from '../change-topics.ts';
import type { StoreError } from '../store-error.ts';
import { TOPICS } from '../store-methods.ts';
import type { StoreDurability, Topic } from '../store.ts';
import type { LeaseWatch } from './lease-watch.ts';
import { runtimeChangesOf } from './redis-codec.ts';
import { read, type RedisContext } from './redis-context.ts';
import { checkDurability, UNCHECKED } from './redis-durability.ts';
import type { RedisLeases } from './redis-leases.ts';
import { TIMEOUT_MS, type RedisStoreOptions } from './redis-options.ts';

/** How often an idle connection is asked whether it lives. */
const PING_MS = 5_000;
/** A change whose announcement was lost is seen then at the latest. */
const READ_AGAIN_MS = 120_000;

export interface SessionParts {
  readonly context: RedisContext;
  readonly leases: RedisLeases;
  readonly watch: LeaseWatch;
  readonly topics: ChangeTopics;
  /** Once: the store can be used, or never will be. */
  readonly onOpen: (error?: StoreError) => void;
}

export class RedisSession {
  readonly #options: RedisStoreOptions;
  readonly #parts: SessionParts;
  readonly #channels: Set<string>;
  #durability = UNCHECKED;
  #isOpen = false;
  #closed = false;
  #lostAtMs: number | undefined;
  #timer: Timer | undefined;
  #readAgainAtMs = 0;

  constructor(options: RedisStoreOptions, parts: SessionParts) {
    this.#options = options;
    this.#parts = parts;
    const { keys, pool } = parts.context;
    // All ask for the pool's record: a user who may not listen is told so when the store is opened.
    this.#channels = new Set([pool === undefined ? keys.channels : keys.channel(pool, 'pools')]);
  }

  get durability(): StoreDurability {
    return this.#durability;
  }

  /** Forgives first, so that nobody's lease is judged by the time in which nobody could renew; then listens, then looks at everything. */
  async connected(): Promise<void> {
    const lostAtMs = this.#lostAtMs;
    this.#lostAtMs = undefined;
    try {
      await this.#begin(lostAtMs);
    } catch (error) {
      // Nobody has been forgiven yet: the earlier loss counts.
      this.#lostAtMs = lostAtMs ?? this.#lostAtMs;
      this.#failed(error as StoreError);
      return;
    }
    if (!this.#isOpen) this.#parts.onOpen();
    else if (lostAtMs !== undefined) this.#options.log.info('Redis answers again');
    this.#isOpen = true;
    this.#everythingMayHaveChanged();
    this.#ping();
  }

  lost(): void {
    this.#timer?.cancel();
    if (this.#closed || this.#lostAtMs !== undefined) return;
    const { clock, log, timeoutMs = TIMEOUT_MS } = this.#options;
    const why = this.#parts.context.connection.lastProblem;
    if (this.#isOpen) log.warn('the connection to Redis is lost', { detail: { why } });
    // Nothing may have come through for as long as a call waits.
    this.#lostAtMs = clock.nowMs() - timeoutMs;
  }

  /**
   * From now on, and after each loss of the connection. Who may see one pool only listens to nothing that nobody follows; who may see all
   * hears of all anyway.
   */
  follow(topic: Topic, of?: ProjectKey): void {
    const { connection, keys, pool } = this.#parts.context;
    if (pool === undefined) return;
    const channel = of === undefined ? keys.channel(pool, topic) : keys.tierChannel(of);
    if (this.#channels.has(channel)) return;
    this.#channels.add(channel);
    // What waits for the connection, or for what is looked at first, is sent with the rest.
    if (!this.#isOpen || !connection.isReady) return;
    this.#listen([channel]).catch((error: unknown) => this.#failed(error as StoreError));
  }

  heard(channel: string, message: string): void {
    const { context, watch, topics } = this.#parts;
    const change = context.keys.ofChannel(channel);
    if (change === undefined) return;
    const { pool, topic } = change;
    if (topic === 'runtimes') watch.changed(pool);
    topics.notify(topic, pool, topic === 'runtimes' ? runtimeChangesOf(pool, message) : undefined);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #begin(lostAtMs: number | undefined): Promise<void> {
    await Promise.all([
      this.#check(),
      lostAtMs === undefined ? undefined : this.#parts.leases.forgive(lostAtMs),
      this.#listen([...this.#channels]),
    ]);
  }

  #listen(args: readonly string[]): Promise<unknown> {
    const { connection, pool } = this.#parts.context;
    const command = pool === undefined ? 'PSUBSCRIBE' : 'SUBSCRIBE';
    return connection.call({ name: 'subscribe', writes: false, command, args });
  }

  #failed(error: StoreError): void {
    const { context, onOpen } = this.#parts;
    if (this.#closed || !context.connection.isReady) return;
    if (!this.#isOpen) {
      onOpen(error);
      return;
    }
    this.#options.log.warn('Redis is connected but cannot be used; trying again', { err: error });
    context.connection.drop(error.message);
  }

  #everythingMayHaveChanged(): void {
    this.#readAgainAtMs = this.#options.clock.nowMs() + READ_AGAIN_MS;
    this.#parts.watch.lookAtAll();
    for (const topic of TOPICS) this.#parts.topics.notify(topic);
  }

  #ping(): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.after(PING_MS, () => {
      read(this.#parts.context, 'ping', ['PING']).then(
        () => this.#ping(),
        // The next connection starts anew.
        () => undefined,
      );
      if (clock.nowMs() < this.#readAgainAtMs) return;
      this.#everythingMayHaveChanged();
      this.#check().catch(() => undefined);
    });
  }

  async #check(): Promise<void> {
    this.#durability = await checkDurability(this.#parts.context, this.#options.minReplicas ?? 0);
  }
}
