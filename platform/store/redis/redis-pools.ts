/** Pools and tier overrides: small records under their pool's keys. */
import { poolKeyOfProject, type PoolKey, type ProjectKey } from '../../../core/identifiers.ts';
import type { TierOverride } from '../../../core/tier.ts';
import type { PoolRecord, Topic } from '../store.ts';
import { LIST_BYTES } from './answer-room.ts';
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
    // On the list first: who hears of the change reads the list.
    await this.#leases.enlist(record.key, 'putPool');
    const { status, report, ...wanted } = record;
    const channel = (topic: Topic): string => keys.channel(record.key, topic);
    const fields = [JSON.stringify(wanted), channel('pools'), JSON.stringify({ status, report })];
    const { record: wantedKey, told } = keys.pool(record.key);
    const args = [time(), ...fields, channel('reports')];
    const isNew = await connection.run(PUT_POOL, [wantedKey, told], args);
    // Whoever was taking the name off the list may not have seen the record.
    if (isNew === 1) await this.#leases.enlist(record.key, 'putPool');
  }

  async delete(key: PoolKey): Promise<void> {
    const { connection, keys, time } = this.#context;
    const { record, leases, runtimes, projects, erasing, counters, overrides, told } =
      keys.pool(key);
    const isDeserted = await connection.run(
      DELETE_POOL,
      [record, leases, runtimes, projects, erasing, counters, overrides, told],
      [time(), keys.channel(key, 'pools'), keys.channel(key, 'runtimes')],
    );
    // With leases left it goes with the last of them.
    if (isDeserted === 1) await this.#leases.unlist(key);
  }

  /** @param of undefined: all pools. */
  async list(of: PoolKey | undefined): Promise<readonly PoolRecord[]> {
    const pools = of === undefined ? await this.#leases.pools() : [of];
    const records = await Promise.all(pools.map((pool) => this.#record(pool)));
    return records.filter((record) => record !== undefined).sort(byKey);
  }

  async #record(pool: PoolKey): Promise<PoolRecord | undefined> {
    const keys = this.#context.keys.pool(pool);
    const values = await this.#context.answers.within(LIST_BYTES, () =>
      read(this.#context, 'listPools', ['MGET', keys.record, keys.told]),
    );
    const [wanted, told] = values as readonly unknown[];
    if (!isBytes(wanted)) return undefined;
    // Not looked into: no pool's user may write what is no hash, list or set.
    const record = jsonOf(wanted) as PoolRecord;
    return isBytes(told) ? { ...record, ...(jsonOf(told) as Partial<PoolRecord>) } : record;
  }

  async setOverride(
    key: ProjectKey,
    override: Omit<TierOverride, 'generation'> | undefined,
    expected: number,
  ): Promise<'set' | 'conflict'> {
    const { connection, keys, time } = this.#context;
    const { overrides, counters } = keys.poolOf(key);
    const json = override === undefined ? '' : JSON.stringify(override);
    const channels = [keys.channel(poolKeyOfProject(key), 'tiers'), keys.tierChannel(key)];
    const args = [time(), key, expected, json, ...channels];
    const answer = await connection.run(SET_OVERRIDE, [overrides, counters], args);
    return answer === 1 ? 'set' : 'conflict';
  }

  async readOverride(key: ProjectKey): Promise<TierOverride | undefined> {
    const { overrides } = this.#context.keys.pool(poolKeyOfProject(key));
    return overrideOf(await read(this.#context, 'readTierOverride', ['HGET', overrides, key]));
  }

  async listOverrides(pool: PoolKey): Promise<readonly OverrideEntry[]> {
    const { answers, broken, keys } = this.#context;
    const { overrides } = keys.pool(pool);
    const answer = await broken.within<unknown>(pool, [], () =>
      answers.within(LIST_BYTES, () =>
        read(this.#context, 'listTierOverrides', ['HGETALL', overrides]),
      ),
    );
    const flat = answer as readonly Buffer[];
    const entries: OverrideEntry[] = [];
    for (let at = 0; at < flat.length; at += 2) {
      const [key, override] = [String(flat[at]), overrideOf(flat[at + 1])];
      // Whoever gives the name of another pool's project would have that one's override taken away with this pool.
      if (override !== undefined && poolKeyOfProject(key) === pool) entries.push({ key, override });
    }
    if (entries.length < flat.length / 2) broken.tell(pool, 'the override of a tier');
    return entries.sort(byKey);
  }
}
