/** How a gateway in a cluster leaves: gently, and soon, also when machines are gone that it had links to. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runtimeRecord } from '../builders/gateway.ts';
import { call, execute } from './http-calls.ts';
import { Installation, POOL } from './installation.ts';
import { destroyAll, type Server, startClusterGateway } from './server.ts';
import { silentPort } from './silent-port.ts';
import { until } from './until.ts';

let installation: Installation;

const startGateway = (...more: readonly string[]): Promise<Server> =>
  startClusterGateway([
    ...['--store', installation.folder('store'), '--link', installation.folder('link'), ...more],
  ]);

beforeAll(async () => {
  installation = await Installation.start();
  await installation.publish();
  await installation.serving(await installation.startRuntime('main-s1'));
}, 60_000);

afterAll(async () => {
  await destroyAll();
  await installation.stop();
});

it('serves on until nobody is sent to it, and says that it is not ready', async () => {
  const leaving = await startGateway('--leave-seconds', '2');
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
  expect(tookMs).toBeGreaterThan(1_900);
  expect(tookMs).toBeLessThan(6_000);
});

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
