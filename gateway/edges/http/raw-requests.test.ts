import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../../platform/clock.ts';
import { silentLog } from '../../../platform/log.ts';
import { systemRandom } from '../../../platform/random.ts';
import { FakeHttpService } from '../../../test/fakes/fake-http-service.ts';
import { LOCAL_ACCESS } from '../../access/access.ts';
import type { HttpEdge } from './http-edge.ts';
import { createHttpEdge } from './http-gateway.ts';
import { ENVELOPE_BYTES_MAX } from './wire/server-options.ts';

const BODY_BYTES_MAX = 2_000 + ENVELOPE_BYTES_MAX;
const service = new FakeHttpService();
const { tasks } = service;
let edge: HttpEdge;
let port: number;

beforeAll(async () => {
  tasks.onStart = (task) => task.succeed();
  edge = await createHttpEdge({
    service,
    access: LOCAL_ACCESS,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
    requestBytesMax: () => 1_000,
    version: '1',
    metricsContentType: 'text/plain',
  });
  port = await edge.listen();
});
afterAll(() => edge.close(0));

/** Everything that the server says to these bytes until it, or a last `connection: close`, ends the connection. */
async function say(bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

const BODY = JSON.stringify({ tenant: 't', project: 'p', input: 'x' });
const HEAD =
  'POST /api/v1/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n';

describe('bytes on a socket', () => {
  it.each<[string, string, number]>([
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['an unknown method', 'BREW / HTTP/1.1\r\nhost: localhost\r\n\r\n', 400],
    ['another version', 'GET / HTTP/9.9\r\nhost: localhost\r\n\r\n', 400],
    ['no host', 'GET / HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
    [
      'headers that are too large',
      `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
    ],
    ['two lengths', `${HEAD}content-length: 5\r\ncontent-length: 6\r\n\r\n`, 400],
    ['a length and chunks', `${HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`, 400],
    ['a space in the target', 'GET /a b HTTP/1.1\r\nhost: localhost\r\n\r\n', 400],
    [
      'broken escapes in the path',
      'GET /%ff%zz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      400,
    ],
    [
      'a climb in the path',
      'GET /api/v1/projects/../p HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      400,
    ],
    [
      'an escaped climb in the path',
      'GET /api/v1/projects/%2e%2e/p HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      400,
    ],
    [
      'a climb out of the pages',
      'GET /docs/static/../../package.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      403,
    ],
    [
      'an escaped climb out of the pages',
      'GET /docs/static/%2e%2e/package.json HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n',
      403,
    ],
    ['a null byte in a header', 'GET / HTTP/1.1\r\nhost: localhost\r\nx: a\u0000b\r\n\r\n', 400],
    [
      'an absolute target of another host',
      'GET http://evil.example/ HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n',
      403,
    ],
  ])('that are %s get an answer', async (_, bytes, status) => {
    const answer = await say(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it('that announce too large a body get 413 before it is read', async () => {
    expect(await say(`${HEAD}content-length: ${10 * BODY_BYTES_MAX}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 413 [\s\S]*PAYLOAD_TOO_LARGE/,
    );
  });

  it('that come in chunks without end get 413 at the limit', async () => {
    const chunk = `${(50_000).toString(16)}\r\n${'x'.repeat(50_000)}\r\n`;
    expect(
      await say(`${HEAD}transfer-encoding: chunked\r\n\r\n${chunk.repeat(3)}0\r\n\r\n`),
    ).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('that stop in the middle of a body start no task', async () => {
    const before = tasks.started.length;
    const socket = connect(port, '127.0.0.1');
    socket.end(`${HEAD}content-length: ${BODY.length}\r\n\r\n${BODY.slice(0, 10)}`);
    socket.resume();
    await once(socket, 'close');
    expect(tasks.started).toHaveLength(before);
  });

  it('that hold two requests get two answers', async () => {
    const first = `POST /api/v1/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;
    const answers = await say(`${first}${HEAD}content-length: ${BODY.length}\r\n\r\n${BODY}`);
    expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  });

  it('that hold a second request after a refused body are still told apart', async () => {
    const big = 'x'.repeat(3 * BODY_BYTES_MAX);
    const first = `POST /api/v1/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${big.length}\r\n\r\n${big}`;
    const answers = await say(`${first}${HEAD}content-length: ${BODY.length}\r\n\r\n${BODY}`);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
  });
});
