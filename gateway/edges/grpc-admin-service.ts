/** PoolAdminService over gRPC: pools, statistics, instances, projects, tiers. */
import { INSTANCE_STATES, type InstanceState } from '../../core/instance-state.ts';
import { TIERS, type Tier } from '../../core/tier.ts';
import type {
  Init,
  Instance as InstanceMessage,
  InstanceState as StateName,
  PoolAdminServiceHandlers,
  Project as ProjectMessage,
  ProjectTier as TierMessage,
  Tier as TierName,
  Timestamp,
} from '../../proto/generated/messages.ts';
import { timestampOf } from '../../proto/timestamp.ts';
import { encodeValue } from '../../proto/value-codec.ts';
import { invalid } from '../request-fields.ts';
import type { Instance } from '../service/instances.ts';
import type { Project } from '../service/projects.ts';
import type { ProjectTier } from '../service/project-tier.ts';
import type { GrpcEdge } from './grpc-edge.ts';
import { TIER_NAMES } from './grpc-task-messages.ts';
import { unaryOn } from './grpc-unary.ts';

type Later = 'ClassifyProject' | 'RestartPool' | 'Drain' | 'Watch';
type Handlers = Omit<PoolAdminServiceHandlers, Later>;

export function adminHandlers(edge: GrpcEdge): Handlers {
  return { ...poolHandlers(edge), ...instanceHandlers(edge), ...projectHandlers(edge) };
}

function poolHandlers(edge: GrpcEdge): Pick<Handlers, 'ListPools' | 'GetStats'> {
  const unary = unaryOn(edge);
  const { pools } = edge.service;
  return {
    ListPools: unary(async (principal) => ({
      pools: pools.list(principal).map(({ spec, status, ...names }) => ({
        ...names,
        spec: encodeValue(spec),
        status: encodeValue(status),
      })),
    })),
    GetStats: unary(async (principal, { pool }) => {
      const stats = await pools.stats(principal, pool);
      return {
        instances: stats.instances,
        instances_by_tier: stats.byTier,
        instances_by_state: stats.byState,
        queue_depth: stats.queueDepth,
        requests_succeeded: stats.succeeded,
        requests_failed: stats.failed,
        hit_rate: stats.hitRate,
        connections: stats.connections.map(({ runtime, state, requests, sinceMs }) => ({
          runtime,
          state,
          requests,
          since: timestampOf(sinceMs),
        })),
      };
    }),
  };
}

type OfInstances =
  | 'ListInstances'
  | 'GetInstance'
  | 'CreateInstance'
  | 'DeleteInstance'
  | 'PauseInstance'
  | 'ResumeInstance';

function instanceHandlers(edge: GrpcEdge): Pick<Handlers, OfInstances> {
  const unary = unaryOn(edge);
  const { instances } = edge.service;
  return {
    ListInstances: unary(async (principal, request) => {
      const { pool, tenant, project, page_size: pageSize, page_token: pageToken } = request;
      const filter = {
        pool,
        tenant,
        project,
        pageSize,
        pageToken,
        tier: tierOf(request.tier),
        state: stateOf(request.state),
      };
      const page = await instances.list(principal, filter);
      return { instances: page.items.map(instanceOf), next_page_token: page.nextPageToken };
    }),
    GetInstance: unary(async (principal, { id }) => instanceOf(await instances.get(principal, id))),
    CreateInstance: unary(async (principal, request) => {
      const created = await instances.create(principal, request, tierOf(request.tier));
      return instanceOf(created.instance);
    }),
    DeleteInstance: unary(async (principal, { id, force }) => {
      await instances.delete(principal, id, force);
      return {};
    }),
    PauseInstance: unary(async (principal, { id, force }) =>
      instanceOf(await instances.pause(principal, id, force)),
    ),
    ResumeInstance: unary(async (principal, { id }) =>
      instanceOf(await instances.resume(principal, id)),
    ),
  };
}

function projectHandlers(
  edge: GrpcEdge,
): Pick<Handlers, 'ListProjects' | 'DeleteProject' | 'SetProjectTier'> {
  const unary = unaryOn(edge);
  const { projects } = edge.service;
  return {
    ListProjects: unary(
      async (principal, { pool, tenant, page_size: pageSize, page_token: pageToken }) => {
        const page = await projects.list(principal, { pool, tenant, pageSize, pageToken });
        return { projects: page.items.map(projectOf), next_page_token: page.nextPageToken };
      },
    ),
    DeleteProject: unary(async (principal, request) => {
      await projects.delete(principal, request);
      return {};
    }),
    SetProjectTier: unary(async (principal, request) => {
      const wish = { tier: tierOf(request.tier), ttlSeconds: request.ttl_seconds };
      return projectTierOf(await projects.setTier(principal, request, wish));
    }),
  };
}

function instanceOf(instance: Instance): Init<InstanceMessage> {
  return {
    id: instance.id,
    pool: instance.pool,
    tenant: instance.tenant,
    project: instance.project,
    tier: TIER_NAMES[instance.tier],
    state: `INSTANCE_STATE_${instance.state}`,
    runtime: instance.runtime,
    created: timeOf(instance.createdMs),
    last_used: timeOf(instance.lastUsedMs),
    requests: instance.requests,
    memory_bytes: instance.memoryBytes,
    cpu_percent: instance.cpuPercent,
    message: instance.message,
    epoch: instance.epoch,
  };
}

function projectOf({
  pool,
  tenant,
  project,
  tier,
  instanceId,
  storedBytes,
  lastUsedMs,
  paused,
}: Project): Init<ProjectMessage> {
  return {
    ref: { pool, tenant, project },
    tier: projectTierOf(tier),
    instance_id: instanceId,
    stored_bytes: storedBytes,
    last_used: timeOf(lastUsedMs),
    paused,
  };
}

function projectTierOf({
  desired,
  current,
  source,
  reason,
  sinceMs,
  expiresAtMs,
}: ProjectTier): Init<TierMessage> {
  return {
    desired: TIER_NAMES[desired],
    current: current === undefined ? 'TIER_UNSPECIFIED' : TIER_NAMES[current],
    source,
    reason,
    since: timeOf(sinceMs),
    expires: timeOf(expiresAtMs),
  };
}

/** 0 and undefined: never, not known. */
function timeOf(wallMs: number | undefined): Timestamp | undefined {
  return wallMs === undefined || wallMs === 0 ? undefined : timestampOf(wallMs);
}

function tierOf(name: TierName): Tier | undefined {
  if (name === 'TIER_UNSPECIFIED') return undefined;
  const tier = TIERS.find((one) => TIER_NAMES[one] === name);
  if (tier === undefined)
    throw invalid('tier', `must be one of ${Object.values(TIER_NAMES).join(', ')}`);
  return tier;
}

function stateOf(name: StateName): InstanceState | undefined {
  if (name === 'INSTANCE_STATE_UNSPECIFIED') return undefined;
  const state = INSTANCE_STATES.find((one) => `INSTANCE_STATE_${one}` === name);
  if (state === undefined)
    throw invalid('state', `must be INSTANCE_STATE_ and one of ${INSTANCE_STATES.join(', ')}`);
  return state;
}
