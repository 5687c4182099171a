/** What a plan changes of what is remembered: a standby that is given a project starts anew, and what nobody asks for fails no more. Pure. */
import { stillFailing } from './failures.ts';
import type { Memory } from './memory.ts';
import type { SeenRuntime } from './observed.ts';
import type { Plan } from './plan.ts';
import type { PoolLimits } from './pool-limits.ts';

export function rememberPlan(
  memory: Memory,
  { actions, asked = new Set() }: Plan,
  seen: { readonly runtimes: readonly SeenRuntime[]; readonly limits: PoolLimits },
  nowMs: number,
): Memory {
  const bound = new Set(actions.flatMap((one) => (one.do === 'bind' ? [one.name] : [])));
  const since = [...memory.readySinceMs].filter(([name]) => !bound.has(name));
  return {
    ...memory,
    readySinceMs: bound.size === 0 ? memory.readySinceMs : new Map(since),
    failures: stillFailing(memory.failures, asked, seen, nowMs),
  };
}
