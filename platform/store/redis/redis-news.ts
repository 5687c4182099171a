/**
 * Hears what changes, on a connection of its own: Redis ends one that subscribes and leaves 32 MB of answers unread, and answers are as large as
 * what projects keep. Reads nothing, and knows nothing of what it is told.
 */
import type { PoolKey, ProjectKey } from '../../../core/identifiers.ts';
import type { StoreError } from '../store-error.ts';
import type { Topic } from '../store.ts';
import { Pulse } from './pulse.ts';
import { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { RedisStoreOptions } from './redis-options.ts';

export interface NewsEvents {
  /** Hears all from now on; what was announced before may have been missed. */
  readonly onHearing: () => void;
  readonly onMessage: (channel: string, message: string) => void;
  /** Connected, but may not listen. */
  readonly onRefused: (error: StoreError) => void;
}

export class RedisNews {
  readonly #options: RedisStoreOptions;
  readonly #keys: RedisKeys;
  readonly #pool: PoolKey | undefined;
  readonly #events: NewsEvents;
  readonly #connection: RedisConnection;
  readonly #channels: Set<string>;
  readonly #pulse: Pulse;
  #isHearing = false;
  #closed = false;

  constructor(options: RedisStoreOptions, keys: RedisKeys, events: NewsEvents) {
    const { clock, pool } = options;
    this.#options = options;
    this.#keys = keys;
    this.#pool = pool;
    this.#events = events;
    // All ask for the pool's record: a user who may not listen is told so when the store is opened.
    this.#channels = new Set([pool === undefined ? keys.channels : keys.channel(pool, 'pools')]);
    this.#connection = new RedisConnection(options, {
      name: 'agentpool-news',
      onReady: () => void this.#connected(),
      onLost: () => this.#lost(),
      onMessage: events.onMessage,
    });
    this.#pulse = new Pulse(clock, () => {
      const ping = { name: 'ping', writes: false, command: 'PING', args: [] };
      // Without an answer the connection ends by itself.
      this.#connection.call(ping).catch(() => undefined);
    });
  }

  get isHearing(): boolean {
    return this.#isHearing;
  }

  /** Why there is no connection, for people. */
  get lastProblem(): string {
    return this.#connection.lastProblem;
  }

  /**
   * From now on, and after each loss of the connection. Who may see one pool only listens to nothing that nobody follows; who may see all
   * hears of all anyway.
   */
  follow(topic: Topic, of?: ProjectKey): void {
    if (this.#pool === undefined) return;
    const channel =
      of === undefined ? this.#keys.channel(this.#pool, topic) : this.#keys.tierChannel(of);
    if (this.#channels.has(channel)) return;
    this.#channels.add(channel);
    // What waits for the connection is sent with the rest.
    if (!this.#connection.isReady) return;
    this.#listen([channel]).then(
      // Whoever asked may have read before this was heard: another connection is not in step with this one.
      () => this.#events.onMessage(channel, ''),
      (error: unknown) => this.#failed(error as StoreError),
    );
  }

  drop(why: string): void {
    this.#connection.drop(why);
  }

  close(): void {
    this.#closed = true;
    this.#pulse.stop();
    this.#connection.close();
  }

  async #connected(): Promise<void> {
    this.#pulse.start();
    try {
      await this.#listen([...this.#channels]);
    } catch (error) {
      this.#failed(error as StoreError);
      return;
    }
    this.#isHearing = true;
    this.#events.onHearing();
  }

  #lost(): void {
    this.#pulse.stop();
    if (!this.#isHearing || this.#closed) return;
    this.#isHearing = false;
    const detail = { why: this.#connection.lastProblem };
    this.#options.log.warn('changes in Redis are not heard: that connection is lost', { detail });
  }

  #listen(args: readonly string[]): Promise<unknown> {
    const command = this.#pool === undefined ? 'PSUBSCRIBE' : 'SUBSCRIBE';
    return this.#connection.call({ name: 'subscribe', writes: false, command, args });
  }

  #failed(error: StoreError): void {
    if (this.#connection.isReady) this.#events.onRefused(error);
  }
}
