/** The data folder's secret, and the keys made of it: one per pool for its runtimes and its part of the store. Nothing else knows the secret. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PoolKey } from '../../core/identifiers.ts';
import type { RuntimeAccess } from '../../platform/link/grpc-runtime-client.ts';
import type { Random } from '../../platform/random.ts';
import type { StoreScope } from '../../platform/store/store-methods.ts';
import { CliError } from '../exit-code.ts';

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

/** Two ids of 128 bits. */
const CHARACTERS = 44;

/** Made once per data folder, so that more processes of the same user on it know the keys, too. */
export async function openSecrets(dataFolder: string, random: Random): Promise<Secrets> {
  const fresh = `${random.id()}${random.id()}`;
  const path = join(dataFolder, FILE);
  // Whole or not there at all, whenever this process is killed.
  const draft = `${path}.${random.id()}`;
  try {
    await writeFile(draft, fresh, { mode: OWNER_ONLY, flag: 'wx', flush: true });
    await link(draft, path);
    return secretsOf(fresh);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return await readSecrets(dataFolder);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Fails when there is none: nothing was ever started there. */
export async function readSecrets(dataFolder: string): Promise<Secrets> {
  const path = join(dataFolder, FILE);
  const secret = await readFile(path, 'utf8');
  if (secret.length < CHARACTERS)
    throw new CliError(
      `${path} is cut: it has ${secret.length} of ${CHARACTERS} characters, and whoever guesses it reads the whole store`,
      undefined,
      'Stop all servers of this data folder and remove the file: the next start makes another one, and no state is lost.',
    );
  return secretsOf(secret);
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
