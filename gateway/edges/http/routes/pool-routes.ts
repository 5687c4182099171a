/** Pools: what can be called, their manifests and status, numbers, health, metrics. */
import { authorize } from '../../../access/roles.ts';
import type { Pool, Pools, PoolStats } from '../../../service/pools.ts';
import type { AgentInfo } from '../../../../platform/store/store.ts';
import type { z } from 'zod';
import { timestampText } from '../messages/shared-fields.ts';
import {
  type agent,
  agentList,
  poolHealth,
  poolList,
  poolQuery,
  poolStats,
} from '../messages/pools.ts';
import { healthOf, isHealthy, type PoolsHealth } from './health.ts';
import { defineRoute, json, jsonAnswer, type Route } from './route.ts';

export function poolRoutes(
  pools: Pick<Pools, 'list' | 'agents' | 'stats'> & PoolsHealth,
): readonly Route[] {
  return [...numberRoutes(pools), ...catalogueRoutes(pools)];
}

function catalogueRoutes(pools: Pick<Pools, 'list' | 'agents'>): readonly Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/agents',
      operationId: 'listAgents',
      tag: 'Agents',
      summary: 'Agents of a pool',
      description: 'The first one is called where a task names none.',
      querySchema: poolQuery,
      answers: {
        200: jsonAnswer('With the schemas of input and output, where they have some.', agentList),
      },
      reasons: ['UNKNOWN_POOL'],
      handle: async ({ query }, { principal }) =>
        json(200, { agents: pools.agents(principal, query.pool).map(agentMessage) }),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/pools',
      operationId: 'listPools',
      tag: 'Pools',
      summary: 'Pools that this gateway serves',
      answers: { 200: jsonAnswer('With effective spec and status.', poolList) },
      reasons: [],
      handle: async (_input, { principal }) =>
        json(200, { pools: pools.list(principal).map(poolMessage) }),
    }),
  ];
}

function poolMessage({ quarantined, ...pool }: Pool) {
  return {
    ...pool,
    quarantined: quarantined.map(({ retryAfterMs, ...one }) => ({
      ...one,
      retry_after_ms: retryAfterMs,
    })),
  };
}

function numberRoutes(pools: Pick<Pools, 'stats'> & PoolsHealth): readonly Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/pool/stats',
      operationId: 'getStats',
      tag: 'Pools',
      summary: 'Numbers of a pool',
      description:
        'Requests, queue and connections are those of this gateway; instances are those of the pool.',
      querySchema: poolQuery,
      answers: { 200: jsonAnswer('Since this gateway started.', poolStats) },
      reasons: ['UNKNOWN_POOL'],
      handle: async ({ query }, { principal }) =>
        json(200, statsMessage(await pools.stats(principal, query.pool))),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/pool/health',
      operationId: 'getHealth',
      tag: 'Pools',
      summary: 'Health of all pools',
      answers: {
        200: jsonAnswer('Every pool can be served.', poolHealth),
        503: jsonAnswer('Some cannot; the checks say which and why.', poolHealth),
      },
      reasons: [],
      handle: async (_input, { principal }) => {
        authorize(principal, 'GetStats');
        const health = healthOf(pools);
        return json(isHealthy(health) ? 200 : 503, health);
      },
    }),
  ];
}

function agentMessage({ name, description, input, output }: AgentInfo): z.output<typeof agent> {
  return {
    name,
    description,
    ...(input === undefined ? {} : { input_schema: input }),
    ...(output === undefined ? {} : { output_schema: output }),
  };
}

function statsMessage({
  instances,
  byTier,
  byState,
  queueDepth,
  succeeded,
  failed,
  hitRate,
  connections,
}: PoolStats): z.output<typeof poolStats> {
  return {
    instances: { total: instances, by_tier: { ...byTier }, by_state: { ...byState } },
    queue_depth: queueDepth,
    requests: { succeeded, failed },
    hit_rate: hitRate,
    connections: connections.map(({ runtime, state, requests, sinceMs }) => ({
      runtime,
      state,
      requests,
      since: timestampText(sinceMs),
    })),
  };
}
