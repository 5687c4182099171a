/**
 * Keeps what a pool has in the cluster besides its pods as it should be: looks before it writes, writes only what differs, and leaves
 * alone what somebody else has made under the same name.
 */
import type { AgentPoolSpec } from '../../../api/agent-pool.ts';
import { type PoolKey, poolKeyOf } from '../../../core/identifiers.ts';
import type { Clock } from '../../../platform/clock.ts';
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import { type Kube, refOf, type Stored } from '../../../platform/kube/kube.ts';
import type { CacheChange } from '../../../platform/kube/resource-cache.ts';
import {
  type KubeObject,
  NETWORK_POLICIES,
  type Pod,
  POD_DISRUPTION_BUDGETS,
  type Resource,
  type Secret,
  SECRETS,
} from '../../../platform/kube/resources.ts';
import type { PoolNeeds } from '../../pool/driver.ts';
import { adopted } from './adopt.ts';
import {
  type CurrentNeeds,
  digestOf,
  isSettled,
  LOOK_AGAIN_MS,
  type Settled,
  tenantsAgainMs,
} from './belongings-settled.ts';
import { isContained } from './is-contained.ts';
import type { CachedObjects } from './cached-objects.ts';
import { BY_POOL, controllerOf, leftBy, ownershipOf } from './own-pod.ts';
import type { PoolOwner } from './pod-of.ts';
import {
  disruptionBudget,
  networkPolicy,
  runtimeSecret,
  tenantKey,
  tenantsSecret,
} from './pool-objects.ts';

export interface PoolBelongingsOptions {
  readonly kube: Kube;
  /** What the runtimes of the pool are given as files; `before`: what they have now. Throws when it cannot be made. */
  readonly secretFiles: (
    pool: PoolKey,
    before: Secret | undefined,
  ) => Promise<Readonly<Record<string, string>>>;
  /** Indexed by `BY_POOL`. */
  readonly pods: Pick<CachedObjects<Pod>, 'find'>;
  /** Where gateways and operator run. */
  readonly releaseNamespace: string;
  readonly clock: Clock;
}

/** Selects what the operator makes for pools, pods apart. */
export const BELONGINGS_SELECTOR = 'app.kubernetes.io/managed-by=agentpool-operator';

export class PoolBelongings {
  readonly #options: PoolBelongingsOptions;
  /** By pool. Bounded by the pools that have runtimes; those of deleted ones go when their time is over. */
  readonly #settled = new Map<PoolKey, Settled>();
  readonly #listeners = new Set<(pool: PoolKey) => void>();

  constructor(options: PoolBelongingsOptions) {
    this.#options = options;
  }

  /** What runtimes are given has changed: everything is looked at again. */
  renew(): void {
    this.#settled.clear();
  }

  /** Of a watch: what somebody has deleted or changed, we ourselves perhaps, is looked at again. */
  noteChange({ before, after }: CacheChange<KubeObject>): void {
    // New ones are our own; a status is not ours to judge.
    const owner = controllerOf(before?.metadata);
    if (before === undefined || owner === undefined || isSame(before, after)) return;
    const pool = poolKeyOf({ namespace: before.metadata.namespace ?? '', name: owner.name });
    this.#settled.delete(pool);
    for (const listener of this.#listeners) listener(pool);
  }

  /** Calls back when `ensure` has something to look at. Returns its end. */
  onChange(listener: (pool: PoolKey) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async ensure(
    pool: PoolKey,
    owner: PoolOwner,
    needs: CurrentNeeds,
    signal: AbortSignal,
  ): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const digest = digestOf(needs);
    const settled = this.#settled.get(pool);
    if (settled !== undefined && isSettled(settled, { uid: owner.uid, digest, needs, nowMs })) {
      await this.#ensureRest(pool, owner, { settled, needs, nowMs }, signal);
      return;
    }
    await this.#ensureAll(pool, owner, needs, signal);
    const hasBudgets = await this.#ensureBudgets(pool, owner, needs, signal);
    for (const [key, { sinceMs }] of this.#settled)
      if (nowMs >= sinceMs + LOOK_AGAIN_MS) this.#settled.delete(key);
    const { uid } = owner;
    this.#settled.set(pool, { uid, digest, sinceMs: nowMs, tenantsMs: nowMs, hasBudgets });
  }

  /** What has its own time. */
  async #ensureRest(
    pool: PoolKey,
    owner: PoolOwner,
    now: { readonly settled: Settled; readonly needs: PoolNeeds; readonly nowMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { needs, nowMs } = now;
    let { settled } = now;
    if (!settled.hasBudgets && (await this.#ensureBudgets(pool, owner, needs, signal)))
      settled = this.#settle(pool, settled, { hasBudgets: true });
    if (nowMs < settled.tenantsMs + tenantsAgainMs(needs)) return;
    await this.#ensureTenants(owner, needs.spec, signal);
    this.#settle(pool, settled, { tenantsMs: nowMs });
  }

  /** What was told to have changed meanwhile is looked at again all the same. */
  #settle(pool: PoolKey, before: Settled, more: Partial<Settled>): Settled {
    const settled = { ...before, ...more };
    if (this.#settled.get(pool) === before) this.#settled.set(pool, settled);
    return settled;
  }

  /**
   * While a pool has no pod there is nothing to protect, and with a budget the cluster's own controller would write its status anew for each
   * few pods that are made.
   *
   * @returns whether there are some.
   */
  async #ensureBudgets(
    pool: PoolKey,
    owner: PoolOwner,
    { spec, shared, dedicated }: PoolNeeds,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { pods } = this.#options;
    if ([pool, leftBy(pool)].every((one) => pods.find(BY_POOL, one).length === 0)) return false;
    const { maxUnavailable } = spec.disruption;
    for (const [role, count] of [
      ['shared', shared],
      ['dedicated', dedicated],
    ] as const) {
      const budget = disruptionBudget(owner, role, count, maxUnavailable);
      await this.#ensure(POD_DISRUPTION_BUDGETS, owner, budget, { signal });
    }
    return true;
  }

  async #ensureAll(
    pool: PoolKey,
    owner: PoolOwner,
    { spec }: PoolNeeds,
    signal: AbortSignal,
  ): Promise<void> {
    const { secretFiles, releaseNamespace } = this.#options;
    const policy = networkPolicy(owner, releaseNamespace);
    // None of them needs another, and the first pod waits for all.
    await allOf([
      this.#ensure(SECRETS, owner, runtimeSecret(owner, {}), {
        signal,
        make: async (before) => runtimeSecret(owner, await secretFiles(pool, before)),
      }),
      this.#ensureTenants(owner, spec, signal),
      spec.networkPolicy === 'Managed'
        ? this.#ensure(NETWORK_POLICIES, owner, policy, { signal })
        : this.#removeOwn(NETWORK_POLICIES, owner, policy, signal),
    ]);
  }

  /** One Secret with what the Secrets of the tenants hold: kubelets bring its changes into running pods. */
  async #ensureTenants(
    owner: PoolOwner,
    { tenants }: AgentPoolSpec,
    signal: AbortSignal,
  ): Promise<void> {
    const data: Record<string, string> = {};
    for (const { name: tenant, secretRef } of tenants) {
      if (secretRef === undefined) continue;
      const metadata = { namespace: owner.namespace, name: secretRef.name };
      const secret = await this.#read(SECRETS, { metadata }, signal);
      for (const [key, base64] of Object.entries(secret?.data ?? {}))
        data[tenantKey(tenant, key)] = base64;
    }
    const wanted = tenantsSecret(owner, data);
    const isAsked = tenants.some(({ secretRef }) => secretRef !== undefined);
    // Emptied, not deleted: the right to delete Secrets is a right to delete anybody's. It goes with the pool.
    if (isAsked || (await this.#isThere(SECRETS, owner, wanted, signal)))
      await this.#ensure(SECRETS, owner, wanted, { signal });
  }

  async #ensure<T extends KubeObject>(
    resource: Resource<T>,
    owner: PoolOwner,
    named: T,
    how: {
      readonly signal: AbortSignal;
      /** Left out: it is what it was named by. */
      readonly make?: (before: Stored<T> | undefined) => Promise<T>;
    },
  ): Promise<void> {
    const { signal, make = async () => named } = how;
    const found = await this.#read(resource, named, signal);
    const before = found && (await adopted(this.#options.kube, resource, { found, owner }, signal));
    const wanted = await make(before);
    if (before !== undefined && isContained(wanted, before) && !hasMoreData(before, wanted)) return;
    const { kube } = this.#options;
    const now = await kube.apply(resource, wanted, { signal });
    if (!hasMoreData(now, wanted)) return;
    // Of keys that another manager has written, as one that has restored a backup, an apply takes none away.
    const patch = { data: Object.fromEntries(spareKeys(now, wanted).map((key) => [key, null])) };
    await kube.patch(resource, refOf(named), patch, { uid: now.metadata.uid, signal });
  }

  async #isThere<T extends KubeObject>(
    resource: Resource<T>,
    owner: PoolOwner,
    named: T,
    signal: AbortSignal,
  ): Promise<boolean> {
    const found = await this.#read(resource, named, signal);
    return found !== undefined && ownershipOf(owner, found) !== 'foreign';
  }

  async #removeOwn<T extends KubeObject>(
    resource: Resource<T>,
    owner: PoolOwner,
    named: T,
    signal: AbortSignal,
  ): Promise<void> {
    const before = await this.#read(resource, named, signal);
    if (before === undefined || ownershipOf(owner, before) === 'foreign') return;
    const { uid } = before.metadata;
    await this.#options.kube.delete(resource, refOf(named), { uid, signal });
  }

  async #read<T extends KubeObject>(
    resource: Resource<T>,
    named: T,
    signal: AbortSignal,
  ): Promise<Stored<T> | undefined> {
    try {
      return await this.#options.kube.get(resource, refOf(named), { signal });
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}

/** Ends when each has. @throws what the first of them threw that failed. */
async function allOf(works: readonly Promise<void>[]): Promise<void> {
  const ended = await Promise.allSettled(works);
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
}

function isSame(before: KubeObject, after: KubeObject | undefined): boolean {
  const [was, is] = [before.metadata, after?.metadata];
  return was?.generation === is?.generation && controllerOf(was)?.uid === controllerOf(is)?.uid;
}

/** Keys that a Secret of ours must not hold any more, as that of a tenant that left. */
function hasMoreData(before: object, wanted: object): boolean {
  return spareKeys(before, wanted).length > 0;
}

function spareKeys(before: object, wanted: object): readonly string[] {
  const allowed = new Set(dataKeysOf(wanted));
  return dataKeysOf(before).filter((key) => !allowed.has(key));
}

function dataKeysOf(object: object): readonly string[] {
  if (!('data' in object) || typeof object.data !== 'object' || object.data === null) return [];
  return Object.keys(object.data);
}
