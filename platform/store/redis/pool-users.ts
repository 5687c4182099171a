/**
 * A user of Redis for each pool, whose runtimes can touch their pool's keys and no others. Redis may forget users (a restart without a file of
 * them, another primary), so all are made again with each new connection. Keeps no passwords: they are derived.
 */
import { createHash } from 'node:crypto';
import type { PoolKey } from '../../../core/identifiers.ts';
import type { Clock, Timer } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Call, Caller } from './redis-call.ts';
import type { RedisKeys } from './redis-keys.ts';
import { poolRights, USER_COMMANDS } from './redis-rights.ts';

/** That are sent together. */
const USERS_AT_ONCE_MAX = 500;
/** Redis writes its whole file of users at once: not for each of many. */
const SAVE_AFTER_MS = 1_000;

export interface PoolUser {
  readonly username: string;
  readonly password: string;
}

export interface PoolUsersOptions {
  readonly keys: RedisKeys;
  /** The same each time, and another for each pool. */
  readonly passwordOf: (pool: PoolKey) => string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Redis has answered that it does not make users for us: one sentence with what to do. */
export class PoolUsersRefused extends Error {
  override readonly name = 'PoolUsersRefused';

  constructor(cause: Error) {
    const needed = USER_COMMANDS.map((command) => `+${command}`).join(' ');
    super(
      `Redis makes no user for this pool: ${cause.message}. Give the operator's own user ${needed}, or set redis.poolUsers of the chart to false`,
      { cause },
    );
  }
}

/** A user that there should be: another object with each connection and after each removal, of which answers to what was sent before say nothing. */
interface WantedUser {
  /** The digest of the password that it was made with. */
  made?: string;
}

export class PoolUsers {
  readonly #options: PoolUsersOptions;
  /** Bounded by the pools there are. */
  readonly #wanted = new Map<PoolKey, WantedUser>();
  #connection: Caller | undefined;
  /** This Redis has a file of users, as far as is known. */
  #hasFile = true;
  #saving: Timer | undefined;

  constructor(options: PoolUsersOptions) {
    this.#options = options;
  }

  /** Whether or not Redis can be asked. */
  of(pool: PoolKey): PoolUser {
    const { keys, passwordOf } = this.#options;
    return { username: keys.userOf(pool), password: passwordOf(pool) };
  }

  /** What was made on the one before may be lost: all are made again, and sent together. Never rejects. */
  async connected(connection: Caller): Promise<void> {
    this.#connection = connection;
    const pools = [...this.#wanted.keys()];
    for (const pool of pools) this.#wanted.set(pool, {});
    this.#hasFile = true;
    try {
      await this.#make(pools);
    } catch (error) {
      this.#options.log.warn('users of pools could not be made in Redis', { err: error });
    }
  }

  /**
   * Resolves when Redis knows the users of these pools, or is away: then it learns of them as soon as it is back, before anything else.
   * @throws PoolUsersRefused, or StoreError where nobody knows.
   */
  async ensure(pools: readonly PoolKey[]): Promise<void> {
    for (const pool of pools) if (!this.#wanted.has(pool)) this.#wanted.set(pool, {});
    if (this.#connection?.isReady === true) await this.#make(pools);
  }

  /** Ends its connections, too. Users that may not be taken away stay, with a line in the log. @throws StoreError when Redis is away. */
  async remove(pool: PoolKey): Promise<void> {
    this.#wanted.delete(pool);
    try {
      await this.#connection?.call(command('DELUSER', this.#options.keys.userOf(pool)));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#options.log.warn('the user of a pool stays in Redis', { err: error });
      return;
    }
    this.#saveSoon();
  }

  close(): void {
    this.#saving?.cancel();
    this.#connection = undefined;
  }

  async #make(pools: readonly PoolKey[]): Promise<void> {
    const missing = pools.filter((pool) => this.#wanted.get(pool)?.made !== this.#digestOf(pool));
    for (let next = 0; next < missing.length; next += USERS_AT_ONCE_MAX) {
      const some = missing.slice(next, next + USERS_AT_ONCE_MAX).flatMap((pool) => {
        const user = this.#wanted.get(pool);
        // Some may have gone while the ones before were made.
        return user === undefined ? [] : [{ pool, user, digest: this.#digestOf(pool) }];
      });
      await this.#send(some.map(({ pool, digest }) => this.#setUser(pool, digest)));
      for (const { user, digest } of some) user.made = digest;
    }
    if (missing.length > 0) this.#saveSoon();
  }

  #setUser(pool: PoolKey, digest: string): Call {
    const { keys } = this.#options;
    return command('SETUSER', keys.userOf(pool), ...poolRights(keys, pool, `#${digest}`));
  }

  async #send(calls: readonly Call[]): Promise<void> {
    try {
      await this.#connection?.callAll(calls);
    } catch (error) {
      throw isRefusal(error) ? new PoolUsersRefused(error) : error;
    }
  }

  #digestOf(pool: PoolKey): string {
    return createHash('sha256').update(this.#options.passwordOf(pool)).digest('hex');
  }

  #saveSoon(): void {
    if (!this.#hasFile || this.#saving !== undefined) return;
    this.#saving = this.#options.clock.after(SAVE_AFTER_MS, () => {
      this.#saving = undefined;
      this.#connection?.call(command('SAVE')).catch((error: unknown) => this.#notSaved(error));
    });
  }

  /** Without a file they are made again with the next connection. */
  #notSaved(error: unknown): void {
    if (!isRefusal(error)) return;
    this.#hasFile = false;
    if (!error.message.includes('not configured to use an ACL file'))
      this.#options.log.warn('users of pools could not be saved by Redis', { err: error });
  }
}

const command = (subcommand: string, ...args: readonly string[]): Call => ({
  name: `ACL ${subcommand}`,
  writes: false,
  command: 'ACL',
  args: [subcommand, ...args],
});

/** Redis has answered, and no other time would do. */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && /: (NOPERM|ERR)\b/.test(error.message);
}
