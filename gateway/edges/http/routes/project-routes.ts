/** Projects: list, look, erase; their tier: look, set, leave to the manifest. */
import type { z } from 'zod';
import type { Tier } from '../../../../core/tier.ts';
import type { Principal } from '../../../access/principal.ts';
import type { ProjectTier } from '../../../service/project-tier.ts';
import type { Project, Projects } from '../../../service/projects.ts';
import { timestampOrNone } from '../messages/shared-fields.ts';
import {
  poolQuery,
  projectList,
  projectMessage,
  projectPath,
  projectQuery,
  projectTier,
  tierRequest,
} from '../messages/projects.ts';
import { defineRoute, json, jsonAnswer, NO_CONTENT, type Route } from './route.ts';

const PATH = '/api/v1/projects';
const ONE = `${PATH}/{tenant}/{project}`;
const TIER = `${ONE}/tier`;

export function projectRoutes(
  projects: Pick<Projects, 'list' | 'get' | 'delete' | 'getTier' | 'setTier'>,
): readonly Route[] {
  return [
    ...tierRoutes(projects),
    defineRoute({
      method: 'GET',
      path: PATH,
      operationId: 'listProjects',
      tag: 'Projects',
      summary: 'Projects of a pool',
      description: 'Those that have stored something.',
      querySchema: projectQuery,
      answers: { 200: jsonAnswer('In the order of tenant and project.', projectList) },
      reasons: ['UNKNOWN_POOL'],
      handle: async ({ query }, { principal }) => {
        const { pool, tenant, page_size: pageSize, page_token: pageToken } = query;
        const page = await projects.list(principal, {
          pool,
          tenant,
          pageSize,
          pageToken,
        });
        return json(200, {
          projects: page.items.map(messageOf),
          next_page_token: page.nextPageToken,
        });
      },
    }),
    defineRoute({
      method: 'GET',
      path: ONE,
      operationId: 'getProject',
      tag: 'Projects',
      summary: 'One project',
      pathSchema: projectPath,
      querySchema: poolQuery,
      answers: { 200: jsonAnswer('The project.', projectMessage) },
      reasons: ['UNKNOWN_POOL', 'UNKNOWN_PROJECT', 'OWNER_UNREACHABLE'],
      handle: async ({ path, query }, { principal }) =>
        json(200, messageOf(await projects.get(principal, namesOf(path, query)))),
    }),
    defineRoute({
      method: 'DELETE',
      path: ONE,
      operationId: 'deleteProject',
      tag: 'Projects',
      summary: 'Erase a project everywhere',
      description: 'Its state, conversations and results are gone for good. Needs the role admin.',
      pathSchema: projectPath,
      querySchema: poolQuery,
      answers: { 204: { description: 'Nothing of it is left.' } },
      reasons: ['UNKNOWN_POOL', 'UNKNOWN_PROJECT', 'OWNER_UNREACHABLE'],
      handle: async ({ path, query }, { principal }) => {
        await projects.delete(principal, namesOf(path, query));
        return NO_CONTENT;
      },
    }),
  ];
}

function tierRoutes(projects: Pick<Projects, 'getTier' | 'setTier'>): readonly Route[] {
  const set = async (
    principal: Principal,
    names: Names,
    wish: { readonly tier: Tier | undefined; readonly ttlSeconds: number },
  ) => json(200, tierMessage(await projects.setTier(principal, names, wish)));
  const shared = {
    path: TIER,
    tag: 'Projects',
    pathSchema: projectPath,
    querySchema: poolQuery,
    answers: { 200: jsonAnswer('The tier, who decided and why.', projectTier) },
    reasons: ['UNKNOWN_POOL'],
  } as const;
  return [
    defineRoute({
      ...shared,
      method: 'GET',
      operationId: 'getProjectTier',
      summary: 'Which tier a project has, and why',
      handle: async ({ path, query }, { principal }) =>
        json(200, tierMessage(await projects.getTier(principal, namesOf(path, query)))),
    }),
    defineRoute({
      ...shared,
      method: 'PUT',
      operationId: 'setProjectTier',
      summary: 'Give a project another tier',
      description: 'Takes effect when the project has nothing running; no task fails by it.',
      bodySchema: tierRequest,
      handle: async ({ path, query, body }, { principal }) =>
        set(principal, namesOf(path, query), {
          tier: body.tier,
          ttlSeconds: body.ttl_seconds,
        }),
    }),
    defineRoute({
      ...shared,
      method: 'DELETE',
      operationId: 'endProjectTier',
      summary: 'Leave the tier to the manifest again',
      handle: async ({ path, query }, { principal }) =>
        set(principal, namesOf(path, query), { tier: undefined, ttlSeconds: 0 }),
    }),
  ];
}

interface Names {
  readonly pool: string;
  readonly tenant: string;
  readonly project: string;
}

function namesOf(
  { tenant, project }: { readonly tenant: string; readonly project: string },
  { pool }: { readonly pool: string },
): Names {
  return { pool, tenant, project };
}

function messageOf({
  pool,
  tenant,
  project,
  tier,
  instanceId,
  storedBytes,
  lastUsedMs,
  paused,
}: Project): z.output<typeof projectMessage> {
  return {
    ref: { pool, tenant, project },
    tier: tierMessage(tier),
    instance_id: instanceId,
    stored_bytes: storedBytes,
    ...timestampOrNone('last_used', lastUsedMs),
    paused,
  };
}

function tierMessage({
  desired,
  current,
  source,
  reason,
  sinceMs,
  expiresAtMs,
}: ProjectTier): z.output<typeof projectTier> {
  return {
    desired,
    ...(current === undefined ? {} : { current }),
    source,
    reason,
    ...timestampOrNone('since', sinceMs),
    ...timestampOrNone('expires', expiresAtMs),
  };
}
