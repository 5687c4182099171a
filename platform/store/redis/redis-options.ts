/** What a Redis store is opened with, checked; names and passwords never get into a message. */
import type { RedisOptions } from 'ioredis';
import type { PoolKey } from '../../../core/identifiers.ts';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Random } from '../../random.ts';
import { StoreError } from '../store-error.ts';
import type { Caller } from './redis-call.ts';
import { KEY_PREFIX, KEY_PREFIX_PATTERN } from './redis-keys.ts';

export interface RedisTls {
  /** PEM texts; without `ca` the system's authorities count. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Expected in the server's certificate, where it is not the host of the URL. */
  readonly serverName?: string;
}

/** Where Redis is and who we are there; what a secret holds. */
export interface RedisAccess {
  /** `redis://host:port/db`, `rediss://…` for TLS, or `unix:/path`. A name and password in it count, but are better kept apart. */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: RedisTls;
}

export interface RedisStoreOptions {
  /** A function is asked again for each new connection: credentials may have changed. */
  readonly access: RedisAccess | (() => RedisAccess);
  /** Before every key and channel; `agentpool` if absent. Two installations on one Redis need two. */
  readonly keyPrefix?: string;
  /** Claims and commits wait until so many replicas have them; fewer in time is an unknown outcome. 0 if absent. */
  readonly minReplicas?: number;
  /** Only this pool's keys are ever touched, so a user limited to them will do. Absent: all pools. */
  readonly pool?: PoolKey;
  /** Of each new connection, before anything else counts on it. Must not reject: the store is what it is without. */
  readonly onConnection?: (connection: Caller) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Without any answer, and the time that what was sent may take on its way; 2,000 if absent. */
  readonly timeoutMs?: number;
  /** For tests: counts instead of Redis' own clock wherever leases are judged. */
  readonly serverTimeMs?: () => number;
}

export const TIMEOUT_MS = 2_000;
/** A way that carries less than 64 Mbit/s cannot carry the largest commit before the lease ends that goes the same way. */
const SENT_BYTES_PER_MS_MIN = 8 * 1024;
const BACKOFF_FIRST_MS = 25;
const BACKOFF_MAX_MS = 1_000;
const KEEP_ALIVE_MS = 5_000;
const DISCONNECT_MS = 200;

export const accessOf = ({ access }: Pick<RedisStoreOptions, 'access'>): RedisAccess =>
  typeof access === 'function' ? access() : access;

export function keyPrefixOf(options: Pick<RedisStoreOptions, 'keyPrefix'>): string {
  const prefix = options.keyPrefix ?? KEY_PREFIX;
  if (KEY_PREFIX_PATTERN.test(prefix)) return prefix;
  throw new StoreError(`keyPrefix must match ${KEY_PREFIX_PATTERN.source}`, 'not-applied');
}

/** For how long nothing may come back while so many bytes are on their way, or asked for: they have to get there first, and onto the disk. */
export const silenceMsMax = (timeoutMs: number, bytes: number): number =>
  timeoutMs + Math.ceil(bytes / SENT_BYTES_PER_MS_MIN);

/** Before the next attempt after so many in a row (from 1): 25 ms to 1 s, with chance in it. */
export function backoffMs(attempt: number, random: Pick<Random, 'float'>): number {
  const longestMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.ceil(longestMs * (0.5 + random.float() / 2));
}

/** Never queues without a connection, never sends anything again: see docs/adr on the Redis store. */
export function clientOptionsOf(
  options: RedisStoreOptions,
): RedisOptions & { readonly replyMapping: 'legacy' } {
  const { random, timeoutMs = TIMEOUT_MS } = options;
  return {
    ...placeOf(accessOf(options)),
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    lazyConnect: true,
    protocol: 3,
    replyMapping: 'legacy',
    connectTimeout: timeoutMs,
    // Also while connecting: a Redis that stands still accepts connections and never answers.
    socketTimeout: timeoutMs,
    keepAlive: KEEP_ALIVE_MS,
    // How long a close may hold up the end of the process.
    disconnectTimeout: DISCONNECT_MS,
    connectionName: 'agentpool',
    disableClientInfo: true,
    retryStrategy: (attempt) => backoffMs(attempt, random),
  };
}

/** Where to connect, and as whom. @throws StoreError */
export function placeOf(access: RedisAccess): RedisOptions {
  if (access.url.startsWith('unix:')) {
    return { path: access.url.slice('unix:'.length).replace(/^\/\//, ''), ...userOf(access) };
  }
  const url = parse(access.url);
  const secure = url.protocol === 'rediss:';
  if (!secure && access.tls !== undefined)
    throw new StoreError('TLS for Redis needs a URL that begins with rediss://', 'not-applied');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    db: databaseOf(url),
    ...userOf(access, url),
    ...(secure ? { tls: tlsOf(access.tls ?? {}, url.hostname) } : {}),
  };
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^rediss?:$/.test(url.protocol) && url.hostname !== '') return url;
  // Not the text itself: it may hold a password.
  throw new StoreError(
    'the URL of Redis must be redis://host:port, rediss://host:port or unix:/path',
    'not-applied',
  );
}

function databaseOf(url: URL): number {
  const path = url.pathname.replace(/^\//, '');
  if (/^\d{0,3}$/.test(path)) return Number(path);
  throw new StoreError(
    'the path in the URL of Redis must be the number of a database',
    'not-applied',
  );
}

function userOf(access: RedisAccess, url?: URL): RedisOptions {
  const username = access.username ?? decoded(url?.username ?? '');
  const password = access.password ?? decoded(url?.password ?? '');
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new StoreError(
      'name and password in the URL of Redis must be percent-encoded (% is %25): better in files of their own',
      'not-applied',
    );
  }
}

function tlsOf(tls: RedisTls, host: string): NonNullable<RedisOptions['tls']> {
  const { ca, cert, key, serverName = host } = tls;
  if ((cert === undefined) !== (key === undefined))
    throw new StoreError(
      'our certificate for Redis (tls.crt) and its key (tls.key) need each other',
      'not-applied',
    );
  const isAddress = /^[\d.]+$|^\[/.test(serverName);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(isAddress ? {} : { servername: serverName }),
  };
}
