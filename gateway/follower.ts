/**
 * Keeps one view of the store up to date: after a change of a pool it reads that of the pool again, never twice at once, unless it is told
 * what has changed; goes on with the old view while the store is away.
 */
import { AppError } from '../core/errors.ts';
import type { PoolKey } from '../core/identifiers.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { OnChange, RuntimeChange, Store, Topic } from '../platform/store/store.ts';

const RETRY_MS = 500;

/** What is to be read again. */
export type Scope = 'all' | ReadonlySet<PoolKey>;

export interface FollowerOptions {
  readonly store: Pick<Store, 'subscribe'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly topics: readonly [Topic, ...Topic[]];
  /** Reads and replaces the view; a rejection leaves the old one. */
  readonly read: (scope: Scope) => Promise<void>;
  /** Lays over the view what is told, also while a read is under way. Left out: all of the pool is read again. */
  readonly take?: (pool: PoolKey, changes: readonly RuntimeChange[]) => void;
}

export class Follower {
  readonly #options: FollowerOptions;
  #ends: readonly (() => void)[] = [];
  #reading: Promise<void> | undefined;
  #dirty: 'all' | Set<PoolKey> = new Set();
  /** Something could not be read: then all is, next time. */
  #isBehind = false;
  #isStopped = false;
  #retry: Timer | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Resolves after the first attempt to read, whatever came of it. */
  start(): Promise<void> {
    const { store, topics } = this.#options;
    this.#ends = topics.map((topic) => store.subscribe(topic, this.#heard));
    return this.refresh();
  }

  /**
   * Resolves when a read that began after this call has ended. Never rejects.
   * @param pool left out: all of them.
   */
  refresh(pool?: PoolKey): Promise<void> {
    if (pool === undefined || this.#isBehind) this.#dirty = 'all';
    else if (this.#dirty !== 'all') this.#dirty.add(pool);
    this.#reading ??= this.#readUntilClean();
    return this.#reading;
  }

  readonly #heard: OnChange = (pool, changes) => {
    const { take } = this.#options;
    if (take === undefined || pool === undefined || changes === undefined) {
      void this.refresh(pool);
      return;
    }
    try {
      take(pool, changes);
    } catch (error) {
      this.#options.log.warn('what was told of a pool cannot be used, it is read instead', {
        err: AppError.from(error),
        detail: { pool },
      });
      void this.refresh(pool);
    }
  };

  stop(): void {
    this.#isStopped = true;
    for (const end of this.#ends) end();
    this.#retry?.cancel();
  }

  async #readUntilClean(): Promise<void> {
    // What changed at the same moment is read together.
    await Promise.resolve();
    this.#retry?.cancel();
    while (this.#isDirty() && !this.#isStopped) {
      const scope = this.#dirty;
      this.#dirty = new Set();
      try {
        await this.#options.read(scope);
        if (scope === 'all') this.#isBehind = false;
      } catch (error) {
        this.#tryLater(error);
        this.#isBehind = true;
      }
    }
    this.#reading = undefined;
  }

  #isDirty(): boolean {
    return this.#dirty === 'all' || this.#dirty.size > 0;
  }

  #tryLater(error: unknown): void {
    const { clock, log, topics } = this.#options;
    // It may be away for hours: the first failure is news.
    log[this.#isBehind ? 'debug' : 'warn']('store cannot be read, the last known set stays', {
      err: AppError.from(error),
      detail: { topic: topics[0] },
    });
    this.#retry?.cancel();
    this.#retry = clock.after(RETRY_MS, () => {
      void this.refresh();
    });
  }
}
