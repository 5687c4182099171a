/** Leases of runtimes: under their pool's keys, judged by Redis' clock. */
import type { PoolKey } from '../../../core/identifiers.ts';
import type { Clock } from '../../clock.ts';
import { StoreError } from '../store-error.ts';
import type { Owner, RuntimeRecord } from '../store.ts';
import { LIST_BYTES } from './answer-room.ts';
import {
  DEREGISTER,
  EXPIRE,
  FORGIVE,
  HEARTBEAT,
  LIVE_RUNTIME,
  LIVE_RUNTIMES,
} from './lease-scripts.ts';
import { isBytes, numberOf, runtimeOf, textOrEmpty } from './redis-codec.ts';
import { read, type RedisContext } from './redis-context.ts';

/** Incarnations whose pool is remembered. */
const SEEN_MAX = 10_000;

export class RedisLeases {
  readonly #context: RedisContext;
  readonly #clock: Clock;
  /** Incarnation → its pool, the longest unseen first. */
  readonly #poolsSeen = new Map<string, PoolKey>();
  /** Redis' time less ours, as last seen. */
  #offsetMs: number | undefined;
  /** Nobody could renew since then, by our clock, and leases were not forgiven for it yet. */
  #owed: { readonly sinceMs: number } | undefined;
  #forgiving: Promise<void> | undefined;

  constructor(context: RedisContext, clock: Clock) {
    this.#context = context;
    this.#clock = clock;
  }

  async heartbeat(record: RuntimeRecord, ttlMs: number): Promise<void> {
    const { connection, keys, pool: scope, time } = this.#context;
    const { leases, runtimes, gone } = keys.pool(record.pool);
    const answer = (await connection.run(
      HEARTBEAT,
      [leases, runtimes, gone],
      [
        time(),
        record.incarnation,
        ttlMs,
        JSON.stringify(record),
        keys.channel(record.pool, 'runtimes'),
      ],
    )) as readonly [number, Buffer];
    this.#sawTime(answer[1]);
    if (answer[0] === 0) {
      throw new StoreError(
        `runtime ${record.incarnation} was deregistered and cannot come back`,
        'not-applied',
      );
    }
    this.#saw(record);
    // The operator puts a pool on the list before it starts runtimes; this is for those who run without one.
    if (answer[0] === 2 && scope === undefined) await this.enlist(record.pool, 'heartbeat');
  }

  /** In its pool, where we have seen it; else in every pool where it may be: the port does not say which. */
  async deregister(incarnation: string): Promise<void> {
    const { broken, connection, keys, time } = this.#context;
    const seen = this.#poolsSeen.get(incarnation);
    const pools = seen === undefined ? await this.pools() : [seen];
    await Promise.all(
      pools.map((pool) => {
        const { leases, runtimes, gone } = keys.pool(pool);
        const args = [time(), incarnation, keys.channel(pool, 'runtimes')];
        const deregister = (): Promise<unknown> =>
          connection.run(DEREGISTER, [leases, runtimes, gone], args);
        return seen === undefined ? broken.within(pool, undefined, deregister) : deregister();
      }),
    );
  }

  /** @param of undefined: all pools. */
  async list(of: PoolKey | undefined): Promise<readonly RuntimeRecord[]> {
    const pools = of === undefined ? await this.pools() : [of];
    await this.#forgiven();
    const records = (await Promise.all(pools.map((pool) => this.#living(pool)))).flat();
    for (const record of records) this.#saw(record);
    return records;
  }

  async #living(pool: PoolKey): Promise<readonly RuntimeRecord[]> {
    const { answers, broken, connection, keys, time } = this.#context;
    const { leases, runtimes } = keys.pool(pool);
    const answer = await broken.within<unknown>(pool, [], () =>
      answers.within(LIST_BYTES, () => connection.run(LIVE_RUNTIMES, [leases, runtimes], [time()])),
    );
    const found = (answer as readonly unknown[]).filter(isBytes);
    const records = found.flatMap((one) => runtimeOf(pool, one) ?? []);
    if (records.length < found.length) broken.tell(pool, 'the record of a runtime');
    return records;
  }

  /** The owner of a record, if its lease lives. */
  async ownerOf(pool: PoolKey, incarnation: string, epoch: number): Promise<Owner | undefined> {
    const { connection, keys, time } = this.#context;
    const { leases, runtimes } = keys.pool(pool);
    await this.#forgiven();
    const found = await connection.run(LIVE_RUNTIME, [leases, runtimes], [time(), incarnation]);
    if (!Buffer.isBuffer(found)) return undefined;
    const record = runtimeOf(pool, found);
    if (record?.incarnation === incarnation) return { incarnation, address: record.address, epoch };
    this.#context.broken.tell(pool, 'the record of a runtime');
    return undefined;
  }

  /** Takes away what has expired, and with the last lease a pool without a record; answers in how many ms the next lease does. */
  async expire(pool: PoolKey): Promise<number | undefined> {
    const { connection, keys, pool: scope, time } = this.#context;
    const { leases, runtimes, record } = keys.pool(pool);
    // Nothing is taken away from who could not renew.
    await this.forgive();
    const answer = (await connection.run(
      EXPIRE,
      [leases, runtimes, record],
      [time(), keys.channel(pool, 'runtimes')],
    )) as readonly [Buffer, Buffer, number];
    this.#sawTime(answer[0]);
    if (answer[2] === 1 && scope === undefined) await this.unlist(pool);
    const next = textOrEmpty(answer[1]);
    return next === '' ? undefined : Number(next) - numberOf(answer[0]);
  }

  /** @param atMs of our clock: since when Redis cannot be reached. The first counts until leases were forgiven for it. */
  lostSince(atMs: number): void {
    this.#owed = { sinceMs: this.#owed?.sinceMs ?? atMs };
  }

  /** Leases that lived when Redis was lost get one time to live more. @throws StoreError: they are not forgiven yet. */
  forgive(): Promise<void> {
    if (this.#owed === undefined) return Promise.resolve();
    this.#forgiving ??= this.#forgive(this.#owed).finally(() => {
      this.#forgiving = undefined;
    });
    return this.#forgiving;
  }

  /** Whether a lease lives is not asked while it is about to be forgiven. */
  async #forgiven(): Promise<void> {
    await this.#forgiving?.catch(() => undefined);
  }

  async #forgive(owed: { readonly sinceMs: number }): Promise<void> {
    if (this.#offsetMs !== undefined) {
      const { broken, connection, keys, time } = this.#context;
      const args = [time(), Math.floor(owed.sinceMs + this.#offsetMs)];
      const pools = await this.pools();
      await Promise.all(
        pools.map((pool) => {
          const forgive = (): Promise<unknown> =>
            connection.run(FORGIVE, [keys.pool(pool).leases], args);
          // What is no lease cannot be forgiven, and nobody else's lease waits for it.
          return broken.within(pool, undefined, forgive);
        }),
      );
    }
    // Lost again meanwhile: that is owed still.
    if (this.#owed === owed) this.#owed = undefined;
  }

  async pools(): Promise<readonly PoolKey[]> {
    const { pool, keys } = this.#context;
    if (pool !== undefined) return [pool];
    const members = await read(this.#context, 'listPools', ['SMEMBERS', keys.pools]);
    return (members as readonly Buffer[]).map(String);
  }

  /** @param name of what it is done for. */
  async enlist(pool: PoolKey, name: string): Promise<void> {
    const { connection, keys } = this.#context;
    await connection.call({ name, writes: true, command: 'SADD', args: [keys.pools, pool] });
  }

  /**
   * Of a pool that had neither record nor lease. The list is in another slot, so somebody may have come meanwhile: who came before the second look
   * is put back, who comes after it puts itself on the list after that.
   */
  async unlist(pool: PoolKey): Promise<void> {
    const { connection, keys } = this.#context;
    const { record, leases } = keys.pool(pool);
    const name = 'deletePool';
    await connection.call({ name, writes: true, command: 'SREM', args: [keys.pools, pool] });
    if ((await read(this.#context, name, ['EXISTS', record, leases])) !== 0)
      await this.enlist(pool, name);
  }

  #saw({ incarnation, pool }: RuntimeRecord): void {
    this.#poolsSeen.delete(incarnation);
    this.#poolsSeen.set(incarnation, pool);
    if (this.#poolsSeen.size <= SEEN_MAX) return;
    for (const oldest of this.#poolsSeen.keys()) {
      this.#poolsSeen.delete(oldest);
      break;
    }
  }

  #sawTime(reply: Buffer): void {
    this.#offsetMs = numberOf(reply) - this.#clock.nowMs();
  }
}
