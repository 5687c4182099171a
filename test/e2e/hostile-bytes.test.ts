import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { GrpcClient } from './grpc-calls.ts';
import { GuardedServer, HOSTILE } from './guarded-server.ts';
import { destroyAll } from './server.ts';
import { until } from './until.ts';

/** Two cores, and other work on them. */
jest.setTimeout(120_000);

let guarded: GuardedServer;
/** Connections that say nothing more: they are there while the others are tried. */
const silent: Socket[] = [];

beforeAll(async () => {
  guarded = await GuardedServer.start();
});
afterEach(() => guarded.noBystanderSawAnything());
afterAll(async () => {
  for (const socket of silent) socket.destroy();
  await guarded.finish();
});
afterAll(destroyAll);

type Surface = 'http' | 'grpc';

function dial(surface: Surface): Socket {
  const { port, hostname } = new URL(
    surface === 'http' ? guarded.server.http : `http://${guarded.server.grpc}`,
  );
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  return socket;
}

/** Whatever the reason. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const HEAD =
  'POST /api/v1/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
/** Length, type, flags and stream of an HTTP/2 frame. */
const frame = (length: number, type: number, stream: number, body = ''): Buffer =>
  Buffer.concat([
    Buffer.from([length >> 16, (length >> 8) & 255, length & 255, type, 4, 0, 0, 0, stream]),
    Buffer.from(body),
  ]);
const settled = Buffer.concat([Buffer.from(PREFACE), frame(0, 4, 0)]);

const GARBAGE: readonly (readonly [string, string | Buffer])[] = [
  ['HTTP/1', 'GET /healthz HTTP/1.0\r\n\r\n'],
  ['HTTP/1 without end', `GET /${'a'.repeat(100_000)}`],
  ['a hello of TLS', Buffer.from('160301020001000201fc0303' + 'ab'.repeat(200), 'hex')],
  ['random bytes', randomBytes(10_000)],
  ['zeros', Buffer.alloc(10_000)],
  ['a preface alone, then text', `${PREFACE}hello, is anybody there?`],
  [
    'a frame beyond every size',
    Buffer.concat([settled, frame(0xffffff, 0, 1), randomBytes(1_000)]),
  ],
  ['data of a stream that never was', Buffer.concat([settled, frame(5, 0, 7, 'hello')])],
  ['headers that are none', Buffer.concat([settled, frame(8, 1, 1, '\u0000!!!!!!!')])],
  [
    'thousands of settings',
    Buffer.concat([settled, ...Array.from({ length: 20_000 }, () => frame(0, 4, 0))]),
  ],
  ['two lengths', `${HEAD}content-length: 5\r\ncontent-length: 7\r\n\r\nhello`],
  [
    'a length and chunks',
    `${HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ['a chunk of no size', `${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\nhello`],
];

describe.each<Surface>(['http', 'grpc'])('bytes to the port of %s', (surface) => {
  it.each(GARBAGE)('%s end that connection alone', async (_what, bytes) => {
    const socket = dial(surface);
    socket.resume();
    socket.write(bytes);
    // What may be half of something valid is ended by the other side.
    socket.end();
    await closed(socket);
  });

  it('connections that are closed at once, by the hundred, leave nothing', async () => {
    await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const socket = dial(surface);
        const end = closed(socket);
        if (i % 3 === 0) socket.write(surface === 'http' ? HEAD : PREFACE);
        socket.once('connect', () => (i % 2 === 0 ? socket.destroy() : socket.resetAndDestroy()));
        await end;
      }),
    );
  });

  it('half a request and then silence holds up nobody', async () => {
    for (let i = 0; i < 20; i += 1) {
      const socket = dial(surface);
      silent.push(socket);
      socket.write(surface === 'http' ? `${HEAD}content-length: 100\r\n\r\n{"tenant":` : settled);
      await once(socket, 'connect');
    }
  });
});

describe('calls that only other clients send over HTTP/2', () => {
  /** Status and gRPC status of a call with these headers and bytes. */
  async function send(headers: Record<string, string>, body: Buffer): Promise<[number, number]> {
    const session = connectHttp2(`http://${guarded.server.grpc}`);
    const path = '/agentpool.v1.AgentPoolService/Execute';
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    const answer = { status: 0, grpcStatus: -1 };
    stream.on('response', (sent) => {
      answer.status = Number(sent[':status']);
      answer.grpcStatus = Number(sent['grpc-status'] ?? -1);
    });
    stream.on('trailers', (sent: IncomingHttpHeaders) => {
      answer.grpcStatus = Number(sent['grpc-status'] ?? -1);
    });
    stream.on('error', () => undefined);
    stream.resume();
    stream.end(body);
    await until('the stream is closed', () => stream.closed);
    session.destroy();
    return [answer.status, answer.grpcStatus];
  }

  const prefixed = (flag: number, length: number, body = ''): Buffer => {
    const head = Buffer.alloc(5);
    head.writeUInt8(flag);
    head.writeUInt32BE(length, 1);
    return Buffer.concat([head, Buffer.from(body)]);
  };

  it.each<[string, Record<string, string>, Buffer, number[]]>([
    ['no time at all', { 'grpc-timeout': '1n' }, prefixed(0, 0), [200, 4]],
    ['a time-out that is none', { 'grpc-timeout': 'soon' }, prefixed(0, 0), [200, 13]],
    ['another content type', { 'content-type': 'text/plain' }, prefixed(0, 0), [415, -1]],
    [
      'an unknown method',
      { ':path': '/agentpool.v1.AgentPoolService/Nope' },
      prefixed(0, 0),
      [200, 12],
    ],
    ['a path that is none', { ':path': '/../../etc/passwd' }, prefixed(0, 0), [200, 12]],
    ['an unknown encoding', { 'grpc-encoding': 'zstd' }, prefixed(1, 4, 'abcd'), [200, 12]],
    ['a message of four gigabytes', {}, prefixed(0, 0xffffffff, 'abc'), [200, 8]],
    ['two messages', {}, Buffer.concat([prefixed(0, 0), prefixed(0, 0)]), [200, 12]],
    ['no message', {}, Buffer.alloc(0), [200, 12]],
  ])('%s', async (_what, headers, body, expected) => {
    expect(await send(headers, body)).toEqual(expected);
  });

  it('a call that is served beside all of them', async () => {
    const client = new GrpcClient(guarded.server.grpc);
    const task = { ...HOSTILE, agent: 'echo', text: 'x' };
    expect(await client.unary('Execute', task)).toMatchObject({ text: 'x' });
    client.close();
  });
});
