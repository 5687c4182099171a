/** What the driver and the source ask of a cache of objects: one of the whole cluster, or one for each of some namespaces. */
import type { ObjectRef, Stored } from '../../../platform/kube/kube.ts';
import type { CacheChange, ResourceCache } from '../../../platform/kube/resource-cache.ts';
import type { KubeObject } from '../../../platform/kube/resources.ts';

export interface CachedObjects<T extends KubeObject> {
  get(ref: ObjectRef): Stored<T> | undefined;
  list(): readonly Stored<T>[];
  find(index: string, value: string): readonly Stored<T>[];
  onChange(listener: (change: CacheChange<T>) => void): () => void;
}

type Cache<T extends KubeObject> = CachedObjects<T> &
  Pick<ResourceCache<T>, 'start' | 'stop' | 'synced' | 'isSynced' | 'renew'>;

/** Several caches of one kind as one. */
export class CacheGroup<T extends KubeObject> implements CachedObjects<T> {
  /** Resolves when each has its first complete list. */
  readonly synced: Promise<void>;
  readonly #caches: readonly Cache<T>[];

  constructor(caches: readonly Cache<T>[]) {
    this.#caches = caches;
    this.synced = Promise.all(caches.map((cache) => cache.synced)).then(() => undefined);
  }

  start(): void {
    for (const cache of this.#caches) cache.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#caches.map((cache) => cache.stop()));
  }

  /** Resolves when each shows what a list says that was asked for from now on. */
  async renew(): Promise<void> {
    await Promise.all(this.#caches.map((cache) => cache.renew()));
  }

  get isSynced(): boolean {
    return this.#caches.every((cache) => cache.isSynced);
  }

  get(ref: ObjectRef): Stored<T> | undefined {
    for (const cache of this.#caches) {
      const found = cache.get(ref);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  list(): readonly Stored<T>[] {
    return this.#caches.flatMap((cache) => cache.list());
  }

  find(index: string, value: string): readonly Stored<T>[] {
    return this.#caches.flatMap((cache) => cache.find(index, value));
  }

  onChange(listener: (change: CacheChange<T>) => void): () => void {
    const ends = this.#caches.map((cache) => cache.onChange(listener));
    return () => {
      for (const end of ends) end();
    };
  }
}
