/**
 * Hears when a transaction of lmdb can be seen by readers: from then on it survives the death of this process. lmdb-js hears it too, but
 * answers a write only when the disk has it as well, which is one or two flushes of the disk later (its README promises the former).
 */
import { lstatSync, readFileSync, statfsSync } from 'node:fs';

/** In whose sources (writer.cpp, write.js, mdb.c) it was read when what is told; the only version that may be installed. */
export const EXAMINED_VERSION = '3.5.6';

/** lmdb takes what the disk may not have yet after a restart of the process, not after one of the machine: it tells them apart by this. */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
/** `f_type` of procfs (statfs(2)). */
const PROCFS = 0x9fa0;

/** What it is told while a transaction is written. */
const VISIBLE = 1;

interface NativeEnvironment {
  startWriting(address: number, told: (status: number) => unknown): unknown;
}

/**
 * @param starting called when a transaction is handed to lmdb, for what to call when that very one can be seen.
 * @returns false: nothing will be heard here, so only the answer of lmdb-js counts.
 */
export function hearVisible(database: object, starting: () => () => void): boolean {
  const environment = 'env' in database ? database.env : undefined;
  if (!isNative(environment) || !isBootKnown(BOOT_ID)) return false;
  const startWriting = environment.startWriting.bind(environment);
  Object.defineProperty(environment, 'startWriting', {
    value: (address: number, told: (status: number) => unknown) => {
      const visible = starting();
      return startWriting(address, (status) => {
        const answer = told(status);
        if (status === VISIBLE) visible();
        return answer;
      });
    },
  });
  return true;
}

/**
 * As lmdb itself looks (mdb_env_open): where it does not know the boot it goes back to what the disk had, after each end of the process, so
 * there nobody may be answered sooner. A sandbox can have a file of this name that is none of the kernel's.
 */
export function isBootKnown(file: string): boolean {
  try {
    if (lstatSync(file).isSymbolicLink() || statfsSync(file).type !== PROCFS) return false;
    const known = Number.parseInt(readFileSync(file, 'latin1'), 16);
    return Number.isFinite(known) && known !== 0;
  } catch {
    return false;
  }
}

function isNative(value: unknown): value is NativeEnvironment {
  return (
    typeof value === 'object' &&
    value !== null &&
    'startWriting' in value &&
    typeof value.startWriting === 'function'
  );
}
