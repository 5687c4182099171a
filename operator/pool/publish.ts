/** Writes the pool's record into the store, where gateways and runtimes read it: only when it changed. */
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
  if (isDeepStrictEqual(record, run.published)) return undefined;
  const heldBackMs = run.countsWrittenMs + limits.countsWriteIntervalMs - nowMs;
  if (heldBackMs > 0 && isDeepStrictEqual(withoutCounts(record), withoutCounts(run.published)))
    return heldBackMs;
  await store.putPool(record);
  run.published = record;
  run.countsWrittenMs = nowMs;
  return undefined;
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
