/** The runtime key of a pool, made of the installation's: who has that one derives it and asks nobody. */
import { createHmac } from 'node:crypto';
import type { PoolKey } from '../../core/identifiers.ts';

export const INSTALLATION_KEY_CHARACTERS_MIN = 32;

/** What callers of the pool's runtimes must present. */
export function poolRuntimeKey(installationKey: string, pool: PoolKey): string {
  return createHmac('sha256', installationKey).update(`runtime-key:${pool}`).digest('base64url');
}
