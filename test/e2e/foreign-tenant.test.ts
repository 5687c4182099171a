import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  type CallOptions,
  GrpcClient,
  type Message,
  messagesOf,
  METHODS,
  refusalOf,
} from './grpc-calls.ts';
import { call } from './http-calls.ts';
import { destroyAll, type Server, startStandalone } from './server.ts';
import { AGENTS, createWorkspace, poolManifest, type Workspace } from './workspace.ts';

jest.setTimeout(120_000);

const OWNER = { token: 'owner', subject: 'o', tenants: ['acme'], role: 'operator' };
/** Each may do all that a role below admin may, but not for this project. */
const STRANGERS = [
  { token: 'other-tenant', subject: 's', tenants: ['hostile'], role: 'operator' },
  {
    token: 'other-project',
    subject: 's',
    tenants: ['acme', 'hostile'],
    projects: ['own'],
    role: 'operator',
  },
];
const NAMES = { tenant: 'acme', project: 'secret-plans' };
const ID = 'default~assistants~acme~secret-plans';

let place: Workspace;
let server: Server;
let client: GrpcClient;
let lease: string;

beforeAll(async () => {
  place = createWorkspace();
  place.write('agents.ts', AGENTS);
  place.write('pool.yaml', poolManifest());
  place.write('tokens.json', JSON.stringify([OWNER, ...STRANGERS]));
  server = await startStandalone(
    { manifests: [place.path('pool.yaml')], data: place.data },
    { args: ['--tokens', place.path('tokens.json')] },
  );
  client = new GrpcClient(server.grpc);
  await count();
  const acquired = await client.unary('Acquire', NAMES, { token: OWNER.token });
  lease = String(acquired['lease_id']);
});

afterAll(async () => {
  client.close();
  await server.stop();
  place.remove();
});
afterAll(destroyAll);

/** As the owner, in the conversation that the strangers are after. */
async function count(): Promise<unknown> {
  const task = { ...NAMES, agent: 'counter', conversation_id: 'talk', input: null };
  const { body } = await call(server, '/api/v1/execute', { token: OWNER.token, body: task });
  return (body['output'] as { count: number }).count;
}

/** What no principal below admin sees all of: it is cut to what they may see. */
const OF_THE_POOL = ['ListAgents', 'ListPools', 'GetStats', 'ListInstances', 'ListProjects'];

const request = (method: string): Message => ({
  ...NAMES,
  agent: 'counter',
  text: 'x',
  id: ID,
  conversation_id: 'talk',
  lease_id: ['Renew', 'Release'].includes(method) ? lease : '',
  tier: method === 'SetProjectTier' ? 'TIER_COLD' : 'TIER_UNSPECIFIED',
});

function send(method: { name: string; isUnary: boolean }, options: CallOptions): Promise<unknown> {
  const { name, isUnary } = method;
  if (isUnary) return client.unary(name, request(name), options);
  if (name !== 'Connect') return messagesOf(client.stream(name, request(name), options));
  const stream = client.connect(options);
  stream.write({ execute: { ...request(name), request_id: 'r' } });
  stream.end();
  return messagesOf(stream);
}

describe.each(STRANGERS)('gRPC with the token $token', ({ token }) => {
  it.each(METHODS.map((method) => [method.name, method] as const))('%s', async (name, method) => {
    if (OF_THE_POOL.includes(name)) {
      const answer = await client.unary(name, {}, { token });
      expect(JSON.stringify(answer)).not.toContain(NAMES.project);
    } else if (name === 'Connect') {
      const refused = { code: 7, reason: 'FORBIDDEN' };
      expect(await send(method, { token })).toMatchObject([{ event: 'error', error: refused }]);
    } else {
      const { code, reason } = await refusalOf(send(method, { token }));
      expect([code, reason]).toEqual(
        code === 'UNIMPLEMENTED' ? [code, ''] : ['PERMISSION_DENIED', 'FORBIDDEN'],
      );
    }
  });
});

it.each(METHODS.map((method) => [method.name, method] as const))(
  'gRPC without a token that is one: %s',
  async (_name, method) => {
    for (const options of [{}, { token: 'guessed' }, { metadata: { authorization: 'owner' } }]) {
      const { code, reason } = await refusalOf(send(method, options));
      expect([code, reason]).toEqual(
        code === 'UNIMPLEMENTED' ? [code, ''] : ['UNAUTHENTICATED', 'TOKEN_INVALID'],
      );
    }
  },
);

interface Operation {
  readonly operationId: string;
  readonly security?: unknown;
}

type Route = [method: string, path: string, operationId: string];

/** Every route of the served document but the open ones. */
async function routes(): Promise<Route[]> {
  const { body } = await call<{ paths: Record<string, Record<string, Operation>> }>(
    server,
    '/openapi.json',
  );
  return Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { security }]) => security !== undefined)
      .map(([method, { operationId }]): Route => [
        method.toUpperCase(),
        path
          .replace('/leases/{id}', `/leases/${lease}`)
          .replace('/conversations/{id}', '/conversations/talk')
          .replace('{id}', ID)
          .replace('{tenant}', NAMES.tenant)
          .replace('{project}', NAMES.project),
        operationId,
      ]),
  );
}

const BODIES: Readonly<Record<string, object>> = {
  execute: { ...NAMES, agent: 'counter', input: 1 },
  createInstance: NAMES,
  acquireLease: NAMES,
  renewLease: { ttl_ms: 1_000 },
  setProjectTier: { tier: 'COLD' },
};

async function ask(
  [method, path, operationId]: Route,
  token: string,
): Promise<{ readonly status: number; readonly text: string; readonly reason: string }> {
  const body = BODIES[operationId];
  const response = await fetch(server.http + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const { reason = '' } = (response.ok ? {} : JSON.parse(text)) as { reason?: string };
  return { status: response.status, text, reason };
}

it.each(STRANGERS)('every HTTP route with the token $token', async ({ token }) => {
  const all = await routes();
  expect(all.length).toBeGreaterThan(20);
  const open: string[] = [];
  for (const route of all) {
    const { status, text, reason } = await ask(route, token);
    expect(text).not.toContain(NAMES.project);
    if (status < 400) open.push(route[2]);
    else expect([...route, status, reason]).toEqual([...route, 403, 'FORBIDDEN']);
  }
  expect(open.sort()).toEqual([
    ...['getHealth', 'getMetrics', 'getStats', 'listAgents', 'listInstances', 'listPools'],
    ...['listProjects', 'metrics'],
  ]);
  for (const path of ['/api/v1/pool/instances', '/api/v1/projects']) {
    const { body, status } = await call(server, `${path}?tenant=acme`, { token });
    expect([status, JSON.stringify(body)]).toEqual([
      token === 'other-tenant' ? 403 : 200,
      expect.not.stringContaining(NAMES.project),
    ]);
  }
});

it('every HTTP route without a token that is one', async () => {
  for (const route of await routes()) {
    const { status, reason } = await ask(route, 'guessed');
    expect([...route, status, reason]).toEqual([...route, 401, 'TOKEN_INVALID']);
  }
});

it('has left everything of the project as it was', async () => {
  const { token } = OWNER;
  expect(await count()).toBe(2);
  const renewed = await client.unary('Renew', { lease_id: lease }, { token });
  expect(renewed).toMatchObject({ lease_id: lease, tier: 'TIER_WARM' });
  expect(await client.unary('GetInstance', { id: ID }, { token })).toMatchObject({
    state: 'INSTANCE_STATE_READY',
    requests: 2,
  });
});
