/** The store in the memory of this process: for trials, tests and the simulation. Nothing of it survives the process; uses microtasks only. */
import BTreeModule from 'sorted-btree';
import type { Clock } from '../clock.ts';
import type { Backend, Entry, KeyRange, KeyValue, KeyValueReader } from './key-value.ts';
import { LedgerStore } from './ledger-store.ts';

// CommonJS: the import is the whole module, its class is the property `default`.
const BTree = BTreeModule.default;
type Tree = InstanceType<typeof BTree<string, unknown>>;

const byCharacters = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** All that a store remembered at one moment, but the leases: what a store that crashed comes back with. */
export class MemorySnapshot {
  readonly #tree: Tree;

  constructor(tree: Tree = new BTree<string, unknown>(undefined, byCharacters)) {
    this.#tree = tree;
  }

  /** Cheap: nodes are shared until one side changes them. */
  copy(): Tree {
    return this.#tree.clone();
  }

  get keyCount(): number {
    return this.#tree.size;
  }

  keys(): readonly string[] {
    return this.#tree.keysArray();
  }
}

class MemoryBackend implements Backend, KeyValue {
  readonly kind = 'memory';
  readonly #tree: Tree;

  constructor(snapshot: MemorySnapshot) {
    this.#tree = snapshot.copy();
  }

  get(key: string): unknown {
    return this.#tree.get(key);
  }

  put(key: string, value: unknown): void {
    this.#tree.set(key, value);
  }

  remove(key: string): void {
    this.#tree.delete(key);
  }

  range(range: KeyRange): readonly Entry[] {
    const entries: Entry[] = [];
    const limit = range.limit ?? Infinity;
    if (limit === 0) return entries;
    this.#tree.forRange(range.from, range.to, false, (key, value) => {
      entries.push({ key, value });
      return entries.length >= limit ? { break: true } : undefined;
    });
    return entries;
  }

  read<T>(run: (kv: KeyValueReader) => T): T {
    return run(this);
  }

  /** The ledger checks before it writes, so what throws has written nothing. */
  async write<T>(run: (kv: KeyValue) => T): Promise<T> {
    return run(this);
  }

  async flush(): Promise<void> {
    // Nothing to wait for: there is no disk.
  }

  async recover(): Promise<void> {
    // Nor anything to mend.
  }

  async close(): Promise<void> {
    // The tree goes with this object.
  }

  dump(): MemorySnapshot {
    return new MemorySnapshot(this.#tree.clone());
  }
}

export class MemoryStore extends LedgerStore {
  readonly #memory: MemoryBackend;

  /** @param snapshot what another memory store remembered; its leases are gone, as after a crash. */
  constructor(clock: Clock, snapshot: MemorySnapshot = new MemorySnapshot()) {
    const memory = new MemoryBackend(snapshot);
    super(memory, clock);
    this.#memory = memory;
  }

  dump(): MemorySnapshot {
    return this.#memory.dump();
  }
}
