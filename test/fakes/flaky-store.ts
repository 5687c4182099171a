/** A store in front of another that delays, fails or swallows what it is told to: the test (or its seed) decides for each call. */
import { type OnChange, StoreError, type Store, type Topic } from '../../platform/store/store.ts';
import type { Clock } from '../../platform/clock.ts';

export type StoreMethod = Exclude<keyof Store, 'kind' | 'durability' | 'subscribe' | 'close'>;

export interface CallPlan {
  /** Before the inner store is asked. */
  readonly requestDelayMs?: number;
  /** After it has answered. */
  readonly answerDelayMs?: number;
  /**
   * - `before`: never asked; fails with outcome `not-applied`.
   * - `lost`: never asked, but the caller cannot know: fails with outcome `unknown` after `timeoutMs`.
   * - `after`: asked and applied; fails with outcome `unknown`.
   * - `late`: fails with outcome `unknown` after `timeoutMs`; asked after its request delay all the same, perhaps later than that.
   */
  readonly fault?: 'before' | 'lost' | 'after' | 'late';
}

export interface FlakyOptions {
  readonly clock: Clock;
  /** What happens to this call; undefined: it just works. */
  readonly plan: (method: StoreMethod, args: readonly unknown[]) => CallPlan | undefined;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 2_000;

export class FlakyStore {
  readonly store: Store;
  /** False: every call fails as `not-applied` and no change is heard of. Subscribers are told when it comes back. */
  #reachable = true;
  /** False: whoever hears of a change is not told what it is, as any store may leave it out. */
  saysWhat = true;
  #inner: Store;
  readonly #options: FlakyOptions;
  readonly #subscriptions = new Set<{ topic: Topic; onChange: OnChange; stop: () => void }>();

  constructor(inner: Store, options: FlakyOptions) {
    this.#inner = inner;
    this.#options = options;
    this.store = this.#proxy();
  }

  get reachable(): boolean {
    return this.#reachable;
  }

  set reachable(reachable: boolean) {
    const returned = reachable && !this.#reachable;
    this.#reachable = reachable;
    if (returned) this.#tellAll();
  }

  /** The store crashed and another one answers from now on, perhaps made of a snapshot of the first. */
  replace(inner: Store): void {
    this.#inner = inner;
    for (const subscription of this.#subscriptions) {
      subscription.stop();
      subscription.stop = this.#listen(subscription.topic, subscription.onChange);
    }
    this.#tellAll();
  }

  #tellAll(): void {
    for (const { onChange } of [...this.#subscriptions]) queueMicrotask(() => onChange());
  }

  #listen(topic: Topic, onChange: OnChange): () => void {
    return this.#inner.subscribe(topic, (pool, ...what) => {
      if (this.#reachable) onChange(pool, ...(this.saysWhat ? what : []));
    });
  }

  #proxy(): Store {
    const own = {
      subscribe: (topic: Topic, onChange: OnChange) => {
        const subscription = { topic, onChange, stop: this.#listen(topic, onChange) };
        this.#subscriptions.add(subscription);
        return () => {
          this.#subscriptions.delete(subscription);
          subscription.stop();
        };
      },
      close: async () => {
        for (const { stop } of this.#subscriptions) stop();
        this.#subscriptions.clear();
      },
    };
    return new Proxy(this.#inner, {
      get: (_, name) => {
        if (name === 'kind' || name === 'durability') return this.#inner[name];
        if (name === 'subscribe' || name === 'close') return own[name];
        // A promise resolved with this store must not take it for a promise.
        if (typeof name === 'symbol' || !(name in this.#inner)) return undefined;
        return (...args: unknown[]) => this.#call(name as StoreMethod, args);
      },
    });
  }

  async #call(method: StoreMethod, args: readonly unknown[]): Promise<unknown> {
    if (!this.#reachable)
      throw new StoreError(`${method}: the store is away (test)`, 'not-applied');
    const plan = this.#options.plan(method, args) ?? {};
    if (plan.fault === undefined) return this.#ask(method, args, plan);
    if (plan.fault === 'before') {
      await this.#delay(plan.requestDelayMs);
      throw new StoreError(`${method}: not sent (test)`, 'not-applied');
    }
    if (plan.fault === 'after') await this.#ask(method, args, plan);
    else {
      if (plan.fault === 'late') void this.#ask(method, args, plan).catch(() => undefined);
      await this.#options.clock.sleep(this.#options.timeoutMs ?? TIMEOUT_MS);
    }
    throw new StoreError(`${method}: no answer (test)`, 'unknown');
  }

  async #ask(method: StoreMethod, args: readonly unknown[], plan: CallPlan): Promise<unknown> {
    await this.#delay(plan.requestDelayMs);
    const inner = this.#inner;
    const answer: unknown = await (
      inner[method] as (...args: readonly unknown[]) => Promise<unknown>
    ).call(inner, ...args);
    await this.#delay(plan.answerDelayMs);
    return answer;
  }

  async #delay(delayMs = 0): Promise<void> {
    if (delayMs > 0) await this.#options.clock.sleep(delayMs);
  }
}
