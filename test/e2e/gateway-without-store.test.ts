/** A gateway that begins while Redis is away, or refuses it: alive, not ready, and ready by itself. Settings that are wrong end it at once. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { writeSecret } from '../builders/certificates.ts';
import { grpcHealth } from './grpc-health.ts';
import { call, execute } from './http-calls.ts';
import { Installation } from './installation.ts';
import { destroyAll, type Server, startClusterGateway } from './server.ts';
import { until } from './until.ts';

const WRONG = 'mistaken-horse';

let installation: Installation;

beforeAll(async () => {
  installation = await Installation.start();
}, 60_000);

afterAll(async () => {
  await destroyAll();
  await installation.stop();
});

const startGateway = (store = 'store'): Promise<Server> =>
  startClusterGateway([
    ...['--store', installation.folder(store), '--link', installation.folder('link')],
  ]);
const ready = (gateway: Server) => call<{ missing: string[] }>(gateway, '/readyz');
const isReady = async (gateway: Server): Promise<boolean> => (await ready(gateway)).status === 200;

async function expectAliveAndNotReady(gateway: Server): Promise<void> {
  expect((await call(gateway, '/healthz')).status).toBe(200);
  expect(await ready(gateway)).toMatchObject({
    status: 503,
    body: { missing: [expect.stringContaining('store')] },
  });
  expect(await grpcHealth(gateway.grpc)).toBe('NOT_SERVING');
  const body = { tenant: 'acme', project: 'docs', agent: 'echo', input: 1 };
  expect(await call(gateway, '/api/v1/execute', { body })).toMatchObject({
    status: 503,
    body: { reason: 'STORE_UNAVAILABLE', retry_after_ms: expect.any(Number) },
  });
}

it('serves as soon as Redis comes', async () => {
  await installation.redis.kill();
  const [staying, leaving] = await Promise.all([startGateway(), startGateway()]);
  await expectAliveAndNotReady(staying);
  leaving.signal('SIGTERM');
  expect(await leaving.exited).toEqual({ code: 0, signal: null });

  await installation.redis.start();
  await until('it is ready', () => isReady(staying), 20_000);
  expect(await grpcHealth(staying.grpc)).toBe('SERVING');
  await until('Redis answers the test', () => installation.store.listPools());
  await installation.publish();
  await installation.serving(await installation.startRuntime('main-s1'));
  await until('the pool is known', async () => {
    const { body } = await call<{ pools: unknown[] }>(staying, '/api/v1/pools');
    return body.pools.length > 0;
  });
  expect((await execute(staying, { agent: 'echo', input: 1 })).output).toBe(1);
  await staying.stop();
}, 120_000);

it('serves as soon as Redis knows its password', async () => {
  const { url } = installation.redis;
  writeSecret(installation.folder('refused'), { url, username: 'ours', password: WRONG });
  const gateway = await startGateway('refused');
  await expectAliveAndNotReady(gateway);
  await until('it says why', () => gateway.stderr().includes('check user and password'), 20_000);
  expect(gateway.stderr()).not.toContain(WRONG);
  await installation.redis.admin((redis) =>
    redis.call('ACL', 'SETUSER', 'ours', 'on', '>right', '~*', '&*', '+@all'),
  );
  writeSecret(installation.folder('refused'), { url, password: 'right' });
  await until('it is ready', () => isReady(gateway), 30_000);
  await gateway.stop();
}, 120_000);

it.each([
  ['without an address', { password: 'x' }, /store-password\/url is missing or empty/],
  ['with an address that is none', { url: 'http://redis' }, /the URL of Redis must be redis:/],
  ['with a prefix that is none', { url: 'redis://r', 'key-prefix': 'a b' }, /keyPrefix must match/],
  [
    'with certificates for a plain connection',
    { url: 'redis://r', 'ca.crt': 'x' },
    /TLS for Redis needs a URL that begins with rediss:/,
  ],
])('does not start %s', async (_name, files, says) => {
  const folder = ['store', ...Object.keys(files)].join('-');
  writeSecret(installation.folder(folder), { ...files });
  await expect(startGateway(folder)).rejects.toThrow(says);
});
