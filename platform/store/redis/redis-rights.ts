/** What users of Redis may do: the words of ACL SETUSER for the installation and for the runtimes of a pool. docs/redis.md shows the same lines. */
import type { PoolKey } from '../../../core/identifiers.ts';
import type { Patterns, RedisKeys } from './redis-keys.ts';

/** What connections and scripts of everybody use. */
const CONNECTION = ['hello', 'auth', 'ping', 'info', 'select', 'client|setname', 'wait'];
const SCRIPTS = ['subscribe', 'publish', 'eval', 'evalsha', 'time'];
const KEYS = ['mget', 'del', 'unlink', 'exists', 'pexpire'];
const HASHES = 'hget hset hsetnx hmget hgetall hdel hincrby hkeys hlen hstrlen'.split(' ');
const LISTS = ['rpush', 'lpop', 'lrange', 'lindex', 'llen'];
const SORTED_SETS = 'zadd zrem zcard zscore zrange zrangebyscore zrangebylex zremrangebyrank'.split(
  ' ',
);
const SETS = ['sadd', 'srem', 'sismember'];

/** Nothing that tells of other pools: `config|get` shows the password of the default user. */
export const POOL_COMMANDS: readonly string[] = [
  ...[CONNECTION, SCRIPTS, KEYS, HASHES, LISTS, SORTED_SETS, SETS].flat(),
];

export const INSTALLATION_COMMANDS: readonly string[] = [
  ...POOL_COMMANDS,
  ...['config|get', 'psubscribe', 'get', 'set', 'smembers'],
];

/** What the operator needs besides to make a user for each pool. */
export const USER_COMMANDS: readonly string[] = ['acl|setuser', 'acl|deluser', 'acl|save'];

/** @param password as ACL SETUSER takes it: `>text`, or `#` and the SHA-256 of it. */
export const poolRights = (keys: RedisKeys, pool: PoolKey, password: string): readonly string[] =>
  rights(password, keys.patternsOf(pool), POOL_COMMANDS);

/** See `poolRights`. */
export const installationRights = (keys: RedisKeys, password: string): readonly string[] =>
  rights(password, keys.patterns, INSTALLATION_COMMANDS);

/** From nothing: a user that is there already keeps none of what it had. */
function rights(
  password: string,
  patterns: Patterns,
  commands: readonly string[],
): readonly string[] {
  return [
    ...['reset', 'on', password],
    ...['resetkeys', ...patterns.keys.map((pattern) => `~${pattern}`)],
    ...['resetchannels', ...patterns.channels.map((pattern) => `&${pattern}`)],
    ...['-@all', ...commands.map((command) => `+${command}`)],
  ];
}
