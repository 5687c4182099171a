/** What is made of the installation's key for one pool, as the secrets of its runtimes: who has that one derives them and asks nobody. */
import { createHmac } from 'node:crypto';
import type { PoolKey } from '../../core/identifiers.ts';

export const INSTALLATION_KEY_CHARACTERS_MIN = 32;

/** What callers of the pool's runtimes must present. */
export function poolRuntimeKey(installationKey: string, pool: PoolKey): string {
  return createHmac('sha256', installationKey).update(`runtime-key:${pool}`).digest('base64url');
}

/** The same for the same runtime key, and nothing of it can be learned from here: for what others may read. */
export function poolKeyDigest(installationKey: string, pool: PoolKey): string {
  const key = poolRuntimeKey(installationKey, pool);
  return createHmac('sha256', key).update('digest').digest('base64url');
}

/** What the pool's runtimes say to the store, where each pool has a user of its own there. */
export function poolStorePassword(installationKey: string, pool: PoolKey): string {
  return createHmac('sha256', installationKey).update(`store-password:${pool}`).digest('base64url');
}

/** Proves that an operator of the installation has written the text for the pool. */
export function poolTextSeal(installationKey: string, pool: PoolKey, text: string): string {
  return createHmac('sha256', installationKey).update(`text:${pool}:${text}`).digest('base64url');
}
