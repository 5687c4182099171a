/** Limits that count tenants, not projects: tasks per minute of one tenant (per gateway), and how many tenants a pool has. */
import { AppError } from '../../core/errors.ts';
import { rateLimited, takeToken, type RateBucket } from '../../core/rate.ts';
import type { Clock } from '../../platform/clock.ts';
import { growingLru } from '../../platform/growing-lru.ts';
import type { Store } from '../../platform/store/store.ts';
import type { PoolView } from '../pool-view.ts';
import type { Call } from '../task/call.ts';

const TENANTS_MAX = 10_000;
/** Sorts behind every key of a tenant: `~` ends the tenant's name and is the last character that a key can have. */
const AFTER_TENANT = '~~';
/** Of one read while tenants are counted: most have few projects, and what one has beyond is skipped. */
const PROJECTS_PER_READ = 32;
/** How long a count holds: who is let in here meanwhile is counted besides. */
const COUNT_MS = 1_000;

/** The tenants that a pool has: a promise while they are counted, which all new ones wait for together. */
interface Count {
  readonly tenants: Promise<ReadonlySet<string>>;
  readonly untilMs: number;
}

export class TenantGate {
  readonly #clock: Clock;
  readonly #store: Pick<Store, 'listProjects'>;
  readonly #buckets = growingLru<string, RateBucket>(TENANTS_MAX);
  /** Tenants with projects, by pool and tenant. */
  readonly #stored = growingLru<string, true>(TENANTS_MAX);
  /** Tenants that were let in and of which nothing is stored yet; until when that may last (monotonic ms), by pool and tenant. */
  readonly #newcomers = growingLru<string, { readonly untilMs: number }>(TENANTS_MAX);
  readonly #counts = growingLru<string, Count>(TENANTS_MAX);

  constructor(options: { readonly clock: Clock; readonly store: Pick<Store, 'listProjects'> }) {
    this.#clock = options.clock;
    this.#store = options.store;
  }

  /** Throws or rejects when the tenant may not; a promise only where the store must be asked about a new tenant. */
  enter({ request: { tenant } }: Call, pool: PoolView): Promise<void> | undefined {
    const { requestsPerMinute } = pool.tenantLimits(tenant);
    if (requestsPerMinute !== undefined)
      this.#takeToken(`${pool.key}~${tenant}`, requestsPerMinute);
    const { maxTenants } = pool.spec;
    if (maxTenants === undefined || pool.tenantEntry(tenant) !== undefined) return undefined;
    const key = `${pool.key}~${tenant}`;
    if (this.#stored.has(key)) return undefined;
    if (!this.#isNewcomer(key)) return this.#requireRoom(pool, tenant, maxTenants);
    this.#letIn(key, pool);
    return undefined;
  }

  #takeToken(key: string, perMinute: number): void {
    const answer = takeToken(this.#buckets.get(key), perMinute, this.#clock.wallMs());
    if (answer.type === 'refused') throw rateLimited('tenant', perMinute, answer.retryAfterMs);
    this.#buckets.set(key, answer.bucket);
  }

  async #requireRoom(pool: PoolView, tenant: string, tenantsMax: number): Promise<void> {
    const key = `${pool.key}~${tenant}`;
    const [own] = await this.#store.listProjects(pool.key, { limit: 1, tenant });
    if (own !== undefined) {
      this.#stored.set(key, true);
      return;
    }
    const tenants = new Set(await this.#count(pool, tenantsMax));
    // From here on without waiting: whoever waited for the same count sees who of them was let in before.
    for (const name of this.#newcomersOf(pool)) tenants.add(name);
    if (!tenants.has(tenant) && tenants.size >= tenantsMax)
      throw new AppError(
        'FORBIDDEN',
        `the pool has its ${tenantsMax} tenants: a new one needs a higher spec.maxTenants`,
      );
    this.#letIn(key, pool);
  }

  /** For as long as a task of it may take until it is committed. */
  #letIn(key: string, { spec: { limits, queue } }: PoolView): void {
    const lastsMs = queue.waitMsMax + limits.taskTimeoutSeconds * 1_000;
    this.#newcomers.set(key, { untilMs: this.#clock.nowMs() + lastsMs });
  }

  #isNewcomer(key: string): boolean {
    return this.#clock.nowMs() < (this.#newcomers.get(key)?.untilMs ?? 0);
  }

  #newcomersOf(pool: PoolView): readonly string[] {
    const prefix = `${pool.key}~`;
    const keys = [...this.#newcomers.keys()].filter((key) => key.startsWith(prefix));
    return keys.filter((key) => this.#isNewcomer(key)).map((key) => key.slice(prefix.length));
  }

  #count(pool: PoolView, tenantsMax: number): Promise<ReadonlySet<string>> {
    const known = this.#counts.get(pool.key);
    if (known !== undefined && this.#clock.nowMs() < known.untilMs) return known.tenants;
    const tenants = this.#readTenants(pool, tenantsMax);
    const keep = (untilMs: number): void => {
      this.#counts.set(pool.key, { tenants, untilMs });
    };
    keep(Infinity);
    tenants.then(
      () => keep(this.#clock.nowMs() + COUNT_MS),
      () => this.#counts.delete(pool.key),
    );
    return tenants;
  }

  /** Tenants with projects and tenants with an entry, at most about `upTo`. */
  async #readTenants(pool: PoolView, upTo: number): Promise<ReadonlySet<string>> {
    const tenants = new Set(pool.spec.tenants.map(({ name }) => name));
    let after: string | undefined;
    while (tenants.size < upTo) {
      const page = await this.#store.listProjects(pool.key, {
        limit: PROJECTS_PER_READ,
        ...(after === undefined ? {} : { after }),
      });
      const names = page.map(({ key }) => key.split('~')[2] ?? '');
      for (const name of names) tenants.add(name);
      if (page.length < PROJECTS_PER_READ) break;
      after = `${pool.key}~${names.at(-1) ?? ''}${AFTER_TENANT}`;
    }
    return tenants;
  }
}
