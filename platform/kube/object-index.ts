/** Objects by key and by what indexes say of them. Remembers; asks nobody. */
import { keyOf, type Stored } from './kube.ts';
import type { KubeObject } from './resources.ts';

/** What an object is found by: `(pod) => [pod.metadata.labels?.['agentpool.dev/pool'] ?? '']`; an empty list: not at all. */
export type IndexBy<T extends KubeObject> = (object: Stored<T>) => readonly string[];

export class ObjectIndex<T extends KubeObject> {
  readonly #objects = new Map<string, Stored<T>>();
  readonly #indexes: ReadonlyMap<string, IndexBy<T>>;
  /** Index → value → keys. */
  readonly #found = new Map<string, Map<string, Set<string>>>();

  constructor(indexes: Readonly<Record<string, IndexBy<T>>>) {
    this.#indexes = new Map(Object.entries(indexes));
    for (const name of this.#indexes.keys()) this.#found.set(name, new Map());
  }

  get size(): number {
    return this.#objects.size;
  }

  keys(): readonly string[] {
    return [...this.#objects.keys()];
  }

  get(key: string): Stored<T> | undefined {
    return this.#objects.get(key);
  }

  list(): readonly Stored<T>[] {
    return [...this.#objects.values()];
  }

  find(index: string, value: string): readonly Stored<T>[] {
    const keys = this.#found.get(index)?.get(value) ?? [];
    return [...keys].flatMap((key) => this.#objects.get(key) ?? []);
  }

  set(object: Stored<T>): void {
    const key = keyOf(object);
    this.delete(key);
    this.#objects.set(key, object);
    for (const [name, by] of this.#indexes)
      for (const value of by(object)) this.#keysOf(name, value).add(key);
  }

  delete(key: string): void {
    const object = this.#objects.get(key);
    if (object === undefined) return;
    this.#objects.delete(key);
    for (const [name, by] of this.#indexes)
      for (const value of by(object)) this.#forget(name, value, key);
  }

  #keysOf(name: string, value: string): Set<string> {
    const values = this.#found.get(name) ?? new Map<string, Set<string>>();
    const keys = values.get(value) ?? new Set();
    values.set(value, keys);
    return keys;
  }

  #forget(name: string, value: string, key: string): void {
    const keys = this.#found.get(name)?.get(value);
    keys?.delete(key);
    if (keys?.size === 0) this.#found.get(name)?.delete(value);
  }
}
