/** The data folder's secret, and the keys made of it: one per pool for its runtimes and its part of the store. Nothing else knows the secret. */
import { createHmac } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PoolKey } from '../../core/identifiers.ts';
import type { Random } from '../../platform/random.ts';

export interface Secrets {
  /** What links to the pool's runtimes present. */
  runtimeKey(pool: PoolKey): string;
  /** Opens the store for this pool only. */
  poolStoreToken(pool: PoolKey): string;
  /** Opens the whole store: for gateways. */
  readonly storeToken: string;
}

const FILE = 'secret';
const OWNER_ONLY = 0o600;

/** Made once per data folder, so that more processes of the same user on it know the keys, too. */
export async function openSecrets(dataFolder: string, random: Random): Promise<Secrets> {
  const path = join(dataFolder, FILE);
  const fresh = `${random.id()}${random.id()}`;
  try {
    await writeFile(path, fresh, { mode: OWNER_ONLY, flag: 'wx' });
    return secretsOf(fresh);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return readSecrets(dataFolder);
  }
}

/** Fails when there is none: nothing was ever started there. */
export async function readSecrets(dataFolder: string): Promise<Secrets> {
  return secretsOf(await readFile(join(dataFolder, FILE), 'utf8'));
}

function secretsOf(secret: string): Secrets {
  const derive = (purpose: string): string =>
    createHmac('sha256', secret).update(purpose).digest('base64url');
  return {
    runtimeKey: (pool) => derive(`runtime ${pool}`),
    poolStoreToken: (pool) => derive(`store ${pool}`),
    storeToken: derive('store *'),
  };
}
