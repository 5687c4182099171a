/** What the gateway knows of the world: pools, live runtimes and tier overrides as the store last told. Writes nothing. */
import { parsePoolName, type PoolKey, type ProjectKey, poolKeyOf } from '../core/identifiers.ts';
import type { TierOverride } from '../core/tier.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { RuntimeRecord, Store } from '../platform/store/store.ts';
import { Follower } from './follower.ts';
import { PoolView } from './pool-view.ts';

export interface MembershipOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Of a pool name without one. */
  readonly defaultNamespace: string;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #followers: Record<'pools' | 'runtimes' | 'tiers', Follower>;
  readonly #listeners = new Set<() => void>();
  #pools: ReadonlyMap<PoolKey, PoolView> = new Map();
  #runtimes: readonly RuntimeRecord[] = [];
  #overrides: ReadonlyMap<ProjectKey, TierOverride> = new Map();
  #isKnown = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
    const follow = (topic: 'pools' | 'runtimes' | 'tiers', read: () => Promise<void>): Follower =>
      new Follower({ ...options, topic, read });
    this.#followers = {
      pools: follow('pools', () => this.#readPools()),
      runtimes: follow('runtimes', () => this.#readRuntimes()),
      tiers: follow('tiers', () => this.#readOverrides()),
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

  /** Called after pools or runtimes changed. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Reads the set of runtimes again: somebody named one that is not known here. */
  refreshRuntimes(): Promise<void> {
    return this.#followers.runtimes.refresh();
  }

  /** False until the store was read once. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  get pools(): readonly PoolView[] {
    return [...this.#pools.values()];
  }

  get runtimes(): readonly RuntimeRecord[] {
    return this.#runtimes;
  }

  pool(key: PoolKey): PoolView | undefined {
    return this.#pools.get(key);
  }

  /** By the name that a caller gives; empty where there is one pool only. */
  poolNamed(name: string): PoolView | undefined {
    if (name === '') return this.#pools.size === 1 ? this.pools[0] : undefined;
    const ref = parsePoolName(name, this.#options.defaultNamespace);
    return ref === undefined ? undefined : this.#pools.get(poolKeyOf(ref));
  }

  /** How the pool is called by name here: with its namespace where that is not the default one. */
  nameOf({ ref }: PoolView): string {
    return ref.namespace === this.#options.defaultNamespace
      ? ref.name
      : `${ref.namespace}/${ref.name}`;
  }

  override(project: ProjectKey): TierOverride | undefined {
    return this.#overrides.get(project);
  }

  async #readPools(): Promise<void> {
    const records = await this.#options.store.listPools();
    const before = this.#pools;
    this.#pools = new Map(records.map((record) => [record.key, new PoolView(record)]));
    this.#isKnown = true;
    this.#changed();
    if ([...this.#pools.keys()].some((key) => !before.has(key)))
      void this.#followers.tiers.refresh();
  }

  async #readRuntimes(): Promise<void> {
    this.#runtimes = await this.#options.store.listRuntimes();
    this.#changed();
  }

  async #readOverrides(): Promise<void> {
    const { store } = this.#options;
    const lists = await Promise.all(
      [...this.#pools.keys()].map((key) => store.listTierOverrides(key)),
    );
    this.#overrides = new Map(lists.flat().map(({ key, override }) => [key, override]));
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
