/** All that a gateway does, apart from any transport: principals and plain values in, plain values or AppErrors out. Both edges use this. */
import type { Metrics } from '../../platform/metrics/registry.ts';
import type { StageContext } from '../stages/stage-context.ts';
import { Conversations } from './conversations.ts';
import { Instances } from './instances.ts';
import { Leases } from './leases.ts';
import { OwnerCalls } from './owner-calls.ts';
import { Pools, type Readiness } from './pools.ts';
import { ProjectTargets } from './project-target.ts';
import { Projects } from './projects.ts';
import { Tasks } from './tasks.ts';

export interface GatewayService {
  readonly tasks: Tasks;
  readonly leases: Leases;
  readonly conversations: Conversations;
  readonly instances: Instances;
  readonly projects: Projects;
  readonly pools: Pools;
}

export function createGatewayService(
  context: StageContext,
  metrics: Metrics,
  readiness: Readiness = 'served',
): GatewayService {
  const targets = new ProjectTargets(context.membership);
  const owners = new OwnerCalls(context);
  const instances = new Instances({ context, targets, owners });
  return {
    tasks: new Tasks(context),
    leases: new Leases({ context, targets, owners }),
    conversations: new Conversations({ store: context.store, targets, owners }),
    instances,
    projects: new Projects({ context, targets, owners, instances }),
    pools: new Pools({ context, metrics, targets, instances, readiness }),
  };
}
