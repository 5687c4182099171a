import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
} from 'node:http2';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import { agentPoolService } from '../../proto/load.ts';
import { testGateway, type TestGateway } from '../../test/builders/gateway.ts';
import { LOCAL_ACCESS } from '../access/access.ts';
import { startGrpcGateway, type GrpcGateway } from './grpc-server.ts';

const KB = 1_024;
const TASK = { tenant: 'acme', project: 'site', agent: 'echo', text: 'x' };

let gateway: TestGateway;
let server: GrpcGateway;
/** Of a client that lets one byte of each call through, and no more. */
let session: ClientHttp2Session;
let timersBefore: number;

/** A gateway whose tasks answer with so many bytes at once. */
async function serve(answerBytes: number, clock?: Clock): Promise<void> {
  gateway = await testGateway();
  gateway.link('a').onTask = (task) => task.start().finish('x'.repeat(answerBytes));
  const edge = { access: LOCAL_ACCESS, log: silentLog, service: gateway.service };
  server = await startGrpcGateway(
    { ...edge, clock: clock ?? gateway.clock },
    { address: '127.0.0.1:0' },
  );
  timersBefore = gateway.clock.pendingTimers;
  session = connectHttp2(`http://${server.address}`, { settings: { initialWindowSize: 1 } });
  session.on('error', () => undefined);
}

afterEach(async () => {
  session.destroy();
  await server.stop(0);
  gateway.core.stop();
});

function open(
  method: string,
  messages: readonly object[],
  headers: Readonly<Record<string, string>> = {},
): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/agentpool.v1.AgentPoolService/${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => undefined);
  for (const message of messages) stream.write(framed(method, message));
  if (method !== 'Connect') stream.end();
  return stream;
}

function framed(method: string, message: object): Buffer {
  const bytes = agentPoolService[method]?.requestSerialize(message) ?? Buffer.alloc(0);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Also where it ends in an error. */
const closeOf = (stream: ClientHttp2Stream): Promise<void> =>
  new Promise((resolve) => stream.once('close', resolve));

/** What the gateway had said by now has arrived here. */
const roundTrip = (): Promise<unknown> => new Promise((resolve) => session.ping(resolve));

describe('a client that takes one byte of its answer', () => {
  it.each([
    ['Execute', TASK, 256, 34_000],
    ['Execute', TASK, 4, 30_000],
    ['ExecuteStream', TASK, 256, 34_000],
    ['Connect', { execute: { ...TASK, request_id: 'r-1' } }, 256, 34_000],
  ])('%s %j, of %i KiB: is cut off after %i ms', async (method, message, kilobytes, ms) => {
    await serve(kilobytes * KB);
    const stream = open(method, [message]);
    await once(stream, 'readable');
    const closed = closeOf(stream);
    await gateway.clock.advance(ms - 1_000);
    await roundTrip();
    expect(stream.closed).toBe(false);
    await gateway.clock.advance(2_000);
    await closed;
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect(gateway.clock.pendingTimers).toBe(timersBefore);
    expect(gateway.service.tasks.active).toBe(0);
  });

  it.each([
    ['Execute', TASK],
    ['ExecuteStream', TASK],
    ['Connect', { execute: { ...TASK, request_id: 'r-1' } }],
  ])('%s %j: is cut off when its deadline has passed', async (method, message) => {
    await serve(256 * KB, systemClock);
    const stream = open(method, [message], { 'grpc-timeout': '300m' });
    await once(stream, 'readable');
    await closeOf(stream);
    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  it('and sends more and more tasks on Connect: they are not read until it takes their answers', async () => {
    await serve(256 * KB);
    const task = (i: number): object => ({ execute: { ...TASK, request_id: `r-${i}` } });
    const tasks = Array.from({ length: 200 }, (_, i) => framed('Connect', task(i)));
    const stream = open('Connect', []);
    for (const one of tasks.slice(0, 20)) stream.write(one);
    await once(stream, 'readable');
    await roundTrip();
    for (const one of tasks.slice(20)) stream.write(one);
    for (let trip = 0; trip < 5; trip += 1) await roundTrip();
    expect(gateway.link('a').sent.length).toBe(20);
  });
});

describe('a client that takes its answers', () => {
  it('leaves no timer behind', async () => {
    await serve(256 * KB);
    session.destroy();
    session = connectHttp2(`http://${server.address}`);
    for (const method of ['Execute', 'ExecuteStream']) {
      const stream = open(method, [TASK]);
      stream.resume();
      await closeOf(stream);
      expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
    }
    expect(gateway.clock.pendingTimers).toBe(timersBefore);
  });
});
