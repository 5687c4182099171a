/** What the driver and the source ask of a cache of objects: one of the whole cluster, or one for each of some namespaces. */
import type { ObjectRef, Stored } from '../../../platform/kube/kube.ts';
import type { CacheChange } from '../../../platform/kube/resource-cache.ts';
import type { KubeObject } from '../../../platform/kube/resources.ts';

export interface CachedObjects<T extends KubeObject> {
  get(ref: ObjectRef): Stored<T> | undefined;
  list(): readonly Stored<T>[];
  find(index: string, value: string): readonly Stored<T>[];
  onChange(listener: (change: CacheChange<T>) => void): () => void;
}

/** Several caches of one kind as one: each of another namespace. */
export class CacheGroup<T extends KubeObject> implements CachedObjects<T> {
  readonly #caches: readonly CachedObjects<T>[];

  constructor(caches: readonly CachedObjects<T>[]) {
    this.#caches = caches;
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
