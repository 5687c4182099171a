/** The folders of mounted Secrets that gateway and operator are started with: who this process is inside, and where the store is. */
import type { PoolKey } from '../../core/identifiers.ts';
import { systemClock } from '../../platform/clock.ts';
import { channelTls } from '../../platform/grpc/grpc-tls.ts';
import type { RuntimeAccess } from '../../platform/link/grpc-runtime-client.ts';
import type { Log } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import type { PoolUsers } from '../../platform/store/redis/pool-users.ts';
import {
  type RedisPlace,
  redisPlaceOf,
  STORE_FILES,
} from '../../platform/store/redis/redis-secret.ts';
import type { RedisAccess } from '../../platform/store/redis/redis-options.ts';
import { openRedisStore } from '../../platform/store/redis/redis-store.ts';
import type { Store } from '../../platform/store/store.ts';
import { StoreError } from '../../platform/store/store-error.ts';
import { runtimeIdentity } from '../../platform/tls/identities.ts';
import { INSTALLATION_KEY_CHARACTERS_MIN, poolRuntimeKey } from '../../platform/tls/pool-key.ts';
import {
  type Followed,
  openSecretFolder,
  SecretFolderError,
} from '../../platform/tls/secret-folder.ts';
import {
  type TlsMaterial,
  tlsMaterialOf,
  type TlsSource,
} from '../../platform/tls/tls-material.ts';
import { CliError } from '../exit-code.ts';

export interface LinkSecret extends TlsMaterial {
  /** The installation's: the keys of all pools are made of it. */
  readonly installationKey: string;
}

const KEY_CHANGED =
  'the key of the installation was changed, this process goes on with that of its start: put the key back, or restart operators and gateways; runtimes are then replaced by themselves (docs/kubernetes.md)';

/**
 * `--link`: `key`, `ca.crt`, `tls.crt`, `tls.key`. Throws a CliError that names the file. The key stays that of the start: runtimes know one only,
 * so whoever took another one before all others do would reach none of them.
 */
export function openLink(path: string, log: Log): Promise<Followed<LinkSecret>> {
  let first: string | undefined;
  const keyOf = (text: string): string => {
    const now = installationKeyOf(text);
    first ??= now;
    if (now !== first) log.error(KEY_CHANGED, { detail: { path } });
    return first;
  };
  return openSecretFolder({
    path,
    required: ['key', 'ca.crt', 'tls.crt', 'tls.key'],
    optional: [],
    accept: (files) => ({ ...tlsMaterialOf(files), installationKey: keyOf(files.key) }),
    clock: systemClock,
    log,
  }).catch(asCliError);
}

/** `--tls`: `tls.crt`, `tls.key`: what clients see. Throws a CliError that names the file. */
export function openClientTls(path: string, log: Log): Promise<Followed<TlsMaterial>> {
  return openSecretFolder({
    path,
    required: ['tls.crt', 'tls.key'],
    optional: [],
    accept: tlsMaterialOf,
    clock: systemClock,
    log,
  }).catch(asCliError);
}

/** `--store`: throws a CliError that names the file where what it says can be of no use, wherever Redis is. */
export async function checkStore(path: string, log: Log): Promise<void> {
  const folder = await openPlace(path, log).catch(asCliError);
  folder.close();
}

/** `--store`: where Redis is and who we are there. Throws a CliError that names the file, or says why Redis cannot be used. */
export async function openStore(
  path: string,
  log: Log,
  { users }: { readonly users?: Pick<PoolUsers, 'connected'> } = {},
): Promise<Store> {
  const folder = await openPlace(path, log).catch(asCliError);
  const { url } = folder.current.access;
  // Prefix and replicas are those of the start, too: a changed place takes a new process.
  const access = (): RedisAccess => ({ ...folder.current.access, url });
  try {
    return await openRedisStore({
      ...folder.current,
      access,
      ...(users && { onConnection: (connection) => users.connected(connection) }),
      clock: systemClock,
      random: systemRandom,
      log,
    });
  } catch (error) {
    // It is tried again, perhaps for hours: with a folder of its own each time.
    folder.close();
    throw error instanceof StoreError ? new CliError(error.message) : error;
  }
}

/** How the runtimes of a pool are reached: derived, so no Kubernetes call. */
export function runtimesOver(link: TlsSource & { readonly current: LinkSecret }) {
  const channels = channelTls(link);
  return (pool: PoolKey): RuntimeAccess => ({
    key: poolRuntimeKey(link.current.installationKey, pool),
    tls: { channels, serverName: runtimeIdentity(pool) },
  });
}

/** Each new connection takes the credentials of that moment. */
function openPlace(path: string, log: Log): Promise<Followed<RedisPlace>> {
  return openSecretFolder({
    path,
    ...STORE_FILES,
    accept: (files) => redisPlaceOf((name) => files[name]),
    clock: systemClock,
    log,
  });
}

function installationKeyOf(text: string): string {
  if (text.length >= INSTALLATION_KEY_CHARACTERS_MIN) return text;
  throw new Error(`key must have at least ${INSTALLATION_KEY_CHARACTERS_MIN} characters`);
}

function asCliError(error: unknown): never {
  throw error instanceof SecretFolderError ? new CliError(error.message) : error;
}
