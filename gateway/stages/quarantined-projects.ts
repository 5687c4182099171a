/** Which projects of a pool this gateway refuses or tries one at a time, because runtimes ended under their tasks. Changes nothing. */
import { parseInstanceId } from '../../core/identifiers.ts';
import { hasProject, type Principal } from '../access/principal.ts';
import type { PoolView } from '../pool-view.ts';
import type { StageContext } from './stage-context.ts';

export interface QuarantinedProject {
  readonly tenant: string;
  readonly project: string;
  /** `open`: its tasks are refused; `half-open`: one of its tasks is tried at a time. */
  readonly state: 'open' | 'half-open';
  /** Until it is tried again; 0: it is. */
  readonly retryAfterMs: number;
}

/** Each gateway judges by what it saw itself. Those that the principal may not see are left out. */
export function quarantinedProjects(
  { clock, quarantine }: Pick<StageContext, 'clock' | 'quarantine'>,
  pool: PoolView,
  principal: Principal,
): QuarantinedProject[] {
  const resetMs = pool.spec.circuitBreaker.resetTimeoutSeconds * 1000;
  return quarantine
    .condemned()
    .filter((key) => key.startsWith(`${pool.key}~`))
    .flatMap((key) => {
      const ref = parseInstanceId(key);
      if (ref === undefined || !hasProject(principal, ref.tenant, ref.project)) return [];
      const verdict = quarantine.verdict(key, clock.nowMs(), resetMs);
      const { tenant, project } = ref;
      return verdict.type === 'open'
        ? { tenant, project, state: 'open', retryAfterMs: Math.ceil(verdict.retryAfterMs) }
        : { tenant, project, state: 'half-open', retryAfterMs: 0 };
    });
}
