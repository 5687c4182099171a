/** The little that the ledger asks of a backend: an ordered map from printable ASCII keys to plain values, read and written in transactions. */

export interface Entry {
  readonly key: string;
  readonly value: unknown;
}

/** Keys at least `from` and below `to`. */
export interface KeyRange {
  readonly from: string;
  readonly to: string;
  readonly limit?: number;
}

export interface KeyValueReader {
  get(key: string): unknown;
  /** In key order. */
  range(range: KeyRange): readonly Entry[];
}

export interface KeyValue extends KeyValueReader {
  /** The value is plain data (null, booleans, numbers, strings, byte arrays, lists, objects) and is never changed afterwards. */
  put(key: string, value: unknown): void;
  remove(key: string): void;
}

export interface Backend {
  readonly kind: 'memory' | 'embedded';
  /** One consistent view for as long as `run` takes. */
  read<T>(run: (kv: KeyValueReader) => T): T;
  /** All that `run` writes or nothing of it; in the order of the calls. Resolves when later reads see it and the end of this process cannot lose it. */
  write<T>(run: (kv: KeyValue) => T): Promise<T>;
  /** Resolves when all that was written before is on the disk. */
  flush(): Promise<void>;
  /** Resolves at once, unless the disk has refused what was answered already: then when it takes something again, and rejects until it does. */
  recover(): Promise<void>;
  close(): Promise<void>;
}
