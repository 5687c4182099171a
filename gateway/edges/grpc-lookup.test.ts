/** Callers who must be asked about elsewhere (Kubernetes), which takes a while: on every kind of method. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import { testGateway, type TestGateway } from '../../test/builders/gateway.ts';
import { GrpcClient, messagesOf } from '../../test/e2e/grpc-calls.ts';
import { type Access, LOCAL_ACCESS } from '../access/access.ts';
import type { Principal } from '../access/principal.ts';
import { type GrpcGateway, startGrpcGateway } from './grpc-server.ts';

const TASK = { tenant: 'acme', project: 'site', agent: 'echo', text: 'hello' };

let gateway: TestGateway;
let server: GrpcGateway;
let client: GrpcClient;
let lookUp: () => Promise<Principal>;

beforeEach(async () => {
  lookUp = () => new Promise((resolve) => setImmediate(resolve, LOCAL_ACCESS.authenticate()));
  const access: Access = {
    isLocalOnly: false,
    authenticate: () => lookUp(),
    close: () => undefined,
  };
  gateway = await testGateway();
  gateway.link('a').onTask = (task) => task.start().finish(Buffer.from(task.body).toString());
  server = await startGrpcGateway(
    { access, clock: systemClock, log: silentLog, service: gateway.service },
    { address: '127.0.0.1:0' },
  );
  client = new GrpcClient(server.address);
});
afterEach(async () => {
  client.close();
  await server.stop(0);
  gateway.core.stop();
});

describe('a caller who is looked up', () => {
  it('is served by methods with one answer and with many', async () => {
    expect(await client.unary('Execute', TASK)).toMatchObject({ text: 'hello' });
    expect(await client.unary('ListAgents', {})).toMatchObject({ agents: [{ name: 'echo' }, {}] });
    const events = await messagesOf(client.stream('ExecuteStream', TASK));
    expect(events.map(({ event }) => event)).toEqual(['start', 'result']);
  });

  it('has its tasks on Connect started in the order in which they were sent', async () => {
    const duplex = client.connect();
    const ids = Array.from({ length: 20 }, (_, index) => `r-${index}`);
    for (const request_id of ids) duplex.write({ execute: { ...TASK, request_id } });
    duplex.end();
    const events = await messagesOf(duplex);
    const idsOf = (wanted: string) =>
      events.filter(({ event }) => event === wanted).map(({ request_id }) => request_id);
    expect(idsOf('start')).toEqual(ids);
    expect(idsOf('result').sort()).toEqual([...ids].sort());
  });

  it('is refused by each task of Connect once nobody knows it any more', async () => {
    const duplex = client.connect();
    duplex.write({ execute: { ...TASK, request_id: 'one' } });
    const events: unknown[] = [];
    for await (const { event, request_id, error } of duplex) {
      events.push([request_id, event, (error as { reason?: string } | null)?.reason]);
      if (event === 'result') {
        lookUp = () => Promise.reject(new AppError('TOKEN_INVALID', 'withdrawn'));
        duplex.write({ execute: { ...TASK, request_id: 'two' } });
        duplex.end();
      }
    }
    expect(events.at(-1)).toEqual(['two', 'error', 'TOKEN_INVALID']);
  });

  it('is not told that its token is wrong when nobody can be asked', async () => {
    lookUp = () =>
      Promise.reject(new AppError('ACCESS_UNAVAILABLE', 'away', { retryAfterMs: 1_000 }));
    const calls = [
      () => client.unary('Execute', TASK),
      () => client.unary('ListAgents', {}),
      () => messagesOf(client.stream('ExecuteStream', TASK)),
      () => messagesOf(client.connect()),
    ];
    for (const refused of calls)
      await expect(refused()).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        reason: 'ACCESS_UNAVAILABLE',
        retryAfterMs: 1_000,
      });
  });
});
