/** What of the memory counts in this pass. */
import type { Memory } from './memory.ts';
import type { PoolRun } from './pool-run.ts';

/** Runtimes fail for want of the store while it is away: that is held against nobody once it is back. */
export function recall(run: PoolRun, isBlind: boolean): Memory {
  const { memory, countedBefore } = run;
  if (isBlind) {
    run.countedBefore ??= { failures: memory.failures };
    return memory;
  }
  run.countedBefore = undefined;
  return countedBefore === undefined ? memory : { ...memory, ...countedBefore };
}
