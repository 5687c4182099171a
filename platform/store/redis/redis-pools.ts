/** Pools and tier overrides: small records under their pool's keys. */
import { poolKeyOfProject, type PoolKey, type ProjectKey } from '../../../core/identifiers.ts';
import type { TierOverride } from '../../../core/tier.ts';
import type { PoolRecord } from '../store.ts';
import { DELETE_POOL, PUT_POOL, SET_OVERRIDE } from './pool-scripts.ts';
import { isBytes, jsonOf, overrideOf } from './redis-codec.ts';
import { read, type RedisContext } from './redis-context.ts';
import type { RedisLeases } from './redis-leases.ts';

type OverrideEntry = { readonly key: ProjectKey; readonly override: TierOverride };

const byKey = (a: { readonly key: string }, b: { readonly key: string }): number =>
  a.key < b.key ? -1 : 1;

export class RedisPools {
  readonly #context: RedisContext;
  readonly #leases: RedisLeases;

  constructor(context: RedisContext, leases: RedisLeases) {
    this.#context = context;
    this.#leases = leases;
  }

  async put(record: PoolRecord): Promise<void> {
    const { connection, keys, time } = this.#context;
    const args = [keys.pools, record.key];
    // On the list first: who hears of the change reads the list.
    await connection.call({ name: 'putPool', writes: true, command: 'SADD', args });
    await connection.run(
      PUT_POOL,
      [keys.pool(record.key).record],
      [time(), JSON.stringify(record), keys.channel(record.key)],
    );
  }

  async delete(key: PoolKey): Promise<void> {
    const { connection, keys, time } = this.#context;
    const { record, leases, runtimes, projects, erasing, counters, overrides } = keys.pool(key);
    const isDeserted = await connection.run(
      DELETE_POOL,
      [record, leases, runtimes, projects, erasing, counters, overrides],
      [time(), keys.channel(key)],
    );
    if (isDeserted !== 1) return;
    const args = [keys.pools, key];
    await connection.call({ name: 'deletePool', writes: true, command: 'SREM', args });
  }

  async list(): Promise<readonly PoolRecord[]> {
    const { keys } = this.#context;
    const pools = await this.#leases.pools();
    const records = await Promise.all(
      pools.map((pool) => read(this.#context, 'listPools', ['GET', keys.pool(pool).record])),
    );
    return records
      .filter(isBytes)
      .map((record) => jsonOf(record) as PoolRecord)
      .sort(byKey);
  }

  async setOverride(
    key: ProjectKey,
    override: Omit<TierOverride, 'generation'> | undefined,
    expected: number,
  ): Promise<'set' | 'conflict'> {
    const { connection, keys, time } = this.#context;
    const { overrides, counters } = keys.poolOf(key);
    const json = override === undefined ? '' : JSON.stringify(override);
    const args = [time(), key, expected, json, keys.channelOf(key)];
    const answer = await connection.run(SET_OVERRIDE, [overrides, counters], args);
    return answer === 1 ? 'set' : 'conflict';
  }

  async readOverride(key: ProjectKey): Promise<TierOverride | undefined> {
    const { overrides } = this.#context.keys.pool(poolKeyOfProject(key));
    return overrideOf(await read(this.#context, 'readTierOverride', ['HGET', overrides, key]));
  }

  async listOverrides(pool: PoolKey): Promise<readonly OverrideEntry[]> {
    const { overrides } = this.#context.keys.pool(pool);
    const flat = (await read(this.#context, 'listTierOverrides', [
      'HGETALL',
      overrides,
    ])) as readonly Buffer[];
    const entries: OverrideEntry[] = [];
    for (let at = 0; at < flat.length; at += 2) {
      const override = overrideOf(flat[at + 1]);
      if (override !== undefined) entries.push({ key: String(flat[at]), override });
    }
    return entries.sort(byKey);
  }
}
