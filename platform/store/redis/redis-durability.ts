/** What an acknowledged commit survives on this Redis: looks at its version and settings, changes none. */
import { StoreError } from '../store-error.ts';
import type { StoreDurability } from '../store.ts';
import { textOrEmpty } from './redis-codec.ts';
import { read, type RedisContext } from './redis-context.ts';

const MAJOR_MIN = 7;

const SETTINGS = ['appendonly', 'appendfsync', 'maxmemory', 'maxmemory-policy'] as const;

/** What Redis says of itself; a setting that may not be read is absent. */
export interface RedisFacts {
  readonly version?: string;
  readonly replicas?: number;
  readonly settings?: ReadonlyMap<string, string>;
  readonly minReplicas: number;
}

export const UNCHECKED: StoreDurability = {
  durable: undefined,
  reason: 'RedisUnchecked',
  message: 'Redis has not been asked yet',
};

/** @throws StoreError when Redis is too old. */
export async function checkDurability(
  context: RedisContext,
  minReplicas: number,
): Promise<StoreDurability> {
  const [info, settings] = await Promise.all([infoOf(context), settingsOf(context)]);
  const version = info?.get('redis_version');
  if (version !== undefined && Number.parseInt(version, 10) < MAJOR_MIN) {
    throw new StoreError(
      `Redis ${version} is too old: ${MAJOR_MIN}.0 or later is needed`,
      'not-applied',
    );
  }
  const replicas = info?.get('connected_slaves');
  return judgeDurability({
    minReplicas,
    ...(version === undefined ? {} : { version }),
    ...(replicas === undefined ? {} : { replicas: Number(replicas) }),
    ...(settings === undefined ? {} : { settings }),
  });
}

/** The gravest first. */
export function judgeDurability(facts: RedisFacts): StoreDurability {
  const { settings, replicas, minReplicas } = facts;
  if (replicas !== undefined && replicas < minReplicas)
    return no(
      'RedisReplicasMissing',
      `${replicas} replicas are connected, minReplicas is ${minReplicas}: nothing is acknowledged until they are there`,
    );
  if (settings === undefined)
    return {
      durable: undefined,
      reason: 'RedisUnchecked',
      message: 'this user may not read the settings (CONFIG GET)',
    };
  const policy = settings.get('maxmemory-policy') ?? '';
  if (policy !== 'noeviction' && settings.get('maxmemory') !== '0')
    return no(
      'RedisEvicts',
      `maxmemory-policy is ${policy}: Redis deletes what it has no room for`,
    );
  if (settings.get('appendonly') !== 'yes') return withoutFile(minReplicas);
  return withFile(settings.get('appendfsync') ?? '', minReplicas);
}

function withoutFile(minReplicas: number): StoreDurability {
  if (minReplicas > 0)
    return no(
      'RedisNotPersistent',
      `appendonly is no: lost when Redis and ${minReplicas} of its replicas end`,
    );
  return no(
    'RedisNotPersistent',
    'appendonly is no: what was acknowledged is lost when Redis ends',
  );
}

function withFile(fsync: string, minReplicas: number): StoreDurability {
  const also = minReplicas === 0 ? '' : `, and ${minReplicas} replicas have it`;
  if (fsync === 'always')
    return {
      durable: true,
      reason: 'RedisFsyncAlways',
      message: `on the disk before it is acknowledged${also}`,
    };
  const lost = fsync === 'everysec' ? 'up to two seconds' : 'up to half a minute';
  return no(
    fsync === 'everysec' ? 'RedisFsyncEverySecond' : 'RedisFsyncNever',
    minReplicas === 0
      ? `appendfsync is ${fsync}: ${lost} of what was acknowledged can be lost with Redis or its machine`
      : `appendfsync is ${fsync}: ${lost} can be lost where Redis and ${minReplicas} replicas fail at once`,
  );
}

const no = (reason: StoreDurability['reason'], message: string): StoreDurability => ({
  durable: false,
  reason,
  message,
});

/** Undefined: not permitted. */
async function infoOf(context: RedisContext): Promise<ReadonlyMap<string, string> | undefined> {
  const text = await permitted(read(context, 'open', ['INFO', 'server', 'replication']));
  if (text === undefined) return undefined;
  const lines = textOrEmpty(text)
    .split('\r\n')
    .filter((line) => line.includes(':'));
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

async function settingsOf(context: RedisContext): Promise<ReadonlyMap<string, string> | undefined> {
  const reply = await permitted(read(context, 'open', ['CONFIG', 'GET', ...SETTINGS]));
  if (!Array.isArray(reply)) return undefined;
  const texts = reply.map(String);
  return new Map(
    SETTINGS.flatMap((name) => {
      const at = texts.indexOf(name);
      return at < 0 ? [] : [[name, texts[at + 1] ?? ''] as const];
    }),
  );
}

async function permitted(reply: Promise<unknown>): Promise<unknown> {
  try {
    return await reply;
  } catch (error) {
    // Managed Redis may not know CONFIG at all.
    if (/NOPERM|unknown command/i.test((error as Error).message)) return undefined;
    throw error;
  }
}
