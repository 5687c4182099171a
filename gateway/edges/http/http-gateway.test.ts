import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../core/errors.ts';
import { silentLog } from '../../../platform/log.ts';
import { systemRandom } from '../../../platform/random.ts';
import { testGateway, type TestGateway } from '../../../test/builders/gateway.ts';
import { settle } from '../../../test/fakes/fake-clock.ts';
import { type Access, LOCAL_ACCESS } from '../../access/access.ts';
import { createPrincipal } from '../../access/principal.ts';
import type { HttpEdge } from './http-edge.ts';
import { createHttpEdge, startHttpGateway } from './http-gateway.ts';

let gateway: TestGateway;
let edge: HttpEdge;

function optionsOf({ service, clock, metrics }: TestGateway, access: Access = LOCAL_ACCESS) {
  return {
    service,
    access,
    clock,
    random: systemRandom,
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
    requestBytesMax: () => 10_000,
    version: '1',
    metricsContentType: metrics.contentType,
  };
}

beforeEach(async () => {
  gateway = await testGateway({ limits: { requestBytesMax: 2_000 } });
  edge = await createHttpEdge(optionsOf(gateway));
});
afterEach(async () => {
  await edge.close(0);
  gateway.core.stop();
});

function execute(more: object = {}, headers: Record<string, string> = {}) {
  return edge.app.inject({
    method: 'POST',
    url: '/api/v1/execute',
    headers: { host: 'localhost', 'content-type': 'application/json', ...headers },
    payload: { tenant: 'acme', project: 'site', input: { a: 1 }, request_id: 'r-1', ...more },
  });
}

describe('the HTTP edge on the real service', () => {
  it('runs a task through the stages and back', async () => {
    gateway.link('a').onTask = (task) => {
      expect(task.header).toMatchObject({
        project: 'default~main~acme~site',
        agent: 'echo',
        requestId: 'r-1',
        arm: 'json_utf8',
        stream: false,
      });
      task.start().finish(Buffer.from(task.body).toString(), { arm: 'json_utf8' });
    };
    const response = await execute();
    expect([response.statusCode, response.json()]).toEqual([
      200,
      expect.objectContaining({
        request_id: 'r-1',
        agent: 'echo',
        tier: 'WARM',
        output: { a: 1 },
        connection_reused: false,
      }),
    ]);
  });

  it('streams its events', async () => {
    gateway.link('a').onTask = (task) => {
      expect(task.header.stream).toBe(true);
      task.start().chunk('hel').chunk('lo').finish('hello');
    };
    const response = await execute({}, { accept: 'text/event-stream' });
    expect([...response.body.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name)).toEqual([
      'start',
      'chunk',
      'chunk',
      'result',
    ]);
    await settle();
    expect(gateway.link('a').sent[0]?.consumedBytes).toBe(5);
  });

  it.each<[string, object, number, string]>([
    ['an unknown pool', { pool: 'other' }, 404, 'UNKNOWN_POOL'],
    ['an unknown agent', { agent: 'nobody' }, 404, 'UNKNOWN_AGENT'],
    ["an input over the pool's limit", { input: 'x'.repeat(2_001) }, 413, 'PAYLOAD_TOO_LARGE'],
    ['reserved metadata', { metadata: { 'agentpool-x': '1' } }, 400, 'INVALID_FIELD'],
    ['an error of the runtime', {}, 409, 'PAUSED'],
  ])('tells %s as a problem', async (_, more, status, reason) => {
    gateway.link('a').onTask = (task) => {
      task.fail(new AppError('PAUSED', 'the project is paused'));
    };
    const response = await execute(more);
    expect([response.statusCode, response.json()]).toEqual([
      status,
      expect.objectContaining({ status, reason, request_id: 'r-1' }),
    ]);
  });

  it('counts what it did', async () => {
    gateway.link('a').onTask = (task) => {
      task.start().finish();
    };
    gateway.link('a').onCall = () => [];
    await execute();
    const stats = await edge.app.inject({
      url: '/api/v1/pool/stats',
      headers: { host: 'localhost' },
    });
    expect(stats.json()).toMatchObject({
      requests: { succeeded: 1, failed: 0 },
      connections: [{ runtime: 'a', state: 'ready', requests: 1 }],
    });
    const metrics = await edge.app.inject({ url: '/metrics', headers: { host: 'localhost' } });
    expect(metrics.body).toContain(
      'agent_pool_requests_total{namespace="default",pool="main",status="success"} 1',
    );
  });

  it('keeps a tenant to itself, on every route that names one', async () => {
    await edge.close(0);
    const principal = createPrincipal({ subject: 's', tenants: ['other'], role: 'operator' });
    edge = await createHttpEdge(
      optionsOf(gateway, { ...LOCAL_ACCESS, isLocalOnly: false, authenticate: () => principal }),
    );
    expect((await execute()).statusCode).toBe(403);
    const paths = [
      '/api/v1/projects/acme/site',
      '/api/v1/projects/acme/site/tier',
      '/api/v1/projects/acme/site/conversations',
      '/api/v1/projects/acme/site/conversations/c',
      '/api/v1/pool/instances/default~main~acme~site',
      '/api/v1/pool/instances?tenant=acme',
    ];
    for (const url of paths)
      expect([url, (await edge.app.inject({ url })).statusCode]).toEqual([url, 403]);
  });
});

describe('the HTTP gateway', () => {
  it('listens on a free port, and says clearly when a port is taken', async () => {
    const first = await startHttpGateway(optionsOf(gateway));
    expect((await fetch(`http://127.0.0.1:${first.port}/healthz`)).status).toBe(200);
    await expect(startHttpGateway({ ...optionsOf(gateway), port: first.port })).rejects.toThrow(
      'EADDRINUSE',
    );
    await first.stop(0);
    await expect(fetch(`http://127.0.0.1:${first.port}/healthz`)).rejects.toThrow();
  });
});
