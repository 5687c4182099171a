/** What the gateway knows of the world: pools, live runtimes and tier overrides as the store last told. Writes nothing. */
import { parsePoolName, type PoolKey, type ProjectKey, poolKeyOf } from '../core/identifiers.ts';
import type { TierOverride } from '../core/tier.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { concernsOthers, layOver, RuntimeReads } from '../platform/store/runtime-changes.ts';
import type { RuntimeChange, RuntimeRecord, Store } from '../platform/store/store.ts';
import { Follower, type Scope } from './follower.ts';
import { PoolView } from './pool-view.ts';

export interface MembershipOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Of a pool name without one. */
  readonly defaultNamespace: string;
}

/** All that is known of one pool; without a view: the pool itself is not known, or gone. */
interface Known {
  readonly view: PoolView | undefined;
  readonly runtimes: readonly RuntimeRecord[];
  readonly overrides: ReadonlyMap<ProjectKey, TierOverride>;
}

const NOTHING: Known = { view: undefined, runtimes: [], overrides: new Map() };

export class Membership {
  readonly #options: MembershipOptions;
  readonly #followers: Record<'pools' | 'runtimes' | 'tiers', Follower>;
  readonly #listeners = new Set<(pools: ReadonlySet<PoolKey>) => void>();
  /** Of pools that the store has, and of those that have runtimes though it does not have them (yet, or any more). */
  readonly #known = new Map<PoolKey, Known>();
  readonly #runtimeReads = new RuntimeReads();
  #isKnown = false;
  #areRuntimesKnown = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#followers = {
      pools: new Follower({
        ...options,
        topics: ['pools', 'reports'],
        read: (scope) => this.#readPools(scope),
      }),
      runtimes: new Follower({
        ...options,
        topics: ['runtimes'],
        read: (scope) => this.#readRuntimes(scope),
        take: (pool, changes) => this.#takeRuntimes(pool, changes),
      }),
      tiers: new Follower({
        ...options,
        topics: ['tiers'],
        read: (scope) => this.#readOverrides(scope),
      }),
    };
  }

  /** Resolves after the first look at the store, also when it was away. */
  async start(): Promise<void> {
    const { pools, runtimes, tiers } = this.#followers;
    await pools.start();
    await Promise.all([runtimes.start(), tiers.start()]);
  }

  stop(): void {
    for (const follower of Object.values(this.#followers)) follower.stop();
  }

  /** Called after these pools or their runtimes changed. */
  onChange(listener: (pools: ReadonlySet<PoolKey>) => void): void {
    this.#listeners.add(listener);
  }

  /** Reads the pool's set of runtimes again: somebody named one that is not known here. */
  refreshRuntimes(pool: PoolKey): Promise<void> {
    return this.#followers.runtimes.refresh(pool);
  }

  /** False until the store was read once. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  get pools(): readonly PoolView[] {
    return [...this.#known.values()].flatMap(({ view }) => view ?? []);
  }

  runtimesOf(pool: PoolKey): readonly RuntimeRecord[] {
    return this.#of(pool).runtimes;
  }

  pool(key: PoolKey): PoolView | undefined {
    return this.#of(key).view;
  }

  /** By the name that a caller gives; empty where there is one pool only. */
  poolNamed(name: string): PoolView | undefined {
    if (name === '') {
      const { pools } = this;
      return pools.length === 1 ? pools[0] : undefined;
    }
    const ref = parsePoolName(name, this.#options.defaultNamespace);
    return ref === undefined ? undefined : this.pool(poolKeyOf(ref));
  }

  /** How the pool is called by name here: with its namespace where that is not the default one. */
  nameOf({ ref }: PoolView): string {
    return ref.namespace === this.#options.defaultNamespace
      ? ref.name
      : `${ref.namespace}/${ref.name}`;
  }

  override({ key }: PoolView, project: ProjectKey): TierOverride | undefined {
    return this.#of(key).overrides.get(project);
  }

  async #readPools(scope: Scope): Promise<void> {
    const { store } = this.#options;
    const records = await readScope(scope, (pool) => store.listPools(pool));
    const byKey = new Map(records.map((record) => [record.key, record]));
    this.#isKnown = true;
    const keys = this.#keysOf(scope, byKey.keys());
    for (const key of keys) {
      const record = byKey.get(key);
      const isNew = record !== undefined && this.pool(key) === undefined;
      this.#learn(key, { view: record === undefined ? undefined : new PoolView(record) });
      if (isNew) void this.#followers.tiers.refresh(key);
    }
    this.#tell(keys);
  }

  async #readRuntimes(scope: Scope): Promise<void> {
    const { store } = this.#options;
    await this.#runtimeReads.read(
      () => readScope(scope, (pool) => store.listRuntimes(pool)),
      (records) => {
        const byPool = Map.groupBy(records, ({ pool }) => pool);
        this.#areRuntimesKnown = true;
        const keys = this.#keysOf(scope, byPool.keys());
        for (const key of keys) this.#learn(key, { runtimes: byPool.get(key) ?? [] });
        this.#tell(keys);
      },
    );
  }

  /** At once: whoever waits for a runtime waits for this. */
  #takeRuntimes(pool: PoolKey, changes: readonly RuntimeChange[]): void {
    this.#runtimeReads.tell(changes);
    // A few of them must not look like all: the first read, which is tried until it succeeds, is of all.
    if (!this.#areRuntimesKnown) return;
    const known = this.runtimesOf(pool);
    this.#learn(pool, { runtimes: layOver(known, changes) });
    if (concernsOthers(known, changes)) this.#tell(new Set([pool]));
  }

  async #readOverrides(scope: Scope): Promise<void> {
    const keys = scope === 'all' ? this.pools.map(({ key }) => key) : [...scope];
    const lists = await Promise.all(keys.map((key) => this.#options.store.listTierOverrides(key)));
    for (const [index, key] of keys.entries()) {
      const list = lists[index] ?? [];
      this.#learn(key, {
        overrides: new Map(list.map((entry) => [entry.key, entry.override])),
      });
    }
  }

  #of(pool: PoolKey): Known {
    return this.#known.get(pool) ?? NOTHING;
  }

  /** What a read of the scope says something about: where it was of all, also of those that it did not find. */
  #keysOf(scope: Scope, found: Iterable<PoolKey>): ReadonlySet<PoolKey> {
    return scope === 'all' ? new Set([...this.#known.keys(), ...found]) : scope;
  }

  #learn(key: PoolKey, part: Partial<Known>): void {
    const known = { ...this.#of(key), ...part };
    if (known.view === undefined && known.runtimes.length === 0) this.#known.delete(key);
    else this.#known.set(key, known);
  }

  #tell(pools: ReadonlySet<PoolKey>): void {
    for (const listener of this.#listeners) listener(pools);
  }
}

async function readScope<T>(
  scope: Scope,
  read: (pool?: PoolKey) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  if (scope === 'all') return read();
  return (await Promise.all([...scope].map((pool) => read(pool)))).flat();
}
