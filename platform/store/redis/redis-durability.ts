/** What an acknowledged commit survives on this Redis: looks at its version and settings, changes none. */
import { StoreError } from '../store-error.ts';
import type { StoreDurability } from '../store.ts';
import { textOrEmpty } from './redis-codec.ts';
import { read, type RedisContext } from './redis-context.ts';

const MAJOR_MIN = 7;

const SETTINGS = [
  ...(['appendonly', 'appendfsync', 'no-appendfsync-on-rewrite'] as const),
  ...(['maxmemory', 'maxmemory-policy'] as const),
];

/** What Redis says of itself; a setting that may not be read is absent. */
export interface RedisFacts {
  readonly replicas?: number;
  /** Of another Redis: it takes no write. */
  readonly isReplica?: boolean;
  readonly settings?: ReadonlyMap<string, string>;
  readonly minReplicas: number;
}

export const UNCHECKED: StoreDurability = {
  durable: undefined,
  reason: 'RedisUnchecked',
  message: 'Redis has not been asked yet',
};

/** @throws StoreError when Redis is too old, or has a part of the keys only. */
export async function checkDurability(
  context: RedisContext,
  minReplicas: number,
): Promise<StoreDurability> {
  // Settings hold passwords: who sees one pool only may not read them, and is asked about durability by nobody.
  const asked = context.pool === undefined ? settingsOf(context) : undefined;
  const [info, settings] = await Promise.all([infoOf(context), asked]);
  if (info !== undefined) await refuseUnfit(context, info);
  const replicas = info?.get('connected_slaves');
  return judgeDurability({
    minReplicas,
    isReplica: info?.get('role') === 'slave',
    ...(replicas === undefined ? {} : { replicas: Number(replicas) }),
    ...(settings === undefined ? {} : { settings }),
  });
}

async function refuseUnfit(
  context: RedisContext,
  info: ReadonlyMap<string, string>,
): Promise<void> {
  const version = info.get('redis_version') ?? '';
  if (Number.parseInt(version, 10) < MAJOR_MIN) {
    throw new StoreError(
      `Redis ${version} is too old: ${MAJOR_MIN}.0 or later is needed`,
      'not-applied',
    );
  }
  if (info.get('redis_mode') === 'cluster') await refusePart(context);
}

/** The gravest first. */
export function judgeDurability(facts: RedisFacts): StoreDurability {
  const { settings, replicas, isReplica, minReplicas } = facts;
  if (isReplica === true)
    return no(
      'RedisIsReplica',
      'this Redis is a replica, which takes no write: nothing is acknowledged',
    );
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
  return withFile(lossOf(settings), minReplicas);
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

/** What can be lost by the settings of the file. Redis 7's manual, "Redis persistence", and the comments of its redis.conf. */
type Loss = Readonly<Record<'setting' | 'lost', string>> & {
  readonly reason: StoreDurability['reason'];
};

function lossOf(settings: ReadonlyMap<string, string>): Loss | undefined {
  const fsync = settings.get('appendfsync') ?? '';
  const setting = `appendfsync is ${fsync}`;
  if (fsync === 'everysec')
    return { reason: 'RedisFsyncEverySecond', setting, lost: 'up to two seconds' };
  if (fsync !== 'always')
    return { reason: 'RedisFsyncNever', setting, lost: 'up to half a minute' };
  if (settings.get('no-appendfsync-on-rewrite') !== 'yes') return undefined;
  return {
    reason: 'RedisFsyncPauses',
    setting: 'no-appendfsync-on-rewrite is yes',
    lost: 'while Redis rewrites its file up to half a minute',
  };
}

function withFile(loss: Loss | undefined, minReplicas: number): StoreDurability {
  if (loss === undefined) {
    const also = minReplicas === 0 ? '' : `, and ${minReplicas} replicas have it`;
    const message = `on the disk before it is acknowledged${also}`;
    return { durable: true, reason: 'RedisFsyncAlways', message };
  }
  const { reason, setting, lost } = loss;
  return no(
    reason,
    minReplicas === 0
      ? `${setting}: ${lost} of what was acknowledged can be lost with Redis or its machine`
      : `${setting}: ${lost} can be lost where Redis and ${minReplicas} replicas fail at once`,
  );
}

/** Keys of pools and projects are in any slot: a part of a Redis Cluster can keep some of them only. */
async function refusePart(context: RedisContext): Promise<void> {
  const text = textOrEmpty(await permitted(read(context, 'open', ['CLUSTER', 'INFO'])));
  const nodes = Number(/^cluster_size:(\d+)/m.exec(text)?.[1] ?? 1);
  if (nodes <= 1) return;
  throw new StoreError(
    `this is one of ${nodes} nodes of a Redis Cluster, which hold a part of the keys each: give AgentPool a Redis of its own`,
    'not-applied',
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
