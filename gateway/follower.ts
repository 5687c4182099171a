/** Keeps one view of the store up to date: reads again after each change, never twice at once, and goes on with the old view while the store is away. */
import { AppError } from '../core/errors.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Store, Topic } from '../platform/store/store.ts';

const RETRY_MS = 500;

export interface FollowerOptions {
  readonly store: Pick<Store, 'subscribe'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly topic: Topic;
  /** Reads and replaces the view; a rejection leaves the old one. */
  readonly read: () => Promise<void>;
}

export class Follower {
  readonly #options: FollowerOptions;
  #end: (() => void) | undefined;
  #reading: Promise<void> | undefined;
  #isDirty = false;
  #isStopped = false;
  #retry: Timer | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Resolves after the first attempt to read, whatever came of it. */
  start(): Promise<void> {
    const { store, topic } = this.#options;
    this.#end = store.subscribe(topic, () => {
      void this.refresh();
    });
    return this.refresh();
  }

  /** Resolves when a read that began after this call has ended. Never rejects. */
  refresh(): Promise<void> {
    this.#isDirty = true;
    this.#reading ??= this.#readUntilClean();
    return this.#reading;
  }

  stop(): void {
    this.#isStopped = true;
    this.#end?.();
    this.#retry?.cancel();
  }

  async #readUntilClean(): Promise<void> {
    this.#retry?.cancel();
    while (this.#isDirty && !this.#isStopped) {
      this.#isDirty = false;
      try {
        await this.#options.read();
      } catch (error) {
        this.#tryLater(error);
      }
    }
    this.#reading = undefined;
  }

  #tryLater(error: unknown): void {
    const { clock, log, topic } = this.#options;
    log.warn('store cannot be read, the last known set stays', {
      err: AppError.from(error),
      detail: { topic },
    });
    this.#retry?.cancel();
    this.#retry = clock.after(RETRY_MS, () => {
      void this.refresh();
    });
  }
}
