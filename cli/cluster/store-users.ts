/** The users that pools have in the store, made of the installation's key and of where the store is. */
import { systemClock } from '../../platform/clock.ts';
import { Hindered } from '../../operator/pool/hindered.ts';
import type { PoolKey } from '../../core/identifiers.ts';
import type { Log } from '../../platform/log.ts';
import { PoolUsers, PoolUsersRefused } from '../../platform/store/redis/pool-users.ts';
import { KEY_PREFIX, RedisKeys } from '../../platform/store/redis/redis-keys.ts';
import { filesOfUser } from '../../platform/store/redis/redis-secret.ts';
import type { PoolRecord } from '../../platform/store/store.ts';
import { poolStorePassword } from '../../platform/tls/pool-key.ts';
import type { Followed } from '../../platform/tls/secret-folder.ts';
import type { LinkSecret } from './secret-folders.ts';

export interface StoreUsersSources {
  readonly link: Pick<Followed<LinkSecret>, 'current'>;
  /** As they are in the folder of the store. */
  readonly store: Pick<Followed<Readonly<Record<string, string>>>, 'current'>;
  readonly log: Log;
}

export function storeUsers({ link, store, log }: StoreUsersSources): PoolUsers {
  const { 'key-prefix': prefix = KEY_PREFIX, password, url = '' } = store.current;
  // Where the default user needs no password, nobody needs to be another one.
  if (password === undefined && !url.includes('@'))
    log.warn(
      'each pool has a user of its own in Redis, but the installation has no password there',
    );
  return new PoolUsers({
    keys: new RedisKeys(prefix),
    passwordOf: (pool) => poolStorePassword(link.current.installationKey, pool),
    clock: systemClock,
    log,
  });
}

/** Of those that an operator before had, all at once: runtimes of theirs may wait for it. What Redis refuses is told by each of the pools. */
export async function ensureUsersOf(
  records: readonly PoolRecord[],
  installation: string,
  users: Pick<PoolUsers, 'ensure'>,
): Promise<void> {
  const ours = records.filter((record) => record.installation === installation);
  try {
    await users.ensure(ours.map(({ key }) => key));
  } catch (error) {
    if (!(error instanceof PoolUsersRefused)) throw error;
  }
}

/**
 * What a pool's runtimes are told of the store. Before they are given a user, Redis knows it.
 *
 * @param files of the installation. @param users left out: runtimes are in the store as the installation is.
 * @throws Hindered where Redis makes no user: never the installation's own instead.
 */
export async function storeFilesFor(
  pool: PoolKey,
  files: Readonly<Record<string, string>>,
  users: Pick<PoolUsers, 'ensure' | 'of'> | undefined,
): Promise<Readonly<Record<string, string>>> {
  if (users === undefined) return files;
  try {
    await users.ensure([pool]);
  } catch (error) {
    if (!(error instanceof PoolUsersRefused)) throw error;
    throw new Hindered('RedisUsersRefused', error.message, error);
  }
  return filesOfUser(files, users.of(pool));
}
