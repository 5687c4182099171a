/** Finds pool, agent and tier of the task, and refuses what no runtime would serve now. Which runtime, admission asks when it is the task's turn. */
import { AppError } from '../../core/errors.ts';
import { projectKeyOf } from '../../core/identifiers.ts';
import { unknownAgent } from '../../core/not-found.ts';
import type { AgentInfo } from '../../platform/store/store.ts';
import { requirePool, suspended } from '../find-pool.ts';
import type { PoolView } from '../pool-view.ts';
import type { Call } from '../task/call.ts';
import type { Stage } from './stage.ts';
import type { StageContext } from './stage-context.ts';

export function locate(context: StageContext): Stage {
  const { clock, membership, runtimes } = context;
  return async (call, next) => {
    const { request } = call;
    const pool = requirePool(membership, call.pool, request.pool);
    if (pool.isSuspended) throw suspended();
    const { tenant, project } = request;
    call.project = projectKeyOf({
      namespace: pool.ref.namespace,
      pool: pool.ref.name,
      tenant,
      project,
    });
    call.tier = pool.tierOf(
      tenant,
      project,
      membership.override(pool, call.project),
      clock.wallMs(),
    ).tier;
    checkSize(call, pool);
    call.agent = resolveAgent(request.agent, runtimes.agentsOf(pool));
    const entry = context.tenantGate.enter(call, pool);
    if (entry !== undefined) await entry;
    return next(call);
  };
}

/** While no runtime has said which agents there are, the one that takes the task decides. */
function resolveAgent(asked: string, known: ReadonlyMap<string, AgentInfo>): string {
  if (known.size === 0 || known.has(asked)) return asked;
  if (asked !== '') throw unknownAgent(asked, [...known.keys()]);
  const [first = asked] = known.keys();
  return first;
}

function checkSize({ request }: Call, pool: PoolView): void {
  const bytesMax = pool.spec.limits.requestBytesMax;
  if ((request.input?.body.byteLength ?? 0) > bytesMax)
    throw new AppError(
      'PAYLOAD_TOO_LARGE',
      `the input has more than ${bytesMax} bytes: send less, or have limits.requestBytesMax raised`,
      { field: 'input' },
    );
}
