/** Why a store in a folder cannot be opened: what is wrong, where, and what to do. Nothing was changed. */
import { AppError } from '../../core/errors.ts';

export type OpenProblem =
  'locked' | 'corrupt' | 'foreign' | 'newer' | 'full' | 'denied' | 'unusable';

const ADVICE: Readonly<Record<OpenProblem, string>> = {
  locked: 'stop that process, or use another data folder',
  corrupt: 'restore the folder from a backup, or start with another one; nothing was changed',
  foreign: 'choose another data folder; nothing was changed',
  newer: 'start the version that wrote it, or a later one; nothing was changed',
  full: 'free some space and start again; nothing was lost',
  denied: 'give this user read and write access to the folder, or use another one',
  unusable: 'see the cause; nothing was changed',
};

export class StoreOpenError extends AppError {
  readonly problem: OpenProblem;

  constructor(
    problem: OpenProblem,
    place: { readonly path: string; readonly what: string },
    cause?: unknown,
  ) {
    super('STORE_UNAVAILABLE', `the store in ${place.path} ${place.what}: ${ADVICE[problem]}`, {
      cause,
    });
    this.problem = problem;
  }
}

const BY_CODE: Readonly<Record<string, { readonly problem: OpenProblem; readonly what: string }>> =
  {
    EACCES: { problem: 'denied', what: 'cannot be accessed' },
    EPERM: { problem: 'denied', what: 'cannot be accessed' },
    EROFS: { problem: 'denied', what: 'is on a read-only file system' },
    ENOSPC: { problem: 'full', what: 'has no space left on its disk' },
    EDQUOT: { problem: 'full', what: 'has used up its disk quota' },
    ENOTDIR: { problem: 'unusable', what: 'is not in a folder' },
    EEXIST: { problem: 'unusable', what: 'is not a folder' },
  };

/** lmdb gives errno as a number, and its own errors as text. */
const ERRNO: Readonly<Record<number, string>> = {
  1: 'EPERM',
  13: 'EACCES',
  20: 'ENOTDIR',
  28: 'ENOSPC',
  30: 'EROFS',
  122: 'EDQUOT',
};

const BY_TEXT: readonly (readonly [RegExp, OpenProblem, string])[] = [
  [/MDB_INVALID|not an LMDB file/i, 'corrupt', 'is not a database'],
  [/MDB_VERSION_MISMATCH/, 'newer', 'was written in another format'],
  [/MDB_CORRUPTED|MDB_PAGE_NOTFOUND|MDB_PANIC|MDB_PAGE_FULL|MDB_BAD/, 'corrupt', 'is damaged'],
];

/** Whatever was thrown while opening, as the one error that the caller shows. */
export function toOpenError(thrown: unknown, path: string): StoreOpenError {
  if (thrown instanceof StoreOpenError) return thrown;
  const { code, message } = thrown as { readonly code?: unknown; readonly message?: unknown };
  const name = typeof code === 'number' ? ERRNO[code] : code;
  const known = typeof name === 'string' ? BY_CODE[name] : undefined;
  if (known !== undefined)
    return new StoreOpenError(known.problem, { path, what: known.what }, thrown);
  const text = String(message);
  for (const [pattern, problem, what] of BY_TEXT) {
    if (pattern.test(text)) return new StoreOpenError(problem, { path, what }, thrown);
  }
  return new StoreOpenError('unusable', { path, what: `cannot be opened (${text})` }, thrown);
}
