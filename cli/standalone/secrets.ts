/** The data folder's secret, and the keys made of it: one per pool for its runtimes and its part of the store. Nothing else knows the secret. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PoolKey } from '../../core/identifiers.ts';
import type { RuntimeAccess } from '../../platform/link/grpc-runtime-client.ts';
import type { Random } from '../../platform/random.ts';
import type { StoreScope } from '../../platform/store/store-methods.ts';

export interface Secrets {
  /** What links to the pool's runtimes present. */
  runtimeKey(pool: PoolKey): string;
  /** Opens the store for this pool only, or (`*`) all of it: for gateways. */
  storeToken(scope: StoreScope): string;
  /** What a token of the store opens; undefined: nothing. */
  scopeOf(token: string): StoreScope | undefined;
}

const FILE = 'secret';
const OWNER_ONLY = 0o600;

/** Made once per data folder, so that more processes of the same user on it know the keys, too. */
export async function openSecrets(dataFolder: string, random: Random): Promise<Secrets> {
  const fresh = `${random.id()}${random.id()}`;
  try {
    await writeFile(join(dataFolder, FILE), fresh, { mode: OWNER_ONLY, flag: 'wx' });
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

/** How runtimes of this data folder are reached: on Unix sockets, with the key of their pool. */
export function keysOf(secrets: Secrets): (pool: PoolKey) => RuntimeAccess {
  return (pool) => ({ key: secrets.runtimeKey(pool) });
}

const SEPARATOR = ' ';

function secretsOf(secret: string): Secrets {
  const derive = (purpose: string): string =>
    createHmac('sha256', secret).update(purpose).digest('base64url');
  const storeToken = (scope: StoreScope): string =>
    `${scope}${SEPARATOR}${derive(`store ${scope}`)}`;
  return {
    runtimeKey: (pool) => derive(`runtime ${pool}`),
    storeToken,
    scopeOf(token) {
      const [scope = ''] = token.split(SEPARATOR, 1);
      return isEqual(token, storeToken(scope)) ? scope : undefined;
    },
  };
}

function isEqual(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
