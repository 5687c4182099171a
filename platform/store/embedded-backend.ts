/** lmdb as the ledger's ordered map: reads in place, writes in groups on lmdb's own thread, so no commit makes this one wait for the disk. */
import { open, type RootDatabase } from 'lmdb';
import type { Backend, Entry, KeyRange, KeyValue, KeyValueReader } from './key-value.ts';
import { hasRoom } from './embedded-files.ts';
import { hearVisible } from './embedded-visibility.ts';
import { GroupCommit, type GroupTarget } from './group-commit.ts';
import { PROBE_KEY } from './keys.ts';
import { StoreError } from './store-error.ts';

type Database = RootDatabase<unknown, string>;

/** Groups that can be seen and are not on the disk yet: each keeps one of the four threads that Node has for files. One flush serves all that wait for it. */
const UNFLUSHED_MAX = 3;

/** @throws what lmdb throws; toOpenError knows it. */
export function openDatabase(path: string): Database {
  return open<unknown, string>({
    path,
    encoding: 'msgpack',
    // Plain maps: shared structures would be one more thing that has to survive.
    encoder: { useRecords: false },
    maxDbs: 1,
    noSubdir: false,
    // Committed means visible and safe from the death of this process; the disk follows, and a power loss never corrupts.
    overlappingSync: true,
    // Groups are made here; lmdb's own batches would leave a rejected promise that nobody holds when the disk is full.
    eventTurnBatching: false,
  });
}

export class EmbeddedBackend implements Backend, GroupTarget {
  readonly kind = 'embedded';
  readonly #database: Database;
  readonly #path: string;
  readonly #groups: GroupCommit;
  readonly #onClose: () => void;
  readonly #flushing = new Set<Promise<unknown>>();
  /** Why the last group that was settled is not on the disk. While there is a reason nobody is answered before the disk has it. */
  #failure: Promise<StoreError> | undefined;
  #visible: () => void = () => undefined;

  /** @param onClose with the database still open. */
  constructor(database: Database, path: string, onClose: () => void) {
    this.#database = database;
    this.#path = path;
    this.#onClose = onClose;
    this.#groups = new GroupCommit(this);
    hearVisible(database, () => this.#visible);
  }

  get(key: string): unknown {
    return this.#database.get(key);
  }

  range(range: KeyRange): readonly Entry[] {
    const { from, to, limit } = range;
    if (limit === 0) return [];
    const bounds = { start: from, end: to };
    const found = this.#database.getRange(
      limit === undefined || limit === Infinity ? bounds : { ...bounds, limit },
    );
    return [...found];
  }

  read<T>(run: (kv: KeyValueReader) => T): T {
    try {
      return run(this);
    } catch (error) {
      throw unreadable(error);
    }
  }

  async write<T>(run: (kv: KeyValue) => T): Promise<T> {
    try {
      return await this.#groups.write(run);
    } catch (error) {
      throw unreadable(error);
    }
  }

  /** Resolves when readers see the group, or at the latest when the disk has it; after a failure not before that. */
  async writeGroup(fill: (target: Pick<KeyValue, 'put' | 'remove'>) => void): Promise<void> {
    const database = this.#database;
    this.#assertRoom(fill);
    while (this.#flushing.size >= UNFLUSHED_MAX)
      await Promise.race(this.#flushing).catch(() => undefined);
    const visible = new Promise<void>((resolve) => {
      this.#visible = () => {
        // Readers of this turn would go on seeing what was there before.
        database.resetReadTxn();
        resolve();
      };
    });
    const onDisk = this.#batch(fill);
    this.#watch(onDisk);
    try {
      await (this.#failure === undefined ? Promise.race([visible, onDisk]) : onDisk);
    } catch (error) {
      throw await unwritable(error);
    }
  }

  #watch(onDisk: Promise<unknown>): void {
    this.#flushing.add(onDisk);
    onDisk.then(
      () => {
        this.#flushing.delete(onDisk);
        this.#failure = undefined;
      },
      (error: unknown) => {
        this.#flushing.delete(onDisk);
        // Perhaps nobody waits for it any more: what lmdb rejects beside it would end the process as unhandled.
        this.#failure = unwritable(error);
      },
    );
  }

  #batch(fill: (target: Pick<KeyValue, 'put' | 'remove'>) => void): Promise<unknown> {
    const database = this.#database;
    return database.batch(() => {
      fill({
        put: (key, value) => void database.put(key, value),
        remove: (key) => void database.remove(key),
      });
    });
  }

  #assertRoom(fill: (target: Pick<KeyValue, 'put' | 'remove'>) => void): void {
    let bytes = 0;
    fill({
      put: (_, value) => (bytes += PAGE_BYTES + bytesOf(value)),
      remove: () => (bytes += PAGE_BYTES),
    });
    if (hasRoom(this.#path, bytes)) return;
    throw new StoreError(
      `the disk of the store is full (${this.#path}): free some space, service resumes by itself`,
      'not-applied',
    );
  }

  async flush(): Promise<void> {
    try {
      await Promise.all(this.#flushing);
    } catch (error) {
      throw await unwritable(error);
    }
    if (this.#failure !== undefined) throw await this.#failure;
  }

  async recover(): Promise<void> {
    if (this.#failure === undefined) return;
    await this.write((kv) => {
      kv.put(PROBE_KEY, true);
    });
  }

  async close(): Promise<void> {
    await this.#groups.idle();
    await Promise.allSettled(this.#flushing);
    this.#onClose();
    await this.#database.close();
  }

  get keyCount(): number {
    return this.#database.getKeysCount();
  }
}

/** About what one change copies besides its value. */
const PAGE_BYTES = 4_096;

/** At least the bytes of its texts and byte arrays. */
function bytesOf(value: unknown): number {
  if (typeof value === 'string') return 3 * value.length;
  if (value instanceof Uint8Array) return value.byteLength;
  if (typeof value !== 'object' || value === null) return 0;
  let bytes = 0;
  for (const part of Object.values(value)) bytes += bytesOf(part);
  return bytes;
}

function unreadable(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new StoreError(
    `the store cannot be read (${text}); restore its folder from a backup if this lasts`,
    'not-applied',
    error,
  );
}

/** lmdb rejects with "see commitError", a promise that rejects with what really happened. A short write on a full disk is reported as EIO. */
async function unwritable(error: unknown): Promise<StoreError> {
  const { commitError } = error as { readonly commitError?: Promise<unknown> };
  const cause = await Promise.resolve(commitError).then(
    () => error,
    (reason: unknown) => reason,
  );
  const text = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(
    `the store cannot write (${text}): is its disk full or failing?`,
    'unknown',
    cause,
  );
}
