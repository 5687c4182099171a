/**
 * What this runtime knows of its pool: the spec, tier overrides and other runtimes, read again whenever the store says that they
 * changed, but not what. Between two reads it answers from memory; a store that is away leaves the last known view.
 */
import type { AgentPoolSpec, ProjectEntry } from '../../api/agent-pool.ts';
import { isMapping, layDefaults } from '../../api/spec-defaults.ts';
import { parseInstanceId, type PoolKey, type ProjectKey } from '../../core/identifiers.ts';
import { resolveQuota, type ProjectQuota } from '../../core/quota.ts';
import { chooseTier, type Tier, type TierOverride } from '../../core/tier.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { TenantSecrets } from './tenant-secrets.ts';
import { concernsOthers, layOver, RuntimeReads } from '../../platform/store/runtime-changes.ts';
import type {
  OnChange,
  PoolRecord,
  RuntimeChange,
  RuntimeRecord,
  Store,
  Topic,
} from '../../platform/store/store.ts';

/**
 * A dedicated runtime asks for nothing that other runtimes or other projects are about: with many of them each would read what all the others
 * have changed.
 */
const TOPICS: Readonly<Record<'shared' | 'dedicated', readonly Topic[]>> = {
  shared: ['pools', 'tiers', 'runtimes'],
  dedicated: ['pools'],
};
const RETRY_MS = 500;

export interface PoolViewPorts {
  readonly clock: Clock;
  readonly store: Pick<
    Store,
    'listPools' | 'listTierOverrides' | 'readTierOverride' | 'listRuntimes' | 'subscribe'
  >;
  readonly log: Log;
  readonly tenantSecrets?: TenantSecrets;
  /** Something of the view may have changed. */
  onChange(): void;
}

export class PoolView {
  readonly #ports: PoolViewPorts;
  readonly #pool: PoolKey;
  #spec: AgentPoolSpec | undefined;
  #revision = '';
  #projects = new Map<string, ProjectEntry>();
  #overrides = new Map<ProjectKey, TierOverride>();
  #runtimes: readonly RuntimeRecord[] = [];
  readonly #runtimeReads = new RuntimeReads();
  /** All of it, once. */
  #isRead = false;
  readonly #topics: Set<Topic>;
  readonly #stale: Set<Topic>;
  /** Whose override alone is of interest. */
  #own: { readonly project: ProjectKey; readonly isTierRead: boolean } | undefined;
  #reading: Promise<void> | undefined;
  #subscriptions: (() => void)[] = [];
  #stopped = false;

  constructor(ports: PoolViewPorts, pool: PoolKey, role: 'shared' | 'dedicated') {
    this.#ports = ports;
    this.#pool = pool;
    this.#topics = new Set(TOPICS[role]);
    this.#stale = new Set(this.#topics);
  }

  /** Resolves when the pool is known: a runtime can be up before its pool is published. */
  async start(): Promise<void> {
    for (const topic of this.#topics) this.#follow(topic);
    while (!this.#stopped && (this.#spec === undefined || this.#stale.size > 0)) {
      await this.refresh();
      if (this.#spec === undefined) await this.#ports.clock.sleep(RETRY_MS);
    }
  }

  /** The one project of a dedicated runtime: its tier is followed from now on. */
  followProject(key: ProjectKey): void {
    this.#own = { project: key, isTierRead: false };
    this.#topics.add('tiers');
    this.#follow('tiers', key);
    this.#stale.add('tiers');
    void this.refresh();
  }

  stop(): void {
    this.#stopped = true;
    for (const end of this.#subscriptions.splice(0)) end();
  }

  /** Reads all again, for when notices may have been missed. */
  refreshAll(): Promise<void> {
    for (const topic of this.#topics) this.#stale.add(topic);
    return this.refresh();
  }

  /** Reads what is stale; calls that come meanwhile share the run. */
  refresh(): Promise<void> {
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined;
      // Something may have become stale after the last look and before this.
      if (this.#stale.size > 0 && !this.#stopped) void this.refresh();
    });
    return this.#reading;
  }

  get spec(): AgentPoolSpec {
    if (this.#spec === undefined)
      throw new Error('the pool is not known yet: start() has not resolved');
    return this.#spec;
  }

  /** The revision that is served now; this runtime may be of an older one. */
  get revision(): string {
    return this.#revision;
  }

  tierOf(key: ProjectKey): Tier {
    // It was bound because it is: nobody is moved for what has not been read.
    if (this.#own?.project === key && !this.#own.isTierRead) return 'HOT';
    const rules = { defaultTier: this.spec.tiers.default, projectTier: this.#entryOf(key)?.tier };
    return chooseTier(rules, this.#overrides.get(key), this.#ports.clock.wallMs()).tier;
  }

  quotaOf(key: ProjectKey, tier: Tier): ProjectQuota {
    const { hot, warm, cold } = this.spec.tiers;
    const ofTier = { HOT: hot, WARM: warm, COLD: cold }[tier].quota;
    return resolveQuota(ofTier, this.#entryOf(key)?.quota);
  }

  /** The pool's configuration, overlaid by the tenant's and the project's. */
  configOf(key: ProjectKey): unknown {
    const tenant = parseInstanceId(key)?.tenant;
    const ofTenant = this.spec.tenants.find(({ name }) => name === tenant)?.config;
    return overlay(overlay(this.spec.runtime.config, ofTenant), this.#entryOf(key)?.config);
  }

  /** Of the tenant, where the spec gives it some; undefined: they have not come yet. */
  secretsOf(key: ProjectKey): Readonly<Record<string, string>> | undefined {
    const { tenantSecrets } = this.#ports;
    const tenant = parseInstanceId(key)?.tenant ?? '';
    const entry = this.spec.tenants.find(({ name }) => name === tenant);
    if (entry?.secretRef === undefined || tenantSecrets === undefined) return {};
    return tenantSecrets(tenant);
  }

  /** Live instances of one tenant; undefined: only the pool limits it. */
  tenantInstancesMax(tenant: string): number | undefined {
    const own = this.spec.tenants.find(({ name }) => name === tenant)?.limits?.maxInstances;
    return own ?? this.spec.tenantLimits.maxInstances;
  }

  /** For shared runtimes only, as the two below: a ready dedicated runtime of the current revision that is bound to the project. */
  dedicatedOf(key: ProjectKey): RuntimeRecord | undefined {
    return this.#runtimes.find(
      ({ bound, ready, draining, revision }) =>
        bound === key && ready && !draining && revision === this.#revision,
    );
  }

  /** Runtimes that share the pool's WARM and COLD instances; at least one. */
  get sharedRuntimes(): number {
    return Math.max(
      1,
      this.#count(({ role, ready, draining }) => role === 'shared' && ready && !draining),
    );
  }

  get hotProjects(): number {
    return this.#count(({ bound }) => bound !== undefined);
  }

  #count(which: (record: RuntimeRecord) => boolean): number {
    return this.#runtimes.filter(which).length;
  }

  #entryOf(key: ProjectKey): ProjectEntry | undefined {
    // Several times for each task: the key is ours, so it need not be parsed.
    return this.#projects.get(key.slice(this.#pool.length + 1));
  }

  async #readAll(): Promise<void> {
    while (!this.#stopped && this.#stale.size > 0) {
      const topics = [...this.#stale];
      this.#stale.clear();
      try {
        for (const topic of topics) await this.#read(topic);
      } catch (error) {
        this.#ports.log.debug('pool not read', { err: error });
        for (const topic of topics) this.#stale.add(topic);
        await this.#ports.clock.sleep(RETRY_MS);
        continue;
      }
      this.#isRead = true;
      this.#tell();
    }
  }

  #tell(): void {
    if (this.#spec !== undefined && !this.#stopped) this.#ports.onChange();
  }

  async #read(topic: Topic): Promise<void> {
    const { store } = this.#ports;
    if (topic === 'pools') this.#takePool(await store.listPools(this.#pool));
    if (topic === 'tiers') this.#overrides = await this.#readOverrides();
    if (topic === 'runtimes')
      await this.#runtimeReads.read(
        () => store.listRuntimes(this.#pool),
        (records) => {
          this.#runtimes = records;
        },
      );
  }

  /** At once: a project that has a runtime of its own is let go of when that is ready. */
  #takeRuntimes(changes: readonly RuntimeChange[]): void {
    this.#runtimeReads.tell(changes);
    // Before that a read is under way or to come.
    if (!this.#isRead) return;
    const known = this.#runtimes;
    this.#runtimes = layOver(known, changes);
    if (concernsOthers(known, changes)) this.#tell();
  }

  async #readOverrides(): Promise<Map<ProjectKey, TierOverride>> {
    const { store } = this.#ports;
    const project = this.#own?.project;
    if (project !== undefined) {
      const override = await store.readTierOverride(project);
      this.#own = { project, isTierRead: true };
      return new Map(override === undefined ? [] : [[project, override]]);
    }
    const overrides = await store.listTierOverrides(this.#pool);
    return new Map(overrides.map((one) => [one.key, one.override]));
  }

  #follow(topic: Topic, of?: ProjectKey): void {
    const onChange: OnChange = (pool, changes) => {
      if (pool !== undefined && pool !== this.#pool) return;
      if (topic === 'runtimes' && changes !== undefined) {
        this.#takeRuntimes(changes);
        return;
      }
      this.#stale.add(topic);
      void this.refresh();
    };
    const end = this.#ports.store.subscribe(topic, onChange, of);
    this.#subscriptions.push(end);
  }

  #takePool([record]: readonly PoolRecord[]): void {
    // A pool that was deleted: this runtime is about to be stopped and serves until then by what it knew.
    if (record === undefined) return;
    // The operator wrote it with all defaults applied; the store does not look into it.
    this.#spec = record.spec as AgentPoolSpec;
    this.#revision = record.revision;
    this.#projects = new Map(
      this.#spec.projects.map((entry) => [`${entry.tenant}~${entry.project}`, entry]),
    );
  }
}

function overlay(below: unknown, above: unknown): unknown {
  return isMapping(below) ? layDefaults(below, above) : (above ?? below);
}
