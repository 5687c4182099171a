/** Many tasks on one stream: matched by request_id, refused one by one, cancelled whatever else waits. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import type { ExecuteEvent } from '../../proto/generated/messages.ts';
import { testGateway, type TestGateway } from '../../test/builders/gateway.ts';
import { GrpcClient, type Message, messagesOf } from '../../test/e2e/grpc-calls.ts';
import { LOCAL_ACCESS } from '../access/access.ts';
import { CONNECT_TASKS_MAX } from './grpc-connect.ts';
import { type GrpcGateway, startGrpcGateway } from './grpc-server.ts';

const TASK = {
  tenant: 'acme',
  project: 'site',
  agent: 'echo',
  request_id: 'r-1',
  text: 'hello',
};

let gateway: TestGateway;
let server: GrpcGateway;
let client: GrpcClient;

beforeEach(async () => {
  gateway = await testGateway();
  server = await startGrpcGateway(
    { access: LOCAL_ACCESS, clock: systemClock, log: silentLog, service: gateway.service },
    { address: '127.0.0.1:0' },
  );
  client = new GrpcClient(server.address);
});
afterEach(async () => {
  client.close();
  await server.stop(0);
  gateway.core.stop();
});

describe('Connect', () => {
  it('answers many tasks as they are ready, each by its request_id', async () => {
    gateway.link('a').onTask = (task) => task.start();
    const duplex = client.connect();
    for (const request_id of ['1', '2']) duplex.write({ execute: { ...TASK, request_id } });
    const events: string[] = [];
    for await (const { event, request_id, sequence } of duplex as AsyncIterable<ExecuteEvent>) {
      events.push(`${request_id} ${event} ${sequence}`);
      if (events.length === 2)
        for (const task of [...gateway.link('a').unfinished].reverse()) task.finish();
      if (events.length === 4) duplex.end();
    }
    expect(events).toEqual(['1 start 1', '2 start 1', '2 result 2', '1 result 2']);
  });

  it.each<[string, object, string, string]>([
    ['a request_id in flight twice', { execute: TASK }, 'REQUEST_ID_REUSED', 'r-1'],
    ['no request_id', { execute: { ...TASK, request_id: '' } }, 'INVALID_FIELD', ''],
    ['an answer', { answer: { ref: { request_id: 'x' } } }, 'UNIMPLEMENTED', 'x'],
    ['nothing', {}, 'INVALID_FIELD', ''],
    [
      'an invalid task',
      { execute: { ...TASK, request_id: 'x', tenant: '' } },
      'INVALID_FIELD',
      'x',
    ],
  ])('answers %s with a TaskError, and goes on', async (_name, message, reason, requestId) => {
    gateway.link('a').onTask = () => undefined;
    const duplex = client.connect();
    duplex.write({ execute: TASK });
    duplex.write(message as Message);
    duplex.end();
    const ends: unknown[] = [];
    for await (const { event, error, request_id } of duplex as AsyncIterable<ExecuteEvent>) {
      ends.push([request_id, event, error?.reason ?? '']);
      if (event === 'error') gateway.link('a').task.finish();
    }
    expect(ends).toEqual([
      [requestId, 'error', reason],
      ['r-1', 'result', ''],
    ]);
  });

  it('cancels the one that is named, and all when the client leaves', async () => {
    gateway.link('a').onTask = (task) => task.start();
    const duplex = client.connect();
    duplex.on('error', () => undefined);
    for (const request_id of ['1', '2']) duplex.write({ execute: { ...TASK, request_id } });
    const cancelled = (requestId: string): Promise<void> =>
      until(() =>
        gateway
          .link('a')
          .sent.some(({ header, cancels }) => header.requestId === requestId && cancels.length > 0),
      );
    await until(() => gateway.link('a').sent.length === 2);
    duplex.write({ cancel: { request_id: '2' } });
    await cancelled('2');
    expect(gateway.link('a').sent[0]?.cancels).toEqual([]);
    duplex.cancel();
    await cancelled('1');
  });

  it('says that the gateway goes, and ends when its tasks have', async () => {
    gateway.link('a').onTask = () => undefined;
    const duplex = client.connect();
    duplex.write({ execute: TASK });
    const events = messagesOf(duplex);
    await until(() => gateway.link('a').unfinished.size === 1);
    const stopped = server.stop(5_000);
    await new Promise((resolve) => duplex.once('data', resolve));
    gateway.link('a').task.finish();
    await stopped;
    await events.catch(() => undefined);
  });

  it('hears cancels, and answers new tasks with DRAINING, until it has gone', async () => {
    gateway.link('a').onTask = () => undefined;
    const duplex = client.connect();
    duplex.write({ execute: TASK });
    const told: string[] = [];
    duplex.on('error', () => undefined);
    duplex.on('data', ({ event, request_id, error }: ExecuteEvent) => {
      told.push([event, request_id, error?.reason ?? ''].join(' ').trim());
    });
    await until(() => gateway.link('a').unfinished.size === 1);
    const stopped = server.stop(5_000);
    await until(() => told.includes('go_away'));
    duplex.write({ execute: { ...TASK, request_id: 'late' } });
    await until(() => told.includes('error late DRAINING'));
    duplex.write({ cancel: { request_id: TASK.request_id } });
    await until(() => gateway.link('a').task.cancels.length === 1);
    gateway.link('a').task.fail(new AppError('CANCELLED', 'cancelled'));
    await stopped;
    expect(told).toContain(`error ${TASK.request_id} CANCELLED`);
  });

  it('refuses the task after the last that one stream may have, and still hears its cancels', async () => {
    gateway.link('a').onTask = () => undefined;
    const duplex = client.connect();
    duplex.on('error', () => undefined);
    const refused = new Promise<ExecuteEvent>((resolve) => {
      duplex.once('data', resolve);
    });
    for (let n = 0; n <= CONNECT_TASKS_MAX; n += 1)
      duplex.write({ execute: { ...TASK, request_id: `${n}` } });
    const { request_id: requestId, error } = await refused;
    expect([requestId, error?.reason]).toEqual([`${CONNECT_TASKS_MAX}`, 'QUEUE_FULL']);
    duplex.write({ cancel: { request_id: '7' } });
    await until(() =>
      gateway
        .link('a')
        .sent.some(({ header, cancels }) => header.requestId === '7' && cancels.length > 0),
    );
    duplex.cancel();
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await systemClock.sleep(2);
}
