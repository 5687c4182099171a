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

export class TenantGate {
  readonly #clock: Clock;
  readonly #store: Pick<Store, 'listProjects'>;
  readonly #buckets = growingLru<string, RateBucket>(TENANTS_MAX);
  readonly #admitted = growingLru<string, true>(TENANTS_MAX);

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
    return this.#admitted.has(`${pool.key}~${tenant}`)
      ? undefined
      : this.#requireRoom(pool, tenant, maxTenants);
  }

  #takeToken(key: string, perMinute: number): void {
    const answer = takeToken(this.#buckets.get(key), perMinute, this.#clock.wallMs());
    if (answer.type === 'refused') throw rateLimited('tenant', perMinute, answer.retryAfterMs);
    this.#buckets.set(key, answer.bucket);
  }

  async #requireRoom(pool: PoolView, tenant: string, tenantsMax: number): Promise<void> {
    const [own] = await this.#store.listProjects(pool.key, { limit: 1, tenant });
    if (own === undefined && (await this.#countTenants(pool, tenantsMax)) >= tenantsMax)
      throw new AppError(
        'FORBIDDEN',
        `the pool has its ${tenantsMax} tenants: a new one needs a higher spec.maxTenants`,
      );
    this.#admitted.set(`${pool.key}~${tenant}`, true);
  }

  /** Tenants with projects and tenants with an entry, at most `upTo`: one read per tenant, not per project. */
  async #countTenants(pool: PoolView, upTo: number): Promise<number> {
    const tenants = new Set(pool.spec.tenants.map(({ name }) => name));
    let after: string | undefined;
    while (tenants.size < upTo) {
      const [next] = await this.#store.listProjects(pool.key, {
        limit: 1,
        ...(after === undefined ? {} : { after }),
      });
      const tenant = next?.key.split('~')[2];
      if (tenant === undefined) break;
      tenants.add(tenant);
      after = `${pool.key}~${tenant}${AFTER_TENANT}`;
    }
    return tenants.size;
  }
}
