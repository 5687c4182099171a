/**
 * Which runtime a project's task goes to. Routes are hints that are put right by the runtimes' answers; who may commit
 * is decided in the store alone. Asks the store only when an owner cannot be reached.
 */
import type { LRUCache } from 'lru-cache';
import { pickRendezvous } from '../../core/rendezvous.ts';
import { type PoolKey, poolKeyOfProject, type ProjectKey } from '../../core/identifiers.ts';
import type { Tier } from '../../core/tier.ts';
import type { TaskHeader } from '../../platform/link/frames.ts';
import { growingLru } from '../../platform/growing-lru.ts';
import type { Owner, Store } from '../../platform/store/store.ts';
import type { PoolView } from '../pool-view.ts';
import type { Runtime, RuntimeSet } from './runtime-set.ts';

/** Hops of one task in a row, without news of the project, until it fails with OWNER_UNREACHABLE. */
export const HOPS_MAX = 3;

export type Takeover = NonNullable<TaskHeader['takeover']>;

export type Placement =
  | { readonly type: 'runtime'; readonly runtime: Runtime; readonly takeover?: Takeover }
  /** Nowhere yet: ask again when the runtimes of the pool or the project's route have changed. */
  | { readonly type: 'blocked'; readonly by: string };

/** Without an incarnation: the project is free as far as is known; the epoch stays, so that old news is told from new. */
interface Route {
  readonly incarnation?: string;
  /** 0: not known. */
  readonly epoch: number;
  /** The owner was asked for in the store after its link broke, and it is this one. */
  readonly isConfirmed?: boolean;
}

export interface RouterOptions {
  /** Projects whose owner is remembered; the cache takes memory for all of them at once. */
  readonly routesMax: number;
  readonly store: Pick<Store, 'readOwner'>;
  readonly runtimes: Pick<RuntimeSet, 'get' | 'of'>;
  /** Reads the pool's set of runtimes again. */
  readonly refreshRuntimes: (pool: PoolKey) => Promise<void>;
  /** News of a project that came by itself, not by an answer to its task. */
  readonly onRouteChange: (project: ProjectKey) => void;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #routes: LRUCache<ProjectKey, Route>;
  readonly #lookups = new Set<ProjectKey>();
  /** Where the connection to the last owner was refused, told by a task that it cost. */
  readonly #refused = growingLru<string, true>(1_000);

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#routes = growingLru(options.routesMax);
  }

  place(project: ProjectKey, pool: PoolView, tier: Tier): Placement {
    const route = this.#routes.get(project);
    if (route?.incarnation === undefined) return this.#placeFree(project, pool, tier);
    const owner = this.#options.runtimes.get(route.incarnation);
    if (owner?.isReachable === true) return { type: 'runtime', runtime: owner };
    if (route.isConfirmed !== true) return this.#lookUp(project);
    if (owner?.wasReady === false && owner.link.state === 'connecting')
      return { type: 'blocked', by: poolBlocker(pool) };
    const placement = this.#placeFree(project, pool, tier);
    return placement.type === 'blocked'
      ? placement
      : { ...placement, takeover: this.#takeoverFrom(route.incarnation, route.epoch) };
  }

  /** The runtime that has the project as far as is known here, if its link is up. */
  reachableOwner(project: ProjectKey): Runtime | undefined {
    const incarnation = this.#routes.get(project)?.incarnation;
    const runtime = incarnation === undefined ? undefined : this.#options.runtimes.get(incarnation);
    return runtime?.isReachable === true ? runtime : undefined;
  }

  /** The runtime has the project now: it said so by starting or answering a task. */
  served(project: ProjectKey, runtime: Runtime, tookOver: boolean): void {
    const route = this.#routes.get(project);
    if (route?.incarnation === runtime.incarnation) return;
    this.#routes.set(project, {
      incarnation: runtime.incarnation,
      epoch: (route?.epoch ?? 0) + (tookOver ? 1 : 0),
    });
  }

  /** The runtime does not have the project. What the owner of the route says of itself counts, other news only with a higher epoch. */
  elsewhere(project: ProjectKey, from: Runtime, owner: Owner | undefined, epoch: number): void {
    const route = this.#routes.get(project);
    const isOwnWord = route?.incarnation === undefined || route.incarnation === from.incarnation;
    if (owner !== undefined) this.#learnOwner(project, owner, isOwnWord);
    else if (isOwnWord || epoch > route.epoch) this.#routes.set(project, { epoch });
  }

  /** Pushed by the owner that let go. */
  moved(
    project: ProjectKey,
    epoch: number,
    to: { readonly incarnation: string } | undefined,
  ): void {
    const route = this.#routes.get(project);
    if (route !== undefined && epoch < route.epoch) return;
    this.#routes.set(
      project,
      to === undefined ? { epoch } : { incarnation: to.incarnation, epoch },
    );
    this.#options.onRouteChange(project);
  }

  /** The link to the owner broke under a task. */
  lost(runtime: Runtime, refused: boolean): void {
    if (refused) this.#refused.set(runtime.incarnation, true);
  }

  /** The project's state is gone, so is what was known of it. */
  forget(project: ProjectKey): void {
    this.#routes.delete(project);
  }

  #learnOwner(project: ProjectKey, { incarnation, epoch }: Owner, isTrusted: boolean): void {
    const route = this.#routes.get(project);
    const isSame = route?.incarnation === incarnation;
    if (!isTrusted && !isSame && route !== undefined && epoch <= route.epoch) return;
    this.#routes.set(project, {
      incarnation,
      // Who sends a task on to a project's home may not know under which epoch it is there.
      epoch: epoch === 0 ? (route?.epoch ?? 0) : epoch,
      isConfirmed: isSame && route.isConfirmed === true,
    });
  }

  #takeoverFrom(incarnation: string, epoch: number): Takeover {
    return { incarnation, epoch, refused: this.#refused.has(incarnation) };
  }

  #placeFree(project: ProjectKey, pool: PoolView, tier: Tier): Placement {
    const candidates = this.#options.runtimes.of(pool.key);
    const runtime =
      (tier === 'HOT' ? dedicatedTo(project, candidates) : undefined) ??
      pickShared(project, candidates, pool.revision);
    return runtime === undefined
      ? { type: 'blocked', by: poolBlocker(pool) }
      : { type: 'runtime', runtime };
  }

  #lookUp(project: ProjectKey): Placement {
    if (!this.#lookups.has(project)) {
      this.#lookups.add(project);
      void this.#confirmOwner(project);
    }
    return { type: 'blocked', by: ownerBlocker(project) };
  }

  async #confirmOwner(project: ProjectKey): Promise<void> {
    const { store, refreshRuntimes, onRouteChange } = this.#options;
    try {
      const [owner] = await Promise.all([
        store.readOwner(project),
        refreshRuntimes(poolKeyOfProject(project)),
      ]);
      this.#routes.set(
        project,
        owner === undefined
          ? { epoch: this.#epochOf(project) }
          : { incarnation: owner.incarnation, epoch: owner.epoch, isConfirmed: true },
      );
    } catch {
      // Without a store nobody can claim either: the runtime that is asked next answers with the reason.
      this.#routes.set(project, { epoch: this.#epochOf(project) });
    }
    this.#lookups.delete(project);
    onRouteChange(project);
  }

  #epochOf(project: ProjectKey): number {
    return this.#routes.get(project)?.epoch ?? 0;
  }
}

const POOL = 'pool:';
const OWNER = 'owner:';

/** Whether what blocks a task is the want of a place, not of a turn. */
export function isPlaceBlocker(blocker: string): boolean {
  return blocker.startsWith(POOL) || blocker.startsWith(OWNER);
}

function poolBlocker(pool: PoolView): string {
  return POOL + pool.key;
}

function ownerBlocker(project: ProjectKey): string {
  return OWNER + project;
}

function dedicatedTo(project: ProjectKey, candidates: readonly Runtime[]): Runtime | undefined {
  return candidates.find((runtime) => runtime.record.bound === project && runtime.isOpen);
}

/** Of the current revision; of an older one only while there is none. */
function pickShared(
  project: ProjectKey,
  candidates: readonly Runtime[],
  revision: string,
): Runtime | undefined {
  const open = candidates.filter((runtime) => runtime.record.role === 'shared' && runtime.isOpen);
  const current = open.filter((runtime) => runtime.record.revision === revision);
  return pickRendezvous(
    project,
    current.length > 0 ? current : open,
    (runtime) => runtime.incarnation,
  );
}
