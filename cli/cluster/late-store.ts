/**
 * A store that may be away when a process begins: until it can be opened each call fails at once, as it does later when the store is lost.
 * Opens one store, tries until it can, and never changes it for another one.
 */
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { isStoreMethod, type StoreMethod } from '../../platform/store/store-methods.ts';
import { type Store, StoreError } from '../../platform/store/store.ts';

export interface LateStoreOptions {
  readonly kind: Store['kind'];
  readonly open: () => Promise<Store>;
  /** Before anybody else may call it; when this rejects, it is opened again later. */
  readonly onOpen: (store: Store) => Promise<void>;
  readonly retryMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

type Subscribed = Parameters<Store['subscribe']>;

export class LateStore {
  /** `close` ends all. */
  readonly store: Store;
  /** Resolves when it was opened, or could not be for the first time. */
  readonly tried: Promise<void>;
  readonly #options: LateStoreOptions;
  readonly #tried = Promise.withResolvers<undefined>();
  readonly #closing = new AbortController();
  /** Those who asked to be told, and how that ends where the store is there. */
  readonly #subscriptions = new Map<Subscribed, (() => void) | undefined>();
  #inner: Store | undefined;
  #problem = 'it was not reached yet';

  constructor(options: LateStoreOptions) {
    this.#options = options;
    this.tried = this.#tried.promise;
    this.store = this.#proxy();
    void this.#open();
  }

  /** It stays open, whatever becomes of the connection. */
  get isOpen(): boolean {
    return this.#inner !== undefined;
  }

  async #open(): Promise<void> {
    const { clock, retryMs } = this.#options;
    for (let isOpen = false; !isOpen && !this.#closing.signal.aborted;) {
      isOpen = await this.#tryOnce();
      this.#tried.resolve(undefined);
      if (!isOpen) await clock.sleep(retryMs, this.#closing.signal).catch(() => undefined);
    }
  }

  async #tryOnce(): Promise<boolean> {
    try {
      await this.#openOnce();
      return true;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
      this.#options.log.warn('the store does not answer, it is tried again', { err: error });
      return false;
    }
  }

  async #openOnce(): Promise<void> {
    const inner = await this.#options.open();
    try {
      await this.#options.onOpen(inner);
      this.#closing.signal.throwIfAborted();
    } catch (error) {
      await inner.close();
      throw error;
    }
    this.#inner = inner;
    for (const subscribed of [...this.#subscriptions.keys()]) {
      this.#subscriptions.set(subscribed, inner.subscribe(...subscribed));
      const [, onChange] = subscribed;
      onChange();
    }
  }

  #proxy(): Store {
    const { kind } = this.#options;
    const own = {
      kind,
      subscribe: (...subscribed: Subscribed) => this.#subscribe(subscribed),
      close: () => this.#close(),
    };
    const call =
      (method: StoreMethod) =>
      (...args: readonly unknown[]): Promise<unknown> =>
        this.#call(method, args);
    const handler: ProxyHandler<typeof own> = {
      get: (target, name) => {
        if (name === 'durability') return this.#inner?.durability;
        return isStoreMethod(name) ? call(name) : (Reflect.get(target, name) as unknown);
      },
    };
    // The table of methods has all that the port has besides what is said here.
    return new Proxy(own, handler) as Store;
  }

  async #call(method: StoreMethod, args: readonly unknown[]): Promise<unknown> {
    const inner = this.#inner;
    if (inner === undefined)
      throw new StoreError(`${method}: the store is away: ${this.#problem}`, 'not-applied');
    return (inner[method] as (...args: readonly unknown[]) => Promise<unknown>).call(
      inner,
      ...args,
    );
  }

  #subscribe(subscribed: Subscribed): () => void {
    this.#subscriptions.set(subscribed, this.#inner?.subscribe(...subscribed));
    return () => {
      this.#subscriptions.get(subscribed)?.();
      this.#subscriptions.delete(subscribed);
    };
  }

  async #close(): Promise<void> {
    this.#closing.abort(new Error('the store is closed'));
    // A try that is under way ends by itself, and closes what it has opened.
    this.#subscriptions.clear();
    await this.#inner?.close();
  }
}
