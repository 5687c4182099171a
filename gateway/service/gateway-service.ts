/** All that a gateway does, apart from any transport: principals and plain values in, plain values or AppErrors out. Both edges use this. */
import type { Metrics } from '../../platform/metrics/registry.ts';
import type { StageContext } from '../stages/stage-context.ts';
import { Conversations } from './conversations.ts';
import { Instances } from './instances.ts';
import { Leases } from './leases.ts';
import { OwnerCalls } from './owner-calls.ts';
import { Pools, type PoolsParts } from './pools.ts';
import { ProjectTargets } from './project-target.ts';
import { Projects } from './projects.ts';
import { draining, Tasks } from './tasks.ts';

export interface GatewayService {
  readonly tasks: Tasks;
  readonly leases: Leases;
  readonly conversations: Conversations;
  readonly instances: Instances;
  readonly projects: Projects;
  readonly pools: Pools;
  /** No new tasks from now on; resolves when all that callers wait for has ended. */
  drain(): Promise<void>;
  /** Ends what is still on its way: whoever waits is told that this gateway goes. */
  abortAll(): void;
}

/** Default: of a gateway that is alone on its machine. */
export type GatewayServiceOptions = Partial<Pick<PoolsParts, 'readiness' | 'scraped'>>;

export function createGatewayService(
  context: StageContext,
  metrics: Metrics,
  { readiness = 'served', scraped = 'all' }: GatewayServiceOptions = {},
): GatewayService {
  const targets = new ProjectTargets(context.membership);
  const owners = new OwnerCalls(context);
  const instances = new Instances({ context, targets, owners });
  const tasks = new Tasks(context);
  return {
    tasks,
    leases: new Leases({ context, targets, owners }),
    conversations: new Conversations({ store: context.store, targets, owners }),
    instances,
    projects: new Projects({ context, targets, owners, instances }),
    pools: new Pools({ context, metrics, targets, instances, readiness, scraped }),
    drain: async () => {
      await Promise.all([tasks.drain(), owners.drain()]);
    },
    abortAll: () => {
      tasks.abortAll();
      owners.abortAll(draining());
    },
  };
}
