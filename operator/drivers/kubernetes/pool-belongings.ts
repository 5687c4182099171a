/**
 * Keeps what a pool has in the cluster besides its pods as it should be: looks before it writes, writes only what differs, and leaves
 * alone what somebody else has made under the same name.
 */
import { type PoolKey, poolKeyOf } from '../../../core/identifiers.ts';
import type { Clock, Timer } from '../../../platform/clock.ts';
import type { Kube, Stored } from '../../../platform/kube/kube.ts';
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
import type { Hindrance } from '../../pool/hindrance.ts';
import {
  type CurrentNeeds,
  digestOf,
  isSettled,
  LOOK_AGAIN_MS,
  LOOK_AGAIN_STARTING_MS,
  type Settled,
} from './belongings-settled.ts';
import type { CachedObjects } from './cached-objects.ts';
import { BY_POOL, controllerOf, leftBy } from './own-pod.ts';
import { ownObject, removeObject, writeObject } from './owned-object.ts';
import type { PoolOwner } from './pod-of.ts';
import { disruptionBudget, networkPolicy, runtimeSecret } from './pool-objects.ts';
import { TenantsKeeper } from './tenants-keeper.ts';

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

/** For what tenants' Secrets hold, before the first pod of a pool is made. */
const FIRST_WAIT_MS = 2_000;

export class PoolBelongings {
  readonly #options: PoolBelongingsOptions;
  /** By pool. Bounded by the pools that have runtimes; those of deleted ones go when their time is over. */
  readonly #settled = new Map<PoolKey, Settled>();
  /** Of looks that were spared: what was there at the last one may have gone since, and runtimes cannot start without it. */
  readonly #spared = new Map<PoolKey, Timer>();
  readonly #tenants: TenantsKeeper;
  readonly #listeners = new Set<(pool: PoolKey) => void>();

  constructor(options: PoolBelongingsOptions) {
    this.#options = options;
    const { kube, clock } = options;
    this.#tenants = new TenantsKeeper({ kube, clock, onChange: (pool) => this.#tell(pool) });
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
    this.#tell(pool);
  }

  /** Calls back when `ensure` has something to look at, or there is another complaint. Returns its end. */
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
    const gathered = this.#tenants.keep(pool, owner, needs.spec);
    await this.#ensureRest(pool, owner, needs, signal);
    if (!this.#hasPods(pool)) await this.#waitFor(gathered, signal);
  }

  /** What tenants lack, though the pool serves. */
  complaintOf(pool: PoolKey): Hindrance | undefined {
    return this.#tenants.complaintOf(pool);
  }

  close(): void {
    for (const timer of this.#spared.values()) timer.cancel();
    this.#spared.clear();
    this.#tenants.close();
  }

  /** What is there when a pod is made it has at once, and what comes later a minute later: few tenants are waited for. */
  async #waitFor(gathered: Promise<void>, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const limit = this.#options.clock.sleep(FIRST_WAIT_MS, AbortSignal.any([signal, over.signal]));
    await Promise.race([gathered, limit.catch(() => undefined)]);
    over.abort();
  }

  #hasPods(pool: PoolKey): boolean {
    const { pods } = this.#options;
    return [pool, leftBy(pool)].some((one) => pods.find(BY_POOL, one).length > 0);
  }

  async #ensureRest(
    pool: PoolKey,
    owner: PoolOwner,
    needs: CurrentNeeds,
    signal: AbortSignal,
  ): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const digest = digestOf(needs);
    const settled = this.#settled.get(pool);
    if (settled !== undefined && isSettled(settled, { uid: owner.uid, digest, needs, nowMs })) {
      if (needs.isStarting === true)
        this.#askForLook(pool, settled.sinceMs + LOOK_AGAIN_STARTING_MS - nowMs);
      if (settled.hasBudgets || !(await this.#ensureBudgets(pool, owner, needs, signal))) return;
      // What was told to have changed meanwhile is looked at again all the same.
      if (this.#settled.get(pool) === settled)
        this.#settled.set(pool, { ...settled, hasBudgets: true });
      return;
    }
    await this.#ensureAll(pool, owner, needs, signal);
    const hasBudgets = await this.#ensureBudgets(pool, owner, needs, signal);
    for (const [key, { sinceMs }] of this.#settled)
      if (nowMs >= sinceMs + LOOK_AGAIN_MS) this.#settled.delete(key);
    this.#settled.set(pool, { uid: owner.uid, digest, sinceMs: nowMs, hasBudgets });
  }

  /** Once for all that is spared until then. */
  #askForLook(pool: PoolKey, inMs: number): void {
    if (this.#spared.has(pool)) return;
    const ask = (): void => {
      this.#spared.delete(pool);
      this.#tell(pool);
    };
    this.#spared.set(pool, this.#options.clock.after(inMs, ask));
  }

  #tell(pool: PoolKey): void {
    for (const listener of this.#listeners) listener(pool);
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
    if (!this.#hasPods(pool)) return false;
    const { maxUnavailable } = spec.disruption;
    for (const [role, count] of [
      ['shared', shared],
      ['dedicated', dedicated],
    ] as const) {
      const budget = disruptionBudget(owner, role, count, maxUnavailable);
      await this.#ensure(POD_DISRUPTION_BUDGETS, { owner, signal }, budget);
    }
    return true;
  }

  async #ensureAll(
    pool: PoolKey,
    owner: PoolOwner,
    { spec }: PoolNeeds,
    signal: AbortSignal,
  ): Promise<void> {
    const { kube, secretFiles, releaseNamespace } = this.#options;
    const policy = networkPolicy(owner, releaseNamespace);
    const hands = { owner, signal };
    // None of them needs another, and the first pod waits for all.
    await allOf([
      this.#ensure(SECRETS, hands, runtimeSecret(owner, {}), async (before) =>
        runtimeSecret(owner, await secretFiles(pool, before)),
      ),
      spec.networkPolicy === 'Managed'
        ? this.#ensure(NETWORK_POLICIES, hands, policy)
        : removeObject({ kube, ...hands }, NETWORK_POLICIES, policy),
    ]);
  }

  /** @param make left out: it is what it was named by. */
  async #ensure<T extends KubeObject>(
    resource: Resource<T>,
    its: { readonly owner: PoolOwner; readonly signal: AbortSignal },
    named: T,
    make: (before: Stored<T> | undefined) => Promise<T> = async () => named,
  ): Promise<void> {
    const hands = { kube: this.#options.kube, ...its };
    const before = await ownObject(hands, resource, named);
    await writeObject(hands, resource, { wanted: await make(before), before });
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
