/**
 * Writes the pool's record into the store, where gateways and runtimes read it: only when it changed, or the store has something else by now
 * (a failover that lost it, a backup that was restored, somebody who deleted it).
 */
import { isDeepStrictEqual } from 'node:util';
import type { AgentPoolSpec, AgentPoolStatus } from '../../api/agent-pool.ts';
import { clusterFieldsOf } from '../../api/cluster-fields.ts';
import type { PoolReport } from '../../api/pool-report.ts';
import type { PoolRecord, Store } from '../../platform/store/store.ts';
import type { Driver } from './driver.ts';
import type { PoolLimits } from './pool-limits.ts';
import type { PoolRun } from './pool-run.ts';

const IGNORED = 'ignored: runtimes are processes of this machine, not pods';

export interface Press {
  readonly store: Store;
  readonly driver: Driver;
  readonly limits: PoolLimits;
  /** Whose records these are, where installations may share a store. */
  readonly installation?: string;
}

/** @returns in how many ms to publish again, when a change of mere counts was held back. */
export async function publish(
  run: PoolRun,
  content: {
    readonly spec: AgentPoolSpec;
    readonly status: AgentPoolStatus;
    readonly revision: string;
  },
  { store, driver, limits, installation }: Press,
  nowMs: number,
): Promise<number | undefined> {
  const report: PoolReport = {
    driver: driver.kind,
    notEnforced: notEnforced(driver, content.spec),
    events: run.events,
  };
  const record: PoolRecord = {
    ...{ key: run.key, generation: run.generation, ...content, report },
    ...(installation === undefined ? {} : { installation }),
  };
  await compare(run, store, limits, nowMs);
  if (isDeepStrictEqual(record, run.published)) return undefined;
  const heldBackMs = run.countsWrittenMs + limits.countsWriteIntervalMs - nowMs;
  if (heldBackMs > 0 && isDeepStrictEqual(withoutCounts(record), withoutCounts(run.published)))
    return heldBackMs;
  await store.putPool(record);
  run.published = record;
  run.comparedMs = nowMs;
  run.countsWrittenMs = nowMs;
  return undefined;
}

/** What the store has is believed for as long as a pool is left alone at most. */
async function compare(
  run: PoolRun,
  store: Store,
  { resyncMs }: PoolLimits,
  nowMs: number,
): Promise<void> {
  if (run.published === undefined || nowMs < run.comparedMs + resyncMs) return;
  const [stored] = await store.listPools(run.key);
  run.comparedMs = nowMs;
  if (!isDeepStrictEqual(asStored(stored), asStored(run.published))) run.published = undefined;
}

/** Stores keep no fields that are undefined. */
function asStored(record: PoolRecord | undefined): unknown {
  return record && JSON.parse(JSON.stringify(record));
}

function withoutCounts(record: PoolRecord | undefined): unknown {
  return record && { ...record, status: { ...(record.status as AgentPoolStatus), tiers: [] } };
}

/** A driver without control groups makes no pods either. */
function notEnforced(driver: Driver, spec: AgentPoolSpec): PoolReport['notEnforced'] {
  if (driver.enforces.hotLimits) return [];
  const ignored = clusterFieldsOf(spec).map((field) => ({ field, instead: IGNORED }));
  return [
    {
      field: 'spec.tiers.hot.quota.memoryMb',
      instead:
        'this driver has no control groups: the heap of the worker is limited, memory outside it is watched by the runtime',
    },
    {
      field: 'spec.tiers.hot.quota.cpuPercent',
      instead: 'this driver has no control groups: a runtime may use what the machine has free',
    },
    ...ignored,
  ];
}
