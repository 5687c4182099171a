/** Writes that are not in their base yet, laid over it: readers see base and writes as one map. Undoes what a failed step wrote. */
import BTreeModule from 'sorted-btree';
import type { Entry, KeyRange, KeyValue, KeyValueReader } from './key-value.ts';

// CommonJS: the import is the whole module, its class is the property `default`.
const BTree = BTreeModule.default;

/** Stands for a key that was removed. */
const REMOVED = Symbol('removed');

const byCharacters = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export class Overlay implements KeyValue {
  /** Replaced by a deeper one when that has taken over all that the former held. */
  base: KeyValueReader;
  readonly #writes = new BTree<string, unknown>(undefined, byCharacters);
  #undo: (() => void)[] | undefined;

  constructor(base: KeyValueReader) {
    this.base = base;
  }

  get size(): number {
    return this.#writes.size;
  }

  get(key: string): unknown {
    const written = this.#writes.get(key);
    if (written === REMOVED) return undefined;
    return written === undefined ? this.base.get(key) : written;
  }

  put(key: string, value: unknown): void {
    this.#write(key, value);
  }

  remove(key: string): void {
    this.#write(key, REMOVED);
  }

  range(range: KeyRange): readonly Entry[] {
    const written = this.#writes.getRange(range.from, range.to);
    if (written.length === 0) return this.base.range(range);
    const limit = range.limit ?? Infinity;
    // Each written key can hide one of the base at most.
    const below = this.base.range({ ...range, limit: limit + written.length });
    return merge(below, written).slice(0, limit);
  }

  /** All writes of `step`, or none of them when it throws. */
  attempt<T>(step: () => T): T {
    const undo: (() => void)[] = [];
    this.#undo = undo;
    try {
      return step();
    } catch (error) {
      for (const revert of undo.reverse()) revert();
      throw error;
    } finally {
      this.#undo = undefined;
    }
  }

  /** Writes everything to where the base gets it from. */
  drainTo(target: Pick<KeyValue, 'put' | 'remove'>): void {
    this.#writes.forEachPair((key, value) => {
      if (value === REMOVED) target.remove(key);
      else target.put(key, value);
    });
  }

  #write(key: string, value: unknown): void {
    const before = this.#writes.get(key);
    this.#undo?.push(() => {
      if (before === undefined) this.#writes.delete(key);
      else this.#writes.set(key, before);
    });
    this.#writes.set(key, value);
  }
}

/** Two sorted lists as one; what was written wins. */
function merge(below: readonly Entry[], written: readonly (readonly [string, unknown])[]): Entry[] {
  const merged: Entry[] = [];
  let at = 0;
  for (const [key, value] of written) {
    for (let next = below[at]; next !== undefined && next.key <= key; next = below[at]) {
      if (next.key < key) merged.push(next);
      at += 1;
    }
    if (value !== REMOVED) merged.push({ key, value });
  }
  for (const rest of below.slice(at)) merged.push(rest);
  return merged;
}
