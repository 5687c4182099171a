/** Live instances: list, look, start, end, pause, resume. */
import type { Instance, Instances } from '../../../service/instances.ts';
import { timestampOrNone } from '../messages/shared-fields.ts';
import {
  createInstanceRequest,
  forceQuery,
  pauseRequest,
  instance,
  instanceList,
  type InstanceMessage,
  instancePath,
  instanceQuery,
} from '../messages/pools.ts';
import { defineRoute, json, jsonAnswer, NO_CONTENT, type Route, START_REASONS } from './route.ts';

const PATH = '/api/v1/pool/instances';
const ONE = `${PATH}/{id}`;

export function instanceRoutes(
  instances: Pick<Instances, 'list' | 'get' | 'create' | 'delete' | 'pause' | 'resume'>,
): readonly Route[] {
  return [...readingRoutes(instances), ...endingRoutes(instances), ...pausingRoutes(instances)];
}

function readingRoutes(instances: Pick<Instances, 'list' | 'get'>): readonly Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: PATH,
      operationId: 'listInstances',
      tag: 'Instances',
      summary: 'Live instances of a pool',
      querySchema: instanceQuery,
      answers: { 200: jsonAnswer('In the order of ids.', instanceList) },
      reasons: ['UNKNOWN_POOL'],
      handle: async ({ query }, { principal }) => {
        const { page_size: pageSize, page_token: pageToken, ...filter } = query;
        const page = await instances.list(principal, { ...filter, pageSize, pageToken });
        return json(200, {
          instances: page.items.map(instanceMessage),
          next_page_token: page.nextPageToken,
        });
      },
    }),
    defineRoute({
      method: 'GET',
      path: ONE,
      operationId: 'getInstance',
      tag: 'Instances',
      summary: 'One live instance',
      pathSchema: instancePath,
      answers: { 200: jsonAnswer('The instance.', instance) },
      reasons: ['UNKNOWN_INSTANCE', 'OWNER_UNREACHABLE'],
      handle: async ({ path }, { principal }) =>
        json(200, instanceMessage(await instances.get(principal, path.id))),
    }),
  ];
}

function endingRoutes(instances: Pick<Instances, 'create' | 'delete'>): readonly Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: PATH,
      operationId: 'createInstance',
      tag: 'Instances',
      summary: 'Start an instance before its first task',
      description: 'Sets no tier.',
      bodySchema: createInstanceRequest,
      answers: {
        200: jsonAnswer('It was live already.', instance),
        201: jsonAnswer('It was started.', instance),
      },
      reasons: START_REASONS,
      handle: async ({ body }, { principal }) => {
        const { tier, ...names } = body;
        const { instance: found, created } = await instances.create(principal, names, tier);
        return created
          ? json(201, instanceMessage(found), { location: `${PATH}/${found.id}` })
          : json(200, instanceMessage(found));
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: ONE,
      operationId: 'deleteInstance',
      tag: 'Instances',
      summary: 'End an instance',
      description: "The project's state stays; its next task starts a new instance.",
      pathSchema: instancePath,
      querySchema: forceQuery,
      answers: { 204: { description: 'It has ended.' } },
      reasons: ['UNKNOWN_INSTANCE', 'STATE_CONFLICT', 'OWNER_UNREACHABLE', 'DEADLINE'],
      handle: async ({ path, query }, { principal }) => {
        await instances.delete(principal, path.id, query.force);
        return NO_CONTENT;
      },
    }),
  ];
}

function pausingRoutes(instances: Pick<Instances, 'pause' | 'resume'>): readonly Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: `${ONE}/pause`,
      operationId: 'pauseInstance',
      tag: 'Instances',
      summary: 'Take no more tasks for this project',
      description:
        'Lasts until it is resumed: through eviction, moves and restarts. Running tasks are awaited.',
      pathSchema: instancePath,
      querySchema: forceQuery,
      bodySchema: pauseRequest,
      isBodyOptional: true,
      answers: {
        200: jsonAnswer(
          'The instance; without a live one, what is known of the project.',
          instance,
        ),
      },
      reasons: ['UNKNOWN_INSTANCE', 'STATE_CONFLICT', 'OWNER_UNREACHABLE', 'DEADLINE'],
      handle: async ({ path, query, body }, { principal }) => {
        const force = query.force || body.force;
        return json(200, instanceMessage(await instances.pause(principal, path.id, force)));
      },
    }),
    defineRoute({
      method: 'POST',
      path: `${ONE}/resume`,
      operationId: 'resumeInstance',
      tag: 'Instances',
      summary: 'Take tasks again',
      pathSchema: instancePath,
      answers: {
        200: jsonAnswer(
          'The instance; without a live one, what is known of the project.',
          instance,
        ),
      },
      reasons: ['UNKNOWN_INSTANCE', 'STATE_CONFLICT', 'OWNER_UNREACHABLE'],
      handle: async ({ path }, { principal }) =>
        json(200, instanceMessage(await instances.resume(principal, path.id))),
    }),
  ];
}

function instanceMessage(one: Instance): InstanceMessage {
  return {
    id: one.id,
    pool: one.pool,
    tenant: one.tenant,
    project: one.project,
    tier: one.tier,
    state: one.state,
    runtime: one.runtime,
    ...timestampOrNone('created', one.createdMs),
    ...timestampOrNone('last_used', one.lastUsedMs),
    requests: one.requests,
    memory_bytes: one.memoryBytes,
    cpu_percent: one.cpuPercent,
    message: one.message,
    epoch: one.epoch,
  };
}
