/** How a gateway in a cluster leaves: gently, and soon, also when machines are gone that it had links to. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runtimeRecord } from '../builders/gateway.ts';
import { GrpcClient, type Message, messagesOf, refusalOf } from './grpc-calls.ts';
import { call, execute, executeStream } from './http-calls.ts';
import { Installation, POOL } from './installation.ts';
import { destroyAll, type Server, startClusterGateway } from './server.ts';
import { silentPort } from './silent-port.ts';
import { until } from './until.ts';

let installation: Installation;

const startGateway = (...more: readonly string[]): Promise<Server> =>
  startClusterGateway([
    ...['--store', installation.folder('store'), '--link', installation.folder('link'), ...more],
  ]);

/** Beside the usual agents one that does not heed its cancellation. */
const LATE = `import agents from './agents.ts';
export default [
  ...agents,
  {
    name: 'deaf',
    async *process({ input: { ms } }, { state }) {
      yield 'begun';
      await new Promise((resolve) => setTimeout(resolve, ms));
      return { count: await state.update('count', (n = 0) => n + 1) };
    },
  },
];
`;

beforeAll(async () => {
  installation = await Installation.start();
  installation.workspace.write('agents/late.ts', LATE);
  await installation.publish({ limits: { cancelGraceSeconds: 30 } });
  const env = { AGENTPOOL_MODULE: './late.ts' };
  await installation.serving(await installation.startRuntime('main-s1', { env }));
}, 60_000);

afterAll(async () => {
  await destroyAll();
  await installation.stop();
});

it('serves on until nobody is sent to it, and says that it is not ready', async () => {
  const leaving = await startGateway('--leave-seconds', '6');
  const count = async (): Promise<unknown> =>
    (await execute(leaving, { agent: 'counter', input: '' })).output;
  expect(await count()).toEqual({ count: 1 });
  leaving.signal('SIGTERM');
  const toldMs = performance.now();
  const ready = () => fetch(`${leaving.http}/readyz`);
  const answer = await until('it is not ready', async () => {
    const found = await ready();
    return found.status === 503 && found;
  });
  // So that kept connections end between two requests, and not with one under way.
  expect(answer.headers.get('connection')).toBe('close');
  expect(await count()).toEqual({ count: 2 });
  expect(await leaving.exited).toEqual({ code: 0, signal: null });
  const tookMs = performance.now() - toldMs;
  expect(tookMs).toBeGreaterThan(5_900);
  expect(tookMs).toBeLessThan(25_000);
}, 60_000);

it('is not held by attempts to reach a runtime whose machine is gone', async () => {
  const gone = await silentPort();
  try {
    const record = runtimeRecord('gone', { pool: POOL, address: `127.0.0.1:${gone.port}` });
    await installation.store.heartbeat(record, 60_000);
    const gateway = await startGateway();
    await until('it tries', async () => {
      const { body } = await call<{ connections: { runtime: string }[] }>(
        gateway,
        '/api/v1/pool/stats',
      );
      return body.connections.some(({ runtime }) => runtime === 'gone');
    });
    gateway.signal('SIGTERM');
    const toldMs = performance.now();
    expect(await gateway.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - toldMs).toBeLessThan(4_000);
  } finally {
    gone.close();
  }
});

const REASON = 'DRAINING';
const LONG = {
  deaf: { ms: 60_000 },
  slow: { chunks: 60, everyMs: 1_000 },
};

describe('when the time of its tasks is up', () => {
  /** Of projects that begin so. */
  const busy = (gateway: Server, prefix: string, count = 1): Promise<unknown> =>
    until(
      `${count} tasks run`,
      async () => {
        const { body } = await call<{ instances: { project: string; state: string }[] }>(
          gateway,
          '/api/v1/pool/instances',
        );
        const ours = body.instances.filter(({ project }) => project.startsWith(prefix));
        return ours.filter(({ state }) => state === 'BUSY').length === count;
      },
      30_000,
    );

  it.each([
    ['heed their cancellation', 'slow'],
    ['do not', 'deaf'],
  ] as const)(
    'whoever waits for agents that %s is told, on every surface',
    async (_name, agent) => {
      const gateway = await startGateway('--drain-seconds', '1');
      const client = new GrpcClient(gateway.grpc);
      const task = (project: string): Message => ({ tenant: 'acme', project, agent });
      const http = (project: string) => ({ ...task(`${agent}-${project}`), input: LONG[agent] });
      const grpc = (project: string) => ({
        ...task(`${agent}-${project}`),
        request_id: project,
        json_utf8: Buffer.from(JSON.stringify(LONG[agent])),
      });
      for (const surface of ['rest', 'sse', 'unary', 'stream', 'duplex'])
        await execute(gateway, { project: `${agent}-${surface}`, agent: 'echo', input: 1 });
      const rest = call(gateway, '/api/v1/execute', { body: http('rest') });
      const events = executeStream(gateway, http('sse'));
      const unary = refusalOf(client.unary('Execute', grpc('unary')));
      const stream = refusalOf(messagesOf(client.stream('ExecuteStream', grpc('stream'))));
      const duplex = client.connect();
      duplex.write({ execute: grpc('duplex') });
      const messages = messagesOf(duplex);
      await busy(gateway, `${agent}-`, 5);
      gateway.signal('SIGTERM');
      const toldMs = performance.now();

      const retryable = { code: 'UNAVAILABLE', reason: REASON, retryAfterMs: 1_000 };
      expect(await rest).toMatchObject({
        status: 503,
        body: { code: 'UNAVAILABLE', reason: REASON, retry_after_ms: 1_000 },
      });
      expect((await events).at(-1)).toMatchObject({
        event: 'error',
        data: { reason: REASON, retry_after_ms: 1_000 },
      });
      expect(await unary).toMatchObject(retryable);
      expect(await stream).toMatchObject(retryable);
      expect((await messages).at(-1)).toMatchObject({
        request_id: 'duplex',
        error: { reason: REASON },
      });
      expect(await gateway.exited).toEqual({ code: 0, signal: null });
      expect(performance.now() - toldMs).toBeGreaterThan(900);
      expect(performance.now() - toldMs).toBeLessThan(20_000);
      client.close();
    },
    120_000,
  );

  it('a task that was under way takes effect once, sent again elsewhere', async () => {
    const [leaving, staying] = [await startGateway('--drain-seconds', '1'), await startGateway()];
    const task = { project: 'once', agent: 'deaf', request_id: 'once', input: { ms: 8_000 } };
    const body = { tenant: 'acme', ...task };
    const told = call(leaving, '/api/v1/execute', { body });
    await busy(staying, 'once');
    leaving.signal('SIGTERM');
    expect(await told).toMatchObject({ status: 503, body: { reason: REASON } });
    expect((await execute(staying, task)).output).toEqual({ count: 1 });
    const next = { ...task, request_id: 'next', input: { ms: 1 } };
    expect((await execute(staying, next)).output).toEqual({ count: 2 });
    expect((await execute(staying, task)).output).toEqual({ count: 1 });
  }, 120_000);

  it('is not held by a connection on which nothing is said', async () => {
    const gateway = await startGateway();
    const { hostname, port } = new URL(gateway.http);
    const silent = connect(Number(port), hostname);
    await once(silent, 'connect');
    gateway.signal('SIGTERM');
    const toldMs = performance.now();
    expect(await gateway.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - toldMs).toBeLessThan(20_000);
    silent.destroy();
  }, 60_000);
});
