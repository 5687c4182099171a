/**
 * The objects of one kind as the API server has them, kept up to date by a list and a watch that heal themselves: resumed where they
 * broke, listed anew when that is too old, connected anew when they fall silent. Tells which keys changed; decides nothing.
 */
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Random } from '../random.ts';
import { backoffMs } from './backoff.ts';
import { CACHE_LIMITS, type CacheLimits } from './cache-limits.ts';
import { isKubeError, type KubeError } from './kube-error.ts';
import {
  keyOf,
  type KubeReader,
  type ObjectRef,
  type Selection,
  type Stored,
  type WatchEvent,
} from './kube.ts';
import type { KubeMetrics } from './metrics.ts';
import { ObjectIndex, type IndexBy } from './object-index.ts';
import type { KubeObject, Resource } from './resources.ts';
import { watchWithStallLimit } from './stall-limit.ts';

export interface CacheChange<T extends KubeObject> {
  /** `namespace/name`. */
  readonly key: string;
  /** Undefined: it is new. */
  readonly before: Stored<T> | undefined;
  /** Undefined: it is gone. */
  readonly after: Stored<T> | undefined;
}

export interface CacheOptions<T extends KubeObject> {
  readonly kube: KubeReader;
  readonly resource: Resource<T>;
  readonly selection: Selection;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly indexes?: Readonly<Record<string, IndexBy<T>>>;
  /** What is kept of an object, with what was kept of it before; managedFields never are. */
  readonly keep?: (object: Stored<T>, before: Stored<T> | undefined) => Stored<T>;
  readonly limits?: Partial<CacheLimits>;
  readonly metrics?: KubeMetrics;
}

/** A watch that lives shorter than this counts as a failure even if it ends well: no storm of watches. */
const SHORT_WATCH_MS = 1_000;

const EVERYDAY = ['Expired', 'Unavailable', 'TooManyRequests', 'Forbidden'] as const;

export class ResourceCache<T extends KubeObject> {
  /** Resolves with the first complete list. Until then the cache is empty. */
  readonly synced: Promise<void>;
  readonly #options: CacheOptions<T>;
  readonly #limits: CacheLimits;
  readonly #objects: ObjectIndex<T>;
  readonly #listeners = new Set<(change: CacheChange<T>) => void>();
  readonly #stopping = new AbortController();
  #resolveSynced: () => void = () => undefined;
  #isSynced = false;
  #refusal: KubeError | undefined;
  readonly #followers = new Set<() => void>();
  #running: Promise<void> | undefined;
  /** Of the watch that is open. */
  #watching: AbortController | undefined;
  /** Those who wait for a list that begins from now on. */
  #awaiting: (() => void)[] = [];
  /** Where a watch goes on; undefined: a list comes first. */
  #resumeFrom: string | undefined;
  #listedAtMs = 0;
  #contactMs = 0;
  /** A continue token grew too old once: lists come in one page from now on. */
  #isPaged = true;

  constructor(options: CacheOptions<T>) {
    this.#options = options;
    this.#limits = { ...CACHE_LIMITS, ...options.limits };
    this.#objects = new ObjectIndex(options.indexes ?? {});
    this.synced = new Promise((resolve) => (this.#resolveSynced = resolve));
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when nothing runs any more; the objects stay readable. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the cache stops'));
    await this.#running;
    for (const tell of this.#awaiting.splice(0)) tell();
  }

  /** Resolves when it shows what a list says that was asked for from now on: a watch may have fallen silent unnoticed. */
  renew(): Promise<void> {
    return new Promise((resolve) => {
      this.#awaiting.push(resolve);
      this.#watching?.abort(new Error('a list is wanted'));
      this.#tellFollowers();
    });
  }

  /** The API server has forbidden to list or watch, and has listed nothing since: what is held may be old, or nothing at all. */
  get refusal(): KubeError | undefined {
    return this.#refusal;
  }

  /** It holds what a list showed that was asked for after the last refusal, and after the last `renew`; and what a watch told since. */
  get isCurrent(): boolean {
    return this.#isSynced && this.#refusal === undefined && this.#awaiting.length === 0;
  }

  /** Calls back when `refusal` or `isCurrent` may have changed; must not throw. */
  follow(follower: () => void): void {
    this.#followers.add(follower);
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Monotonic time of the last sign of life: a list, an event or a bookmark. */
  get contactMs(): number {
    return this.#contactMs;
  }

  get({ namespace, name }: ObjectRef): Stored<T> | undefined {
    return this.#objects.get(`${namespace}/${name}`);
  }

  list(): readonly Stored<T>[] {
    return this.#objects.list();
  }

  /** Those that the index of this name puts under the value. */
  find(index: string, value: string): readonly Stored<T>[] {
    return this.#objects.find(index, value);
  }

  /** After each change; called in order, must not throw. Returns how to leave. */
  onChange(listener: (change: CacheChange<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopping;
    let failures = 0;
    while (!this.#isStopping()) {
      const startedMs = clock.nowMs();
      const error = await this.#once().catch((thrown: unknown) => thrown);
      if (this.#isStopping()) return;
      this.#onEnd(error);
      const livedMs = clock.nowMs() - startedMs;
      const isFruitful =
        livedMs >= SHORT_WATCH_MS && (error === undefined || this.#contactMs > startedMs);
      failures = isFruitful ? 0 : failures + 1;
      if (error === undefined && (isFruitful || this.#awaiting.length > 0)) continue;
      const waitMs = backoffMs(this.#limits, Math.max(1, failures), random, error);
      await clock.sleep(waitMs, signal).catch(() => undefined);
    }
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** A list where one is due, then a watch to its end. */
  async #once(): Promise<void> {
    const isOld = this.#options.clock.nowMs() - this.#listedAtMs >= this.#limits.relistMs;
    this.#resumeFrom =
      this.#resumeFrom === undefined || isOld || this.#awaiting.length > 0
        ? await this.#list()
        : this.#resumeFrom;
    if (this.#awaiting.length === 0) await this.#watch(this.#resumeFrom);
  }

  async #list(): Promise<string> {
    const { kube, resource, selection, clock, metrics } = this.#options;
    const { signal } = this.#stopping;
    const limit = this.#isPaged ? { limit: this.#limits.pageObjects } : {};
    metrics?.listed(resource.plural);
    const awaiting = [...this.#awaiting];
    let page = await kube.list(resource, selection, { ...limit, signal });
    const items = page.items.map((item) => this.#kept(item));
    while (page.continueFrom !== undefined) {
      const { continueFrom } = page;
      page = await kube
        .list(resource, selection, { ...limit, continueFrom, signal })
        .catch((error: unknown) => {
          this.#isPaged = !isKubeError(error, 'Expired');
          throw error;
        });
      items.push(...page.items.map((item) => this.#kept(item)));
    }
    this.#listedAtMs = clock.nowMs();
    this.#replace(items);
    this.#isSynced = true;
    this.#refusal = undefined;
    this.#resolveSynced();
    this.#awaiting = this.#awaiting.filter((tell) => !awaiting.includes(tell));
    for (const tell of awaiting) tell();
    this.#tellFollowers();
    return page.resourceVersion;
  }

  async #watch(resourceVersion: string): Promise<void> {
    const { kube, resource, selection, clock, random } = this.#options;
    const timeoutSeconds = Math.ceil(this.#limits.watchSeconds * (1 - random.float() / 4));
    const open = (signal: AbortSignal): AsyncIterable<WatchEvent<T>> =>
      kube.watch(resource, selection, { resourceVersion, timeoutSeconds, signal });
    const { stallMs } = this.#limits;
    const watching = new AbortController();
    this.#watching = watching;
    const signal = AbortSignal.any([this.#stopping.signal, watching.signal]);
    try {
      for await (const event of watchWithStallLimit(open, { clock, stallMs, signal })) {
        this.#contactMs = clock.nowMs();
        this.#take(event);
      }
    } catch (error) {
      if (!watching.signal.aborted) throw error;
    }
  }

  #take(event: WatchEvent<T>): void {
    if (event.type === 'BOOKMARK') {
      this.#resumeFrom = event.resourceVersion;
      return;
    }
    const object = this.#kept(event.object);
    const key = keyOf(object);
    this.#change(key, event.type === 'DELETED' ? undefined : object);
    this.#resumeFrom = versionOf(object);
  }

  #replace(items: readonly Stored<T>[]): void {
    this.#contactMs = this.#listedAtMs;
    const listed = new Set(items.map((item) => keyOf(item as KubeObject)));
    for (const key of this.#objects.keys()) if (!listed.has(key)) this.#change(key, undefined);
    for (const item of items) this.#change(keyOf(item), item);
  }

  /** A version that is there already is no change, whatever an event calls it. */
  #change(key: string, after: Stored<T> | undefined): void {
    const before = this.#objects.get(key);
    if (before === after) return;
    if (before !== undefined && after !== undefined && versionOf(before) === versionOf(after))
      return;
    if (after === undefined) this.#objects.delete(key);
    else this.#objects.set(after);
    this.#options.metrics?.changed(this.#options.resource.plural, this.#objects.size);
    for (const listener of [...this.#listeners]) listener({ key, before, after });
  }

  #kept(object: Stored<T>): Stored<T> {
    const metadata = { ...(object as KubeObject).metadata };
    Reflect.deleteProperty(metadata, 'managedFields');
    const slim = { ...object, metadata } as Stored<T>;
    return this.#options.keep?.(slim, this.#objects.get(keyOf(slim))) ?? slim;
  }

  #onEnd(error: unknown): void {
    const { log, resource, metrics } = this.#options;
    if (error === undefined) return;
    const reason = isKubeError(error) ? error.reason : 'Error';
    metrics?.watchFailed(resource.plural, reason);
    // Only a list tells that one may look again.
    if (isKubeError(error, 'Expired', 'Forbidden')) this.#resumeFrom = undefined;
    if (isKubeError(error, 'Forbidden')) this.#refuse(error);
    // Cut connections and old versions are everyday; a missing CRD needs somebody. Of refusals those tell who follow them.
    const isEveryday = isKubeError(error, ...EVERYDAY);
    log[isEveryday ? 'debug' : 'warn']('watch ended, it is started again', {
      err: error,
      detail: { kind: resource.plural, reason },
    });
  }

  #refuse(error: KubeError): void {
    this.#refusal = error;
    this.#tellFollowers();
  }

  #tellFollowers(): void {
    for (const follower of this.#followers) follower();
  }
}

function versionOf(object: Stored<KubeObject>): string {
  return object.metadata.resourceVersion;
}
