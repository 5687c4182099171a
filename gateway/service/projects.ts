/** Projects as the store knows them: list, look, erase, and their tier. */
import { AppError } from '../../core/errors.ts';
import { parseInstanceId } from '../../core/identifiers.ts';
import type { Tier } from '../../core/tier.ts';
import type { ProjectRecord } from '../../platform/store/store.ts';
import { hasAllTenants, hasProject, type Principal } from '../access/principal.ts';
import { authorize } from '../access/roles.ts';
import type { PoolView } from '../pool-view.ts';
import { allowIdentifier } from '../request-fields.ts';
import type { StageContext } from '../stages/stage-context.ts';
import type { Instances } from './instances.ts';
import type { OwnerCalls } from './owner-calls.ts';
import { cursorOf, pageOf, type Cursor, type PageOf, type PageRequest } from './page.ts';
import type { ProjectNames, ProjectTarget, ProjectTargets } from './project-target.ts';
import { describeTier, TierOverrides, type ProjectTier } from './project-tier.ts';

export interface Project {
  readonly pool: string;
  readonly tenant: string;
  readonly project: string;
  readonly tier: ProjectTier;
  /** Empty: no live instance. */
  readonly instanceId: string;
  readonly storedBytes: number;
  /** 0: never. */
  readonly lastUsedMs: number;
  readonly paused: boolean;
}

export interface ProjectFilter extends PageRequest {
  readonly pool: string;
  /** Empty: all that the principal may see. */
  readonly tenant: string;
}

export interface ProjectsParts {
  readonly context: StageContext;
  readonly targets: ProjectTargets;
  readonly owners: OwnerCalls;
  readonly instances: Instances;
}

export class Projects {
  readonly #parts: ProjectsParts;
  readonly #overrides: TierOverrides;

  constructor(parts: ProjectsParts) {
    this.#parts = parts;
    this.#overrides = new TierOverrides(parts.context);
  }

  /** Projects with a record, in the order of their keys. */
  async list(principal: Principal, filter: ProjectFilter): Promise<PageOf<Project>> {
    const pool = this.#parts.targets.pool(principal, 'ListProjects', filter.pool);
    allowIdentifier('tenant', filter.tenant);
    if (filter.tenant !== '') authorize(principal, 'ListProjects', { tenant: filter.tenant });
    const cursor = cursorOf(filter);
    const records = await this.#read(pool, tenantsOf(principal, filter.tenant), {
      ...cursor,
      limit: cursor.limit + 1,
    });
    const page = pageOf(records, cursor.limit, ({ key }) => key);
    const items = page.items
      .map((record) => this.#projectOf(pool, record))
      .filter((one) => one !== undefined && hasProject(principal, one.tenant, one.project));
    return { items: items.filter((one) => one !== undefined), nextPageToken: page.nextPageToken };
  }

  async get(principal: Principal, names: ProjectNames): Promise<Project> {
    const target = this.#parts.targets.byNames(principal, 'GetProject', names);
    const record = await this.#parts.context.store.readProject(target.key);
    const project = record === undefined ? undefined : this.#projectOf(target.pool, record);
    if (project === undefined) throw unknownProject();
    return { ...project, tier: await this.#tierOf(target) };
  }

  /** Erases the project everywhere: a live instance is thrown away first, so that nothing of it is written again. */
  async delete(principal: Principal, names: ProjectNames): Promise<void> {
    const { context, owners, targets } = this.#parts;
    const target = targets.byNames(principal, 'DeleteProject', names);
    const found = await owners.ask(target, { method: 'discard', project: target.key });
    const existed = await context.store.eraseProject(target.key);
    context.router.forget(target.key);
    if (!existed && found === undefined) throw unknownProject();
  }

  async getTier(principal: Principal, names: ProjectNames): Promise<ProjectTier> {
    return this.#tierOf(this.#parts.targets.byNames(principal, 'GetProjectTier', names));
  }

  /** @param tier undefined: ends the override. @param ttlSeconds 0: for ever, or an hour where the spec names the project. */
  async setTier(
    principal: Principal,
    names: ProjectNames,
    wish: { readonly tier: Tier | undefined; readonly ttlSeconds: number },
  ): Promise<ProjectTier> {
    const target = this.#parts.targets.byNames(principal, 'SetProjectTier', names);
    const override = await this.#overrides.set(target, wish);
    return describeTier(target, override, {
      wallMs: this.#parts.context.clock.wallMs(),
      current: await this.#currentTier(target),
    });
  }

  async #tierOf(target: ProjectTarget): Promise<ProjectTier> {
    const { clock, store } = this.#parts.context;
    const [override, current] = await Promise.all([
      store.readTierOverride(target.key),
      this.#currentTier(target),
    ]);
    return describeTier(target, override, { wallMs: clock.wallMs(), current });
  }

  async #currentTier(target: ProjectTarget): Promise<Tier | undefined> {
    try {
      return (await this.#parts.instances.find(target))?.tier;
    } catch (error) {
      // Which tier is wanted is known without the owner.
      if (error instanceof AppError && error.reason === 'OWNER_UNREACHABLE') return undefined;
      throw error;
    }
  }

  /** `undefined`: all tenants; else one after the other, in the order of keys. */
  async #read(
    pool: PoolView,
    tenants: readonly string[] | undefined,
    cursor: Cursor,
  ): Promise<ProjectRecord[]> {
    const { store } = this.#parts.context;
    if (tenants === undefined) return [...(await store.listProjects(pool.key, cursor))];
    const found: ProjectRecord[] = [];
    for (const tenant of tenants) {
      if (found.length >= cursor.limit) break;
      const prefix = `${pool.key}~${tenant}~`;
      if (cursor.after !== undefined && cursor.after > prefix && !cursor.after.startsWith(prefix))
        continue;
      found.push(
        ...(await store.listProjects(pool.key, {
          ...cursor,
          limit: cursor.limit - found.length,
          tenant,
        })),
      );
    }
    return found;
  }

  #projectOf(pool: PoolView, record: ProjectRecord): Project | undefined {
    const { clock, membership, runtimes } = this.#parts.context;
    const ref = parseInstanceId(record.key);
    if (ref === undefined) return undefined;
    const { tenant, project } = ref;
    const isLive =
      record.owner !== undefined && runtimes.get(record.owner.incarnation) !== undefined;
    const target = { key: record.key, pool, tenant, project };
    return {
      pool: membership.nameOf(pool),
      tenant,
      project,
      tier: describeTier(target, membership.override(pool, record.key), {
        wallMs: clock.wallMs(),
        current: undefined,
      }),
      instanceId: isLive ? record.key : '',
      storedBytes: record.storedBytes,
      lastUsedMs: record.lastUsedMs,
      paused: record.paused,
    };
  }
}

function tenantsOf(principal: Principal, asked: string): readonly string[] | undefined {
  if (asked !== '') return [asked];
  if (hasAllTenants(principal)) return undefined;
  return [...new Set(principal.tenants)].sort((a, b) => (`${a}~` < `${b}~` ? -1 : 1));
}

function unknownProject(): AppError {
  return new AppError(
    'UNKNOWN_PROJECT',
    'nothing is stored of this project: it comes with its first task',
    { field: 'project' },
  );
}
