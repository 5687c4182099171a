/**
 * The store in a folder of this machine, on lmdb (keys.ts has the layout). One process opens the folder; everybody else goes through its
 * store server. An acknowledged commit survives the death of this process; with `flush` that of the machine.
 */
import { mkdirSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import { EmbeddedBackend, openDatabase } from './embedded-backend.ts';
import { assertWhole, inspectFiles, type DatabaseStats } from './embedded-files.ts';
import { OPENER_KEY, SCHEMA_KEY } from './keys.ts';
import { LedgerStore } from './ledger-store.ts';
import { currentOpener, isRunning, type Opener } from './opener.ts';
import { StoreOpenError, toOpenError } from './store-open-error.ts';

/** Written into every folder; a folder with a higher number is refused. Raise it when older versions can no longer read what is written. */
const SCHEMA_VERSION = 1;

/** Folders that this very process has open: their opener is not a leftover of an earlier start with the same process id. */
const openHere = new Set<string>();

type Database = ReturnType<typeof openDatabase>;

export class EmbeddedStore extends LedgerStore {
  readonly #embedded: EmbeddedBackend;

  private constructor(backend: EmbeddedBackend, clock: Clock) {
    super(backend, clock);
    this.#embedded = backend;
  }

  /**
   * @param path the store's own folder; made when missing, readable by this user only.
   * @throws StoreOpenError; the folder is then as it was.
   */
  static open(path: string, clock: Clock): EmbeddedStore {
    if (openHere.has(path))
      throw new StoreOpenError('locked', { path, what: 'is already open in this process' });
    let database: Database | undefined;
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      inspectFiles(path);
      database = openDatabase(path);
      assertWhole(path, database.getStats() as DatabaseStats);
      takeFolder(database, path);
    } catch (error) {
      void database?.close();
      throw toOpenError(error, path);
    }
    openHere.add(path);
    return new EmbeddedStore(backendOf(database, path), clock);
  }

  /** Raw keys on the disk. */
  get keyCount(): number {
    return this.#embedded.keyCount;
  }
}

function backendOf(database: Database, path: string): EmbeddedBackend {
  return new EmbeddedBackend(database, path, () => {
    openHere.delete(path);
    try {
      database.transactionSync(() => void database.remove(OPENER_KEY));
    } catch {
      // A full disk must not stop us from closing: a dead opener is recognised.
    }
  });
}

/** lmdb's write lock, which survives a killed holder, makes looking and taking one step. */
function takeFolder(database: Database, path: string): void {
  database.transactionSync(() => {
    assertReadable(database, path);
    const opener = database.get(OPENER_KEY) as Opener | undefined;
    const self = currentOpener();
    if (opener !== undefined && opener.pid !== self.pid && isRunning(opener)) {
      throw new StoreOpenError('locked', { path, what: `is in use by process ${opener.pid}` });
    }
    void database.put(SCHEMA_KEY, { version: SCHEMA_VERSION });
    void database.put(OPENER_KEY, self);
  });
}

function assertReadable(database: Database, path: string): void {
  const schema = database.get(SCHEMA_KEY) as { readonly version?: unknown } | undefined;
  if (schema === undefined) {
    if ([...database.getKeys({ limit: 1 })].length === 0) return;
    throw new StoreOpenError('foreign', { path, what: 'belongs to another program' });
  }
  if (typeof schema.version === 'number' && schema.version <= SCHEMA_VERSION) return;
  const version = String(schema.version);
  throw new StoreOpenError('newer', {
    path,
    what: `has schema ${version}, this program knows ${SCHEMA_VERSION}`,
  });
}
