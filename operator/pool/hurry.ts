/** Whether a pass leaves all that nobody waits for to a later one: while projects are being promoted, and shortly after. */
import type { Plan } from './plan.ts';
import type { PoolLimits } from './pool-limits.ts';
import type { PoolRun } from './pool-run.ts';

/**
 * Status, belongings and new standbys take time and cores that projects need which move into their runtimes just then. Not for ever: at most
 * `hurryMsMax` in a row, and not where gateways and runtimes do not know yet what is served.
 *
 * @returns in how many ms to look again; 0: nothing is left.
 */
export function restInMs(
  run: PoolRun,
  { actions }: Plan,
  { hurryMs, hurryMsMax }: Pick<PoolLimits, 'hurryMs' | 'hurryMsMax'>,
  nowMs: number,
): number {
  if (actions.some((action) => action.do === 'bind')) {
    const before = run.hurry;
    const sinceMs = before === undefined || before.untilMs < nowMs ? nowMs : before.sinceMs;
    run.hurry = { sinceMs, untilMs: nowMs + hurryMs };
  }
  if (run.hurry === undefined) return 0;
  const { sinceMs, untilMs } = run.hurry;
  const inMs = Math.min(untilMs, sinceMs + hurryMsMax) - nowMs;
  const isOver = inMs <= 0;
  if (isOver) run.hurry = undefined;
  const mayWait =
    isPublished(run) && actions.every(({ do: what }) => what === 'bind' || what === 'mark');
  return isOver || !mayWait ? 0 : inMs;
}

function isPublished({ published, generation, memory }: PoolRun): boolean {
  return published?.generation === generation && published.revision === (memory.served ?? '');
}
