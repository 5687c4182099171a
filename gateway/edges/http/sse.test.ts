import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../core/errors.ts';
import { silentLog } from '../../../platform/log.ts';
import { systemRandom } from '../../../platform/random.ts';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { type FakeTask, FakeTasks } from '../../../test/fakes/fake-tasks.ts';
import { LOCAL_ACCESS } from '../../access/access.ts';
import { HttpEdge } from './http-edge.ts';
import { executeRoute } from './routes/execute-route.ts';
import { COMMENT_INTERVAL_MS, END_GRACE_MS } from './wire/sse-writer.ts';

const STREAMS_MAX = 2;
let clock: FakeClock;
let tasks: FakeTasks;
let edge: HttpEdge;
let port: number;

beforeEach(async () => {
  clock = new FakeClock();
  tasks = new FakeTasks();
  const routes = [executeRoute({ tasks, random: systemRandom, streamsMax: STREAMS_MAX })];
  const options = {
    access: LOCAL_ACCESS,
    clock,
    random: systemRandom,
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
    version: '1',
  };
  edge = await HttpEdge.create({ ...options, routes, bodyBytesMax: () => 10_000 });
  port = await edge.listen();
});
afterEach(async () => {
  const closed = edge.close(1);
  await clock.advance(1);
  await closed;
});

const GOOD = { tenant: 't', project: 'p', input: 'x', request_id: 'r-1' };

interface Opened {
  readonly response: Promise<IncomingMessage>;
  /** The client goes away without a word. */
  readonly vanish: () => void;
}

function open(
  body: object = GOOD,
  headers: Record<string, string> = { accept: 'text/event-stream' },
): Opened {
  const request = httpRequest({
    port,
    method: 'POST',
    path: '/api/v1/execute',
    headers: { 'content-type': 'application/json', ...headers },
  });
  request.on('error', () => undefined);
  request.end(JSON.stringify(body));
  const response = once(request, 'response').then(([message]) => message as IncomingMessage);
  response.catch(() => undefined);
  return { response, vanish: () => request.destroy() };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Until something on the other side of a real socket has happened. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settle();
}

async function begin(body?: object): Promise<{ readonly task: FakeTask; readonly opened: Opened }> {
  const started = tasks.next();
  const opened = open(body);
  return { task: await started, opened };
}

/** As browsers read it (WHATWG HTML, 9.2.6). */
function parseEvents(
  text: string,
): { readonly event: string; readonly id: string; readonly data: unknown }[] {
  return text
    .split('\n\n')
    .filter((block) => block !== '' && !block.startsWith(':'))
    .map((block) => {
      const lines = block
        .split('\n')
        .map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]);
      const fields = Object.fromEntries(lines);
      expect(lines).toHaveLength(3);
      return {
        event: fields['event'] ?? '',
        id: fields['id'] ?? '',
        data: JSON.parse(fields['data'] ?? '') as unknown,
      };
    });
}

describe('a task as server-sent events', () => {
  it('is told from its start to its result', async () => {
    const { task, opened } = await begin();
    task.start();
    task.chunk('hel');
    task.chunk('{"a":\r\n1.0}', 'json_utf8');
    task.succeed('hello');
    const response = await opened.response;
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-request-id': expect.any(String) as unknown,
    });
    const common = {
      conversation_id: 'c-1',
      instance_id: 'default~pool~t~p',
      agent: 'echo',
      tier: 'WARM',
    };
    expect(parseEvents(await textOf(response))).toEqual([
      {
        event: 'start',
        id: '1',
        data: { request_id: 'r-1', sequence: 1, ...common, time: '2025-06-15T15:06:40.000Z' },
      },
      {
        event: 'chunk',
        id: '2',
        data: { request_id: 'r-1', sequence: 2, text: 'hel', kind: 'TEXT' },
      },
      {
        event: 'chunk',
        id: '3',
        data: { request_id: 'r-1', sequence: 3, json: { a: 1 }, kind: 'DATA' },
      },
      {
        event: 'result',
        id: '4',
        data: {
          request_id: 'r-1',
          sequence: 4,
          ...common,
          output: 'hello',
          timings: { queue_ms: 1, activate_ms: 0, run_ms: 2.5 },
          connection_reused: true,
          replayed: false,
        },
      },
    ]);
  });

  it('is one result where the answer was recorded before', async () => {
    const { task, opened } = await begin();
    task.succeed();
    expect(
      parseEvents(await textOf(await opened.response)).map(({ event, id }) => [event, id]),
    ).toEqual([['result', '1']]);
  });

  it('fails before its first event as a plain problem', async () => {
    const { task, opened } = await begin();
    task.fail(new AppError('PAUSED', 'the project is paused'));
    const response = await opened.response;
    expect([response.statusCode, response.headers['content-type']]).toEqual([
      409,
      'application/problem+json; charset=utf-8',
    ]);
    expect(JSON.parse(await textOf(response))).toMatchObject({
      reason: 'PAUSED',
      request_id: 'r-1',
    });
  });

  it('fails after its first event as an error event', async () => {
    const { task, opened } = await begin();
    task.start();
    task.fail(
      new AppError('RUNTIME_LOST', 'the runtime was lost', {
        retryAfterMs: 10,
        metadata: { k: 'v' },
      }),
    );
    const last = parseEvents(await textOf(await opened.response)).at(-1);
    expect(last).toEqual({
      event: 'error',
      id: '2',
      data: {
        request_id: 'r-1',
        sequence: 2,
        code: 14,
        reason: 'RUNTIME_LOST',
        message: 'the runtime was lost',
        retry_after_ms: 10,
        metadata: { k: 'v' },
      },
    });
  });

  it('ends in an error when an agent sends bytes that are no payload', async () => {
    const { task, opened } = await begin();
    task.start();
    task.chunk('\u0001\u0002', 'json');
    task.succeed();
    expect(parseEvents(await textOf(await opened.response)).map(({ event }) => event)).toEqual([
      'start',
      'error',
    ]);
  });

  it('gives a sign of life every 15 seconds of silence, and none after its end', async () => {
    const { task, opened } = await begin();
    task.start();
    const response = await opened.response;
    response.setEncoding('utf8');
    let text = '';
    response.on('data', (chunk: string) => (text += chunk));
    await clock.advance(COMMENT_INTERVAL_MS);
    await until(() => text.includes(': still here\n\n'));
    task.succeed();
    await once(response, 'end');
    expect(text.match(/: still here/g)).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each(['application/json', '*/*', 'text/event-stream;q=0', 'text/html, application/json'])(
    'is not told to who accepts %s',
    async (accept) => {
      const started = tasks.next();
      const { response } = open(GOOD, { accept });
      (await started).succeed();
      expect((await response).headers['content-type']).toBe('application/json; charset=utf-8');
    },
  );

  it.each([
    'text/event-stream',
    'application/json, text/event-stream',
    'text/event-stream;q=0.9, */*;q=0.1',
    'Text/Event-Stream',
  ])('is told to who accepts %s', async (accept) => {
    const started = tasks.next();
    const { response } = open(GOOD, { accept });
    (await started).succeed();
    expect((await response).headers['content-type']).toBe('text/event-stream; charset=utf-8');
  });
});

describe('a caller of events', () => {
  it('that vanishes leaves its task, and nothing stays behind', async () => {
    const { task, opened } = await begin();
    task.start();
    await opened.response;
    opened.vanish();
    await task.left;
    await until(() => clock.pendingTimers === 0);
    expect(task.hasLeft).toBe(true);
  });

  it('that vanishes before the first event leaves its task too', async () => {
    const { task, opened } = await begin();
    opened.vanish();
    await task.left;
    expect(task.hasLeft).toBe(true);
  });

  it('that vanishes lets a task run on that shall: chunks count as taken', async () => {
    const { task, opened } = await begin({ ...GOOD, options: { on_disconnect: 'CONTINUE' } });
    task.start();
    await opened.response;
    opened.vanish();
    await task.left;
    task.chunk('more');
    expect(task.consumedBytes).toBe(4);
    task.succeed();
  });

  it('that waits for JSON and vanishes leaves its task', async () => {
    const started = tasks.next();
    const { vanish } = open(GOOD, {});
    const task = await started;
    vanish();
    await task.left;
    expect(task.hasLeft).toBe(true);
  });

  it('that got its answer does not leave a task behind on a connection that stays open', async () => {
    const started = tasks.next();
    const { response } = open(GOOD, {});
    const task = await started;
    task.succeed();
    await textOf(await response);
    await settle();
    expect(task.hasLeft).toBe(false);
  });

  it('that reads nothing takes only what fits into its socket; what it reads later counts', async () => {
    const { task, socket } = await openSlowly();
    const piece = 'x'.repeat(64 * 1024);
    let sent = 0;
    while (task.consumedBytes === sent && sent < 64 * 1024 * 1024) {
      task.chunk(piece);
      sent += piece.length;
      for (let turn = 0; turn < 100 && task.consumedBytes < sent; turn += 1) await settle();
    }
    // Several pieces fit into the sockets of both sides, and then no more.
    expect(sent).toBeGreaterThan(2 * piece.length);
    expect(task.consumedBytes).toBe(sent - piece.length);
    socket.resume();
    await until(() => task.consumedBytes === sent);
    socket.destroy();
    await task.left;
  });

  it('that never takes the end is cut off in bounded time', async () => {
    const { task, socket } = await openSlowly();
    task.chunk('x'.repeat(32 * 1024 * 1024));
    task.succeed();
    await settle();
    const closed = once(socket, 'close');
    await until(() => clock.pendingTimers === 1);
    await clock.advance(END_GRACE_MS);
    socket.resume();
    await closed;
    await until(() => task.consumedBytes > 0);
  });

  it('is refused over the bound on open streams, and let in when one has ended', async () => {
    const open1 = await begin();
    await begin();
    const refused = await open().response;
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '1']);
    refused.resume();
    open1.task.succeed();
    await textOf(await open1.opened.response);
    const { task } = await begin();
    expect(task.hasLeft).toBe(false);
  });
});

/** A client that has sent its request and reads nothing. */
async function openSlowly(): Promise<{ readonly task: FakeTask; readonly socket: Socket }> {
  const started = tasks.next();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  const body = JSON.stringify(GOOD);
  socket.write(
    `POST /api/v1/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\naccept: text/event-stream\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const task = await started;
  task.start();
  return { task, socket };
}

describe('a gateway that stops', () => {
  it('lets a stream end, and refuses what comes meanwhile on the same connection', async () => {
    const { task, opened } = await begin();
    task.start();
    const response = await opened.response;
    const closed = edge.close(5_000);
    task.succeed();
    expect(parseEvents(await textOf(response)).map(({ event }) => event)).toEqual([
      'start',
      'result',
    ]);
    await closed;
    await expect(open().response).rejects.toThrow();
  });

  it.each(['text/event-stream', 'application/json'])(
    'waits for no client that keeps its connection open after the end of its task: %s',
    async (accept) => {
      const started = tasks.next();
      const answer = fetch(`http://127.0.0.1:${port}/api/v1/execute`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept },
        body: JSON.stringify(GOOD),
      });
      const task = await started;
      if (accept === 'text/event-stream') task.start();
      const closed = edge.close(5_000);
      task.succeed();
      expect((await answer).status).toBe(200);
      await (await answer).text();
      await closed;
    },
  );

  it('cuts off what has not ended after the grace', async () => {
    const { task, opened } = await begin();
    task.start();
    const response = await opened.response;
    const ended = textOf(response).catch(() => 'cut off');
    const closed = edge.close(5_000);
    await settle();
    await clock.advance(5_000);
    await closed;
    expect(await ended).toBe('cut off');
    expect(task.hasLeft).toBe(true);
  });
});
