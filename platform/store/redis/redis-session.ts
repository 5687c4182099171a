/** What happens around the connections: after one is made (forgive, look at everything), while it is idle, when it is lost. Sends nothing of the port's. */
import type { ProjectKey } from '../../../core/identifiers.ts';
import type { Timer } from '../../clock.ts';
import type { ChangeTopics } from '../change-topics.ts';
import type { StoreError } from '../store-error.ts';
import { TOPICS } from '../store-methods.ts';
import type { StoreDurability, Topic } from '../store.ts';
import type { LeaseWatch } from './lease-watch.ts';
import { Pulse } from './pulse.ts';
import { runtimeChangesOf } from './redis-codec.ts';
import { read, type RedisContext } from './redis-context.ts';
import { checkDurability, UNCHECKED } from './redis-durability.ts';
import type { RedisLeases } from './redis-leases.ts';
import { RedisNews } from './redis-news.ts';
import { backoffMs, TIMEOUT_MS, type RedisStoreOptions } from './redis-options.ts';

/** A change whose announcement was lost is seen then at the latest. */
const READ_AGAIN_MS = 120_000;
/** While nothing is heard. */
const READ_UNHEARD_MS = 10_000;

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
  readonly #news: RedisNews;
  readonly #pulse: Pulse;
  #durability = UNCHECKED;
  #isOpen = false;
  #closed = false;
  #hasBegun = false;
  /** Counts connections and losses: what was begun before the last one is over. */
  #turn = 0;
  #isLossTold = false;
  #retry: Timer | undefined;
  #readAtMs = 0;

  constructor(options: RedisStoreOptions, parts: SessionParts) {
    this.#options = options;
    this.#parts = parts;
    this.#pulse = new Pulse(options.clock, () => this.#beat());
    this.#news = new RedisNews(options, parts.context.keys, {
      onHearing: () => this.#usable(),
      onMessage: (channel, message) => this.#heard(channel, message),
      onRefused: (error) => this.#unheard(error),
    });
  }

  get durability(): StoreDurability {
    return this.#durability;
  }

  /** Why the store cannot be used, for people. */
  get lastProblem(): string {
    const { connection } = this.#parts.context;
    return connection.isReady ? this.#news.lastProblem : connection.lastProblem;
  }

  connected(): void {
    if (this.#closed) return;
    this.#turn += 1;
    this.#pulse.start();
    void this.#begin(this.#turn, 1);
  }

  lost(): void {
    this.#turn += 1;
    this.#pulse.stop();
    this.#retry?.cancel();
    if (this.#closed) return;
    const { clock, log, timeoutMs = TIMEOUT_MS } = this.#options;
    const { context, leases } = this.#parts;
    // Nothing may have come through for as long as a call waits.
    leases.lostSince(clock.nowMs() - timeoutMs);
    if (!this.#isOpen || this.#isLossTold) return;
    this.#isLossTold = true;
    const detail = { why: context.connection.lastProblem };
    log.warn('the connection to Redis is lost', { detail });
  }

  follow(topic: Topic, of?: ProjectKey): void {
    this.#news.follow(topic, of);
  }

  close(): void {
    this.#closed = true;
    this.#turn += 1;
    this.#pulse.stop();
    this.#retry?.cancel();
    this.#news.close();
  }

  /** Forgives first, so that nobody's lease is judged by the time in which nobody could renew; then looks at everything. */
  async #begin(turn: number, attempt: number): Promise<void> {
    try {
      const { leases, context } = this.#parts;
      const isNew = attempt === 1;
      await Promise.all([
        isNew ? this.#options.onConnection?.(context.connection) : undefined,
        this.#check(),
        leases.forgive(),
      ]);
    } catch (error) {
      if (turn === this.#turn) this.#refused(error as StoreError, attempt);
      return;
    }
    if (turn !== this.#turn) return;
    this.#hasBegun = true;
    if (this.#isLossTold) this.#options.log.info('Redis answers again');
    this.#isLossTold = false;
    this.#usable();
  }

  /** A Redis that takes no writes (its disk is full) answers reads all the same: the connection stays, and is asked again. */
  #refused(error: StoreError, attempt: number): void {
    const { clock, log, random } = this.#options;
    if (!this.#isOpen) {
      this.#parts.onOpen(error);
      return;
    }
    if (attempt === 1) {
      log.warn('Redis is connected but refuses what comes first; trying again', { err: error });
      this.#usable();
    }
    const turn = this.#turn;
    this.#retry = clock.after(
      backoffMs(attempt, random),
      () => void this.#begin(turn, attempt + 1),
    );
  }

  #unheard(error: StoreError): void {
    if (this.#closed) return;
    if (!this.#isOpen) {
      this.#parts.onOpen(error);
      return;
    }
    this.#options.log.warn('changes in Redis cannot be heard; trying again', { err: error });
    this.#news.drop(error.message);
  }

  /** One of the two connections is there again: whatever was missed without it is read. */
  #usable(): void {
    if (!this.#isOpen) {
      if (!this.#hasBegun || !this.#news.isHearing) return;
      this.#isOpen = true;
      this.#parts.onOpen();
    }
    // Without the other one nothing can be read: it comes here, too.
    if (this.#parts.context.connection.isReady) this.#everythingMayHaveChanged();
  }

  #heard(channel: string, message: string): void {
    const { context, watch, topics } = this.#parts;
    const change = context.keys.ofChannel(channel);
    if (change === undefined) return;
    const { pool, topic } = change;
    if (topic === 'runtimes') watch.changed(pool);
    topics.notify(topic, pool, topic === 'runtimes' ? runtimeChangesOf(pool, message) : undefined);
  }

  #everythingMayHaveChanged(): void {
    this.#readAtMs = this.#options.clock.nowMs();
    this.#parts.watch.lookAtAll();
    for (const topic of TOPICS) this.#parts.topics.notify(topic);
  }

  #beat(): void {
    // Without an answer the connection ends by itself.
    read(this.#parts.context, 'ping', ['PING']).catch(() => undefined);
    const againMs = this.#news.isHearing ? READ_AGAIN_MS : READ_UNHEARD_MS;
    if (!this.#isOpen || this.#options.clock.nowMs() - this.#readAtMs < againMs) return;
    this.#everythingMayHaveChanged();
    this.#check().catch(() => undefined);
  }

  async #check(): Promise<void> {
    this.#durability = await checkDurability(this.#parts.context, this.#options.minReplicas ?? 0);
  }
}
