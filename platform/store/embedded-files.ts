/** Looks at the files of an lmdb folder before lmdb does: what it cannot digest kills the process instead of being an error. */
import {
  closeSync,
  openSync,
  readSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { StoreOpenError } from './store-open-error.ts';

/**
 * Left free for whatever one group of writes copies. lmdb must not find out by itself that its disk is full: it touches its lock file
 * through memory, and writes the text of a failed write into a buffer that is too short for it (mdb.c, mdb_page_flush).
 */
const FREE_BYTES_MIN = 4 * 1024 * 1024;
const LOCK_FILE_BYTES = 16 * 1024;
const PAGE_BYTES_MIN = 4_096;

/** First page of lmdb's data format 2: after a header of 24 bytes, the meta page's magic number and version (mdb.c, MDB_meta). */
const MAGIC_OFFSET = 24;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;

/** @throws StoreOpenError, with nothing changed. */
export function inspectFiles(path: string): void {
  assertDatabase(path);
  if (!hasRoom(path, 0))
    throw new StoreOpenError('full', { path, what: 'has less than 4 MiB free on its disk' });
  makeLockFile(join(path, 'lock.mdb'));
}

/** Whether so many bytes can be written and enough is left. */
export function hasRoom(path: string, bytes: number): boolean {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize >= FREE_BYTES_MIN + bytes;
}

function assertDatabase(path: string): void {
  const head = Buffer.alloc(PAGE_BYTES_MIN);
  const bytes = readHead(join(path, 'data.mdb'), head);
  // Not there, or made and never written: lmdb starts a new one.
  if (bytes === 0) return;
  const isMeta = bytes === PAGE_BYTES_MIN && head.readUInt32LE(MAGIC_OFFSET) === MAGIC;
  if (!isMeta) throw new StoreOpenError('corrupt', { path, what: 'is not a database (data.mdb)' });
  const version = head.readUInt32LE(MAGIC_OFFSET + 4) & 0xffff;
  if (version === DATA_VERSION) return;
  throw new StoreOpenError('newer', {
    path,
    what: `is in lmdb data format ${version}, not ${DATA_VERSION}`,
  });
}

function readHead(file: string, into: Buffer): number {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
  try {
    return readSync(descriptor, into, 0, into.length, 0);
  } finally {
    closeSync(descriptor);
  }
}

/** Really takes the space, which lmdb would only promise. */
function makeLockFile(file: string): void {
  try {
    writeFileSync(file, Buffer.alloc(LOCK_FILE_BYTES), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Pages at the end of the file that lmdb may have counted and never written. */
const UNWRITTEN_PAGES_MAX = 256;

export interface DatabaseStats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
}

/**
 * Reading past the end of a file that was cut short kills the process. A few missing pages are ordinary and become zeros, which lmdb
 * answers with an error if it should need them after all; more are refused.
 */
export function assertWhole(path: string, { pageSize, lastPageNumber }: DatabaseStats): void {
  const file = join(path, 'data.mdb');
  const neededBytes = pageSize * (lastPageNumber + 1);
  const { size } = statSync(file);
  if (size >= neededBytes || lastPageNumber <= 1) return;
  if (neededBytes - size > UNWRITTEN_PAGES_MAX * pageSize) {
    throw new StoreOpenError('corrupt', {
      path,
      what: `is cut short (${size} of ${neededBytes} bytes)`,
    });
  }
  truncateSync(file, neededBytes);
}
