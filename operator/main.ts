/** Wires the operator: sources and watches → keys → queue → reconcile. The same for every driver and every source of pools. */
import type { PoolKey, PoolRef } from '../core/identifiers.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Random } from '../platform/random.ts';
import {
  type OnChange,
  type RuntimeChange,
  type Store,
  StoreError,
} from '../platform/store/store.ts';
import { type Reconcile, startController } from './engine/controller.ts';
import { WorkQueue } from './engine/work-queue.ts';
import type { OperatorMetrics } from './metrics.ts';
import type { Driver } from './pool/driver.ts';
import type { NewEvent } from './pool/events.ts';
import { type NameRuntime, randomNames } from './pool/name-runtime.ts';
import { newsDelayMs } from './pool/news-delay.ts';
import { type PoolLimits, POOL_LIMITS } from './pool/pool-limits.ts';
import type { PoolView } from './pool/pool-teller.ts';
import { PoolReconciler } from './pool/reconcile.ts';
import { waitForPools } from './pool/wait-for-pools.ts';
import type { PoolSource } from './pool/wanted-pool.ts';

export interface OperatorOptions {
  readonly store: Store;
  readonly driver: Driver;
  readonly source: PoolSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where the pools are called: shown in their status. */
  readonly endpoint?: string;
  /** Left out: the store is of this operator alone. */
  readonly installation?: string;
  readonly limits?: PoolLimits;
  /** Left out: random names. */
  readonly nameRuntime?: NameRuntime;
  /** Each event as it happens, for those who tell it elsewhere. */
  readonly onEvent?: (pool: PoolRef, event: NewEvent) => void;
  readonly metrics?: Pick<OperatorMetrics, 'reconciled' | 'told'>;
}

export interface Operator {
  pools(): readonly PoolView[];
  /**
   * Resolves when every pool that is wanted is ready or suspended. Rejects with a `PoolStartError` as soon as one can not
   * become so (its module does not load, its runtimes end again and again), or with the signal's reason.
   */
  waitUntilReady(signal: AbortSignal): Promise<void>;
  /** Calls back when what `pools` answers may have changed. Returns its end. */
  watch(onChange: () => void): () => void;
  /** Ends the loop; runtimes are the driver's and run on. */
  stop(): Promise<void>;
}

const WORKERS = 4;
const RECONCILE_TIMEOUT_MS = 30_000;
const BACKOFF = { backoffMinMs: 50, backoffMaxMs: 10_000 };

export async function startOperator(options: OperatorOptions): Promise<Operator> {
  const { source, clock, random, log, metrics } = options;
  const { limits = POOL_LIMITS } = options;
  const watchers = new Set<() => void>();
  const queue = new WorkQueue(clock, random, BACKOFF);
  const pools = new PoolReconciler({
    ...options,
    limits,
    nameRuntime: options.nameRuntime ?? randomNames(random),
    onView: () => {
      for (const watcher of watchers) watcher();
    },
    onEvent: (pool, event) => {
      metrics?.told(pool, event.reason);
      options.onEvent?.(pool, event);
    },
  });
  const { addAll, addAllAnew } = feeder(options, queue, pools.runs);
  const unwatch = follow(options, {
    addAll: () => {
      pools.doubtStore();
      return addAll();
    },
    addAllAnew,
    atOnce: (key) => queue.add(key),
    soon: (key, changes) => {
      const delayMs = newsDelayMs(pools.runs.get(key), changes, limits);
      if (delayMs > 0) queue.addAfter(key, delayMs);
      else queue.add(key);
    },
  });
  const controller = startController({
    queue,
    reconcile: seeing(source, pools.reconcile),
    workers: WORKERS,
    timeoutMs: RECONCILE_TIMEOUT_MS,
    clock,
    log,
    measure: (durationMs, succeeded) => metrics?.reconciled(durationMs, succeeded),
  });
  await addAllAnew();
  const watch = (onChange: () => void): (() => void) => {
    watchers.add(onChange);
    return () => watchers.delete(onChange);
  };
  return {
    pools: () => pools.views(),
    watch,
    waitUntilReady: (signal) =>
      waitForPools({ keys: () => source.list(), view: (key) => pools.view(key), watch }, signal),
    async stop() {
      for (const end of unwatch) end();
      await controller.stop();
      await Promise.all([...pools.runs.values()].map(({ binds }) => binds.settled()));
    },
  };
}

/** What cannot be seen looks as if it were gone. */
function seeing(source: PoolSource, reconcile: Reconcile): Reconcile {
  return async (key, signal) =>
    source.sees?.(key) === false ? { type: 'done' } : reconcile(key, signal);
}

interface Feeds {
  readonly addAll: () => Promise<void>;
  /** Those, too, that it had added before. */
  readonly addAllAnew: () => Promise<void>;
  readonly atOnce: (key: PoolKey) => void;
  readonly soon: (key: PoolKey, changes?: readonly RuntimeChange[]) => void;
}

/** What people ask for is looked at at once, what is told of runtimes soon. Returns the ends. */
function follow(
  { source, driver, store }: Pick<OperatorOptions, 'source' | 'driver' | 'store'>,
  { addAll, addAllAnew, atOnce, soon }: Feeds,
): readonly (() => void)[] {
  const changed =
    (add: Feeds['soon']): OnChange =>
    (pool, changes) => {
      if (pool === undefined) void addAll();
      else if (source.get(pool) !== undefined) add(pool, changes);
    };
  return [
    source.watch((key) => {
      if (key === undefined) void addAllAnew();
      else atOnce(key);
    }),
    driver.watch((key) => soon(key)),
    store.subscribe('runtimes', changed(soon)),
    store.subscribe('tiers', changed(atOnce)),
  ];
}

/** Adds all that are wanted, and those of an earlier run that nobody wants any more: as soon as the store tells them, once, or once more. */
function feeder(
  { source, driver, store }: Pick<OperatorOptions, 'source' | 'driver' | 'store'>,
  queue: WorkQueue,
  runs: ReadonlyMap<PoolKey, unknown>,
): Pick<Feeds, 'addAll' | 'addAllAnew'> {
  let isStoreRead = false;
  const addAll = async (): Promise<void> => {
    for (const key of source.list()) queue.add(key);
    if (isStoreRead) return;
    try {
      for (const { key } of await store.listPools()) queue.add(key);
      isStoreRead = true;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  };
  const addAllAnew = async (): Promise<void> => {
    isStoreRead = false;
    for (const key of [...runs.keys(), ...(await driver.listPools())]) queue.add(key);
    await addAll();
  };
  return { addAll, addAllAnew };
}
