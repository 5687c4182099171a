/**
 * Hears when a transaction of lmdb can be seen by readers: from then on it survives the death of this process. lmdb-js hears it too, but
 * answers a write only when the disk has it as well, which is one or two flushes of the disk later (its README promises the former).
 */
import { existsSync } from 'node:fs';

/** lmdb takes what the disk may not have yet after a restart of the process, not after one of the machine: it tells them apart by this. */
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

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
  if (!isNative(environment) || !existsSync(BOOT_ID)) return false;
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

function isNative(value: unknown): value is NativeEnvironment {
  return (
    typeof value === 'object' &&
    value !== null &&
    'startWriting' in value &&
    typeof value.startWriting === 'function'
  );
}
