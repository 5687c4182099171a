import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../core/errors.ts';
import { systemClock } from '../../../platform/clock.ts';
import { silentLog } from '../../../platform/log.ts';
import { systemRandom } from '../../../platform/random.ts';
import { FakeHttpService, WALL_TEXT } from '../../../test/fakes/fake-http-service.ts';
import { type Access, LOCAL_ACCESS } from '../../access/access.ts';
import { createPrincipal, type Role } from '../../access/principal.ts';
import type { HttpEdge } from './http-edge.ts';
import { createHttpEdge } from './http-gateway.ts';

const service = new FakeHttpService();
let edge: HttpEdge;

async function serve(access: Access): Promise<void> {
  edge = await createHttpEdge({
    service,
    access,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
    requestBytesMax: () => 1_000,
    version: '1',
    metricsContentType: 'text/plain; version=0.0.4; charset=utf-8',
  });
}

// One server for many tests: making one is the slow part.
beforeAll(() => serve(LOCAL_ACCESS));
beforeEach(() => {
  service.reset();
});
afterAll(() => edge.close(0));

function ask(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  url: string,
  body?: object,
  headers: Record<string, string> = {},
) {
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  return edge.app.inject({
    method,
    url,
    headers: { host: 'localhost:8080', ...type, ...headers },
    ...(body === undefined ? {} : { payload: body }),
  });
}

const NAMES = { pool: '', tenant: 't', project: 'p' };
const INSTANCE = {
  id: 'default~pool~t~p',
  pool: 'pool',
  tenant: 't',
  project: 'p',
  tier: 'WARM',
  state: 'READY',
  runtime: 'runtime-1',
  created: WALL_TEXT,
  last_used: WALL_TEXT,
  requests: 7,
  memory_bytes: 1_099_511_627_776,
  cpu_percent: 0.5,
  message: '',
  epoch: 3,
};
const LEASE = {
  lease_id: 'default~pool~t~p~x',
  instance_id: 'default~pool~t~p',
  tier: 'WARM',
  address: 'localhost:8080',
  expires: WALL_TEXT,
};
const TIER = {
  desired: 'HOT',
  current: 'WARM',
  source: 'Override',
  reason: 'set by API',
  since: WALL_TEXT,
};
const PROJECT = {
  ref: { pool: 'pool', tenant: 't', project: 'p' },
  tier: TIER,
  instance_id: '',
  stored_bytes: 12,
  paused: true,
};
const SUMMARY = { id: 'c-1', agent: 'echo', turn_count: 2, updated: WALL_TEXT };
const TURN = { index: 1, role: 'user', content: { a: [1] }, time: WALL_TEXT, request_id: 'r-1' };
const INSTANCES = '/api/v1/pool/instances';
const ONE = `${INSTANCES}/default~pool~t~p`;
const SITE = '/api/v1/projects/t/p';

type Row = [string, object | undefined, number, unknown, unknown[]];

describe('a route asks the service and shapes its answer', () => {
  it.each<Row>([
    [
      'POST /api/v1/leases',
      { tenant: 't', project: 'p', ttlMs: 5 },
      200,
      LEASE,
      ['acquire', NAMES, 5],
    ],
    [
      'POST /api/v1/leases',
      { tenant: 't', project: 'p', pool: 'ns/x' },
      200,
      LEASE,
      ['acquire', { ...NAMES, pool: 'ns/x' }, 0],
    ],
    ['POST /api/v1/leases/a~b~c~d~e/renew', { ttl_ms: 5 }, 200, LEASE, ['renew', 'a~b~c~d~e', 5]],
    ['POST /api/v1/leases/a~b~c~d~e/renew', undefined, 200, LEASE, ['renew', 'a~b~c~d~e', 0]],
    ['DELETE /api/v1/leases/a~b~c~d~e', undefined, 204, undefined, ['release', 'a~b~c~d~e']],
    [
      `GET ${INSTANCES}`,
      undefined,
      200,
      { instances: [INSTANCE], next_page_token: 'n' },
      ['listInstances', { pool: '', tenant: '', project: '', pageSize: 0, pageToken: '' }],
    ],
    [
      `GET ${INSTANCES}?pool=x&tier=HOT&state=BUSY&tenant=t&project=p&pageSize=7&page_token=n`,
      undefined,
      200,
      { instances: [INSTANCE], next_page_token: 'n' },
      [
        'listInstances',
        {
          pool: 'x',
          tier: 'HOT',
          state: 'BUSY',
          tenant: 't',
          project: 'p',
          pageSize: 7,
          pageToken: 'n',
        },
      ],
    ],
    [`GET ${ONE}`, undefined, 200, INSTANCE, ['getInstance', 'default~pool~t~p']],
    [
      `POST ${INSTANCES}`,
      { tenant: 't', project: 'p', tier: 'HOT' },
      201,
      INSTANCE,
      ['createInstance', NAMES, 'HOT'],
    ],
    [
      `POST ${INSTANCES}`,
      { tenant: 't', project: 'p' },
      201,
      INSTANCE,
      ['createInstance', NAMES, undefined],
    ],
    [`DELETE ${ONE}`, undefined, 204, undefined, ['deleteInstance', 'default~pool~t~p', false]],
    [
      `DELETE ${ONE}?force=true`,
      undefined,
      204,
      undefined,
      ['deleteInstance', 'default~pool~t~p', true],
    ],
    [
      `POST ${ONE}/pause?force=false`,
      undefined,
      200,
      { ...INSTANCE, state: 'PAUSED', created: undefined },
      ['pauseInstance', 'default~pool~t~p', false],
    ],
    [
      `POST ${ONE}/pause`,
      { force: true },
      200,
      { ...INSTANCE, state: 'PAUSED', created: undefined },
      ['pauseInstance', 'default~pool~t~p', true],
    ],
    [`POST ${ONE}/resume`, undefined, 200, INSTANCE, ['resumeInstance', 'default~pool~t~p']],
    [
      'GET /api/v1/projects?tenant=t&page_size=5',
      undefined,
      200,
      { projects: [PROJECT], next_page_token: '' },
      ['listProjects', { pool: '', tenant: 't', pageSize: 5, pageToken: '' }],
    ],
    [`GET ${SITE}?pool=x`, undefined, 200, PROJECT, ['getProject', { ...NAMES, pool: 'x' }]],
    [`DELETE ${SITE}`, undefined, 204, undefined, ['deleteProject', NAMES]],
    [`GET ${SITE}/tier`, undefined, 200, TIER, ['getTier', NAMES]],
    [
      `PUT ${SITE}/tier`,
      { tier: 'HOT', ttlSeconds: 9 },
      200,
      TIER,
      ['setTier', NAMES, { tier: 'HOT', ttlSeconds: 9 }],
    ],
    [
      `DELETE ${SITE}/tier`,
      undefined,
      200,
      TIER,
      ['setTier', NAMES, { tier: undefined, ttlSeconds: 0 }],
    ],
    [
      `GET ${SITE}/conversations?page_size=1`,
      undefined,
      200,
      { conversations: [SUMMARY], next_page_token: '' },
      ['listConversations', NAMES, { pageSize: 1, pageToken: '' }],
    ],
    [
      `GET ${SITE}/conversations/c-1?turns=2&before=9`,
      undefined,
      200,
      { ...SUMMARY, turns: [TURN] },
      ['getConversation', { ...NAMES, conversationId: 'c-1' }, { turns: 2, before: 9 }],
    ],
    [
      `DELETE ${SITE}/conversations/c-1`,
      undefined,
      204,
      undefined,
      ['deleteConversation', { ...NAMES, conversationId: 'c-1' }],
    ],
    [
      'GET /api/v1/agents?pool=x',
      undefined,
      200,
      {
        agents: [{ name: 'echo', description: 'says it again', input_schema: { type: 'string' } }],
      },
      ['listAgents', 'x'],
    ],
    [
      'GET /api/v1/pool/stats',
      undefined,
      200,
      {
        instances: { total: 1, by_tier: { WARM: 1 }, by_state: { READY: 1 } },
        queue_depth: 0,
        requests: { succeeded: 1_099_511_627_776, failed: 1 },
        hit_rate: 0.5,
        connections: [{ runtime: 'runtime-1', state: 'ready', requests: 9, since: WALL_TEXT }],
      },
      ['stats', ''],
    ],
  ])('%s', async (...row) => {
    const [target, body, status, answer, asked] = row;
    const [method, url] = target.split(' ') as ['GET', string];
    const response = await ask(method, url, body);
    expect(service.asked).toEqual([asked]);
    expect(response.statusCode).toBe(status);
    expect(response.body === '' ? undefined : response.json()).toEqual(answer);
  });

  it('says where a created instance is, and 200 for one that was live', async () => {
    expect((await ask('POST', INSTANCES, { tenant: 't', project: 'p' })).headers['location']).toBe(
      ONE,
    );
    service.isCreated = false;
    expect((await ask('POST', INSTANCES, { tenant: 't', project: 'p' })).statusCode).toBe(200);
  });

  it('lists pools with their spec', async () => {
    expect((await ask('GET', '/api/v1/pools')).json()).toMatchObject({
      pools: [
        {
          name: 'pool',
          namespace: 'default',
          spec: { tiers: { default: 'WARM' } },
          quarantined: [{ tenant: 'acme', project: 'bad', state: 'open', retry_after_ms: 1_500 }],
        },
      ],
    });
  });

  it.each(['/metrics', '/api/v1/pool/metrics'])('%s is the text of the metrics', async (url) => {
    const response = await ask('GET', url);
    expect([response.statusCode, response.headers['content-type'], response.body]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
      '# HELP x y\n',
    ]);
  });

  it.each([
    ['UNKNOWN_INSTANCE', 404],
    ['STATE_CONFLICT', 409],
    ['STORE_UNAVAILABLE', 503],
    ['INTERNAL', 500],
  ] as const)('passes %s on as %s', async (reason, status) => {
    service.failure = new AppError(reason, 'because');
    const response = await ask('GET', ONE);
    expect([response.statusCode, response.json()]).toEqual([
      status,
      expect.objectContaining({
        reason,
        detail: 'because',
        request_id: response.headers['x-request-id'],
      }),
    ]);
  });

  it('hides what went wrong inside', async () => {
    service.failure = new TypeError('secret');
    const response = await ask('GET', ONE);
    expect([response.statusCode, response.body.includes('secret')]).toEqual([500, false]);
  });
});

describe('a hostile address', () => {
  it.each([
    [`${SITE}?pool=a&pool=b`, 400, 'pool: given twice in the query'],
    [`${SITE}?pool[]=a`, 400, 'pool[]: unknown field'],
    [`${SITE}?__proto__=a`, 400, '__proto__: is no field of a request'],
    [`${SITE}?pool=%ff`, 400, 'the query is not percent-encoded UTF-8'],
    [`${SITE}?pool=..%2f..`, 400, 'pool: must be the name of a pool'],
    [`${SITE}?${'a=1&'.repeat(40)}`, 400, 'more than 32 parameters'],
    [`${INSTANCES}?page_size=1e3`, 400, 'page_size: must be a whole number'],
    [`${INSTANCES}?page_size=99999999999`, 400, 'page_size: must be at most 4294967295'],
    [`${INSTANCES}?tier=hot`, 400, 'tier: must be one of HOT, WARM, COLD; did you mean HOT?'],
    [`${INSTANCES}?pagesize=1`, 400, 'pagesize: unknown field; did you mean "page_size"?'],
    ['/api/v1/projects/a%2Fb/p', 400, 'tenant: must be 1 to 253'],
    ['/api/v1/projects/t%00/p', 400, 'tenant: must be 1 to 253'],
    ['/api/v1/projects/%c3%a4/p', 400, 'tenant: must be 1 to 253'],
    ['/api/v1/projects/t%0d%0ax/p', 400, 'tenant: must be 1 to 253'],
    [`/api/v1/projects/${'a'.repeat(254)}/p`, 400, 'tenant: must be 1 to 253'],
    ['/api/v1/projects/%ff/p', 400, 'not a valid url'],
    ['/api/v1/projects/%zz/p', 400, 'not a valid url'],
    ['/api/v1/projects//p', 400, 'tenant: must be 1 to 253'],
    [`${INSTANCES}/${'a'.repeat(1_100)}`, 400, 'id: is no instance'],
    [`${INSTANCES}/${'a'.repeat(5_000)}`, 414, ''],
    ['/api/v1/projects/t', 404, 'nothing at GET /api/v1/projects/t'],
    ['/api/v1/projects/t/p/q', 404, 'nothing at'],
  ])('%s is answered with %s', async (url, status, detail) => {
    const response = await ask('GET', url);
    expect([response.statusCode, response.headers['content-type']]).toEqual([
      status,
      'application/problem+json; charset=utf-8',
    ]);
    expect(response.json<{ detail: string }>().detail).toContain(detail);
    expect(service.asked).toEqual([]);
  });

  it('may name the longest instance', async () => {
    const id = ['a'.repeat(63), 'b'.repeat(63), 'c'.repeat(253), 'd'.repeat(253)].join('~');
    expect((await ask('GET', `${INSTANCES}/${id}`)).statusCode).toBe(200);
    expect(
      (await ask('GET', `${INSTANCES}/${encodeURIComponent(id).replaceAll('~', '%7E')}`))
        .statusCode,
    ).toBe(200);
  });
});

describe('probes', () => {
  it('say that the process is alive', async () => {
    service.isReady = false;
    expect((await ask('GET', '/healthz')).json()).toEqual({ status: 'ok' });
  });

  it('say what is missing until tasks can be served', async () => {
    service.isReady = false;
    service.poolHealth = [];
    expect((await ask('GET', '/readyz')).json()).toEqual({
      status: 'unavailable',
      missing: ['store: no pool was read yet'],
    });
    service.poolHealth = [{ name: 'pool', isSuspended: false, readyRuntimes: 0 }];
    const missing = await ask('GET', '/readyz');
    expect([missing.statusCode, missing.json()]).toEqual([
      503,
      { status: 'unavailable', missing: ['pools: 1 of 1 have no ready runtime'] },
    ]);
    service.isReady = true;
    expect((await ask('GET', '/readyz')).statusCode).toBe(200);
  });

  it('say that the gateway stops', async () => {
    service.isReady = false;
    service.isLeaving = true;
    expect((await ask('GET', '/readyz')).json()).toEqual({
      status: 'unavailable',
      missing: ['gateway: stops'],
    });
    service.poolHealth = [];
    expect((await ask('GET', '/readyz')).json()).toMatchObject({ missing: ['gateway: stops'] });
  });

  it('tell the health of each pool', async () => {
    service.poolHealth = [
      { name: 'a', isSuspended: false, readyRuntimes: 2 },
      { name: 'b', isSuspended: true, readyRuntimes: 0 },
    ];
    const well = await ask('GET', '/api/v1/pool/health');
    expect([well.statusCode, well.json<{ status: string }>().status]).toEqual([200, 'ok']);
    service.poolHealth = [
      ...service.poolHealth,
      { name: 'c', isSuspended: false, readyRuntimes: 0 },
    ];
    const ill = await ask('GET', '/api/v1/pool/health');
    expect([ill.statusCode, ill.json()]).toEqual([
      503,
      {
        status: 'unavailable',
        pools: [
          { name: 'a', status: 'ok', ready_runtimes: 2 },
          { name: 'b', status: 'suspended', ready_runtimes: 0 },
          { name: 'c', status: 'unavailable', ready_runtimes: 0 },
        ],
        checks: [
          { name: 'store', ok: true, message: 'read' },
          { name: 'pools', ok: false, message: '1 of 3 have no ready runtime' },
        ],
      },
    ]);
  });
});

function tokens(role: Role): Access {
  return {
    isLocalOnly: false,
    authenticate: (authorization) => {
      if (authorization !== 'Bearer good')
        throw new AppError('TOKEN_INVALID', 'the token is not known here');
      return createPrincipal({ subject: 's', tenants: ['t'], role });
    },
    close: () => undefined,
  };
}

describe('with tokens', () => {
  const OPEN = ['/', '/healthz', '/readyz', '/openapi.json', '/docs/'];

  it('everything but pages and probes wants one, before it looks at anything else', async () => {
    await edge.close(0);
    await serve(tokens('admin'));
    for (const url of OPEN) expect([url, (await ask('GET', url)).statusCode]).toEqual([url, 200]);
    for (const url of [
      INSTANCES,
      ONE,
      '/metrics',
      '/api/v1/pool/health',
      '/api/v1/agents',
      `${SITE}?pool=a&pool=b`,
    ])
      expect([url, (await ask('GET', url)).statusCode]).toEqual([url, 401]);
    const refused = await ask(
      'POST',
      '/api/v1/execute',
      { nonsense: true },
      { authorization: 'Bearer bad' },
    );
    expect([
      refused.statusCode,
      refused.headers['www-authenticate'],
      refused.json<{ reason: string }>().reason,
    ]).toEqual([401, 'Bearer realm="agentpool"', 'TOKEN_INVALID']);
    expect(service.asked).toEqual([]);
  });

  it('any host may be asked, and a good token is let in', async () => {
    await edge.close(0);
    await serve(tokens('operator'));
    const headers = {
      authorization: 'Bearer good',
      host: 'gateway.example',
      origin: 'https://elsewhere.example',
    };
    expect((await ask('GET', INSTANCES, undefined, headers)).statusCode).toBe(200);
    expect((await ask('GET', '/metrics', undefined, headers)).statusCode).toBe(200);
  });

  it('numbers of the whole gateway are not for callers', async () => {
    await edge.close(0);
    await serve(tokens('caller'));
    for (const url of ['/metrics', '/api/v1/pool/metrics', '/api/v1/pool/health'])
      expect([
        url,
        (await ask('GET', url, undefined, { authorization: 'Bearer good' })).statusCode,
      ]).toEqual([url, 403]);
  });
});
