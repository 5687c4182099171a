import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../../core/errors.ts';
import { silentLog } from '../../../platform/log.ts';
import { systemRandom } from '../../../platform/random.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { type FakeTask, FakeTasks } from '../../../test/fakes/fake-tasks.ts';
import { encodeParts } from '../../../proto/parts-codec.ts';
import { encodeValue } from '../../../proto/value-codec.ts';
import { LOCAL_ACCESS } from '../../access/access.ts';
import { HttpEdge } from './http-edge.ts';
import { executeRoute } from './routes/execute-route.ts';

const BODY_BYTES_MAX = 10_000;
const clock = new FakeClock();
const tasks = new FakeTasks();
let edge: HttpEdge;

beforeEach(() => {
  tasks.reset();
});
beforeAll(async () => {
  edge = await HttpEdge.create({
    routes: [executeRoute({ tasks, random: systemRandom })],
    access: LOCAL_ACCESS,
    clock,
    random: systemRandom,
    log: silentLog,
    host: '127.0.0.1',
    port: 0,
    bodyBytesMax: () => BODY_BYTES_MAX,
    version: '1.2.3',
  });
});
afterAll(() => edge.close(0));

interface Sent {
  readonly body: string | Buffer | object;
  readonly headers?: Record<string, string>;
}

function post({ body, headers = {} }: Sent) {
  const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return edge.app.inject({
    method: 'POST',
    url: '/api/v1/execute',
    headers: { host: 'localhost', 'content-type': 'application/json', ...headers },
    payload,
  });
}

const GOOD = { tenant: 'acme', project: 'site', input: 'hello' };

function play(act: (task: FakeTask) => void): void {
  tasks.onStart = act;
}

describe('POST /api/v1/execute', () => {
  it('hands the task in as it was asked, with defaults', async () => {
    play((task) => task.succeed());
    await post({ body: { ...GOOD, request_id: 'r-1' } });
    expect(tasks.started[0]?.options).toMatchObject({
      remainingMs: Infinity,
      principal: { subject: 'local' },
      request: {
        pool: '',
        tenant: 'acme',
        project: 'site',
        agent: '',
        conversationId: '',
        requestId: 'r-1',
        priority: 'NORMAL',
        maxWaitMs: 0,
        timeoutMs: 0,
        retry: 'SAFE',
        onDisconnect: 'CANCEL',
        metadata: {},
        leaseId: '',
      },
    });
  });

  it('hands every field in, by either name', async () => {
    play((task) => task.succeed());
    await post({
      headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
      body: {
        ...GOOD,
        pool: 'ns/pool',
        agent: 'echo',
        conversationId: 'c',
        requestId: 'r',
        priority: 'CRITICAL',
        leaseId: 'a~b~c~d~e',
        options: {
          preferWarm: true,
          maxWaitMs: 1,
          timeoutMs: 2,
          retry: 'NEVER',
          onDisconnect: 'CONTINUE',
        },
        metadata: { k: 'v' },
      },
    });
    expect(tasks.started[0]?.options.request).toMatchObject({
      pool: 'ns/pool',
      agent: 'echo',
      conversationId: 'c',
      requestId: 'r',
      priority: 'CRITICAL',
      leaseId: 'a~b~c~d~e',
      maxWaitMs: 1,
      timeoutMs: 2,
      retry: 'NEVER',
      onDisconnect: 'CONTINUE',
      metadata: { k: 'v' },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
  });

  it.each([
    ['"hello"', 'text', 'hello'],
    ['"\\u00e4\\n"', 'text', 'ä\n'],
    ['{"a": 1.0, "b": 12345678901234567890}', 'json_utf8', '{"a": 1.0, "b": 12345678901234567890}'],
    ['[ ]', 'json_utf8', '[ ]'],
    ['null', 'json_utf8', 'null'],
    ['{"__proto__":1}', 'json_utf8', '{"__proto__":1}'],
  ])('passes the input %s on as %s', async (json, arm, body) => {
    play((task) => task.succeed());
    await post({ body: `{"tenant":"t","project":"p","input":${json}}` });
    const { input } = tasks.started[0]!.options.request;
    expect([input?.arm, Buffer.from(input!.body).toString()]).toEqual([arm, body]);
  });

  it.each<[string, Parameters<FakeTask['succeed']>, string]>([
    ['text', ['say "hi"\n', 'text'], '"say \\"hi\\"\\n"'],
    ['a Value', [encodeValue({ a: [1, null] }), 'json'], '{"a":[1,null]}'],
    [
      'JSON text, digit for digit',
      ['{"n": 12345678901234567890}', 'json_utf8'],
      '{"n": 12345678901234567890}',
    ],
    ['JSON text in lines', ['{\r\n"n": 1}', 'json_utf8'], '{  "n": 1}'],
    [
      'parts',
      [
        encodeParts([
          { text: 'a' },
          { json: 1 },
          { blob: { mime_type: 'image/png', data: Buffer.from('x') } },
        ]),
        'parts',
      ],
      '{"parts":[{"text":"a"},{"json":1},{"blob":{"mime_type":"image/png","data":"eA=="}}]}',
    ],
  ])('answers with %s', async (_, answer, output) => {
    play((task) => task.succeed(...answer));
    const response = await post({ body: { ...GOOD, request_id: 'r-1' } });
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(response.body).toBe(
      `{"request_id":"r-1","conversation_id":"c-1","instance_id":"default~pool~t~p","agent":"echo","tier":"WARM","output":${output},"timings":{"queue_ms":1,"activate_ms":0,"run_ms":2.5},"connection_reused":true,"replayed":false}`,
    );
  });

  it('makes a request id where none is given, and names it in the error', async () => {
    play((task) => task.fail(new AppError('QUEUE_FULL', 'full', { retryAfterMs: 1_200 })));
    const response = await post({ body: GOOD });
    expect(response.statusCode).toBe(429);
    expect(response.headers['retry-after']).toBe('2');
    expect(response.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(response.json()).toMatchObject({
      reason: 'QUEUE_FULL',
      retry_after_ms: 1_200,
      request_id: tasks.started[0]?.requestId,
    });
    expect(tasks.started[0]?.requestId).toMatch(/^[\w-]{22}$/);
  });

  it.each([
    [{}, { 'idempotency-key': 'k-1' }, 'k-1'],
    [{ request_id: 'k-1' }, { 'idempotency-key': 'k-1' }, 'k-1'],
    [{ request_id: '' }, { 'idempotency-key': 'k-1' }, 'k-1'],
  ])('takes %j with %j as the request id', async (more, headers, requestId) => {
    play((task) => task.succeed());
    await post({ body: { ...GOOD, ...more }, headers });
    expect(tasks.started[0]?.requestId).toBe(requestId);
  });

  it.each([
    [{ request_id: 'a' }, 'b', /"a".*Idempotency-Key is "b"/],
    [{}, 'not an id', /idempotency-key: must be 1 to 253/],
  ])('refuses %j with the Idempotency-Key %j', async (more, key, detail) => {
    const response = await post({
      body: { ...GOOD, ...more },
      headers: { 'idempotency-key': key },
    });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      reason: 'INVALID_FIELD',
      detail: expect.stringMatching(detail) as unknown,
    });
    expect(tasks.started).toEqual([]);
  });
});

const REASONS: Record<number, string> = {
  400: 'INVALID_FIELD',
  403: 'FORBIDDEN',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'INVALID_FIELD',
};

describe('a hostile request', () => {
  it.each<[string, Sent, number, RegExp]>([
    ['no JSON', { body: '{"tenant":' }, 400, /line 1, column 11/],
    ['an empty body', { body: '' }, 400, /empty/],
    ['a list', { body: '[]' }, 400, /JSON object/],
    ['trailing garbage', { body: `${JSON.stringify(GOOD)} x` }, 400, /expected the end/],
    ['two objects', { body: '{}{}' }, 400, /expected the end/],
    [
      'bytes that are not UTF-8',
      { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) },
      400,
      /UTF-8/,
    ],
    ['UTF-16', { body: Buffer.from(JSON.stringify(GOOD), 'utf16le') }, 400, /not JSON/],
    [
      'half a surrogate pair',
      { body: '{"tenant":"t","project":"p","input":"\\ud800"}' },
      400,
      /surrogate/,
    ],
    ['no input', { body: { tenant: 't', project: 'p' } }, 400, /input: must be given/],
    ['an empty tenant', { body: { ...GOOD, tenant: '' } }, 400, /tenant/],
    ['a tenant that climbs', { body: { ...GOOD, tenant: '..' } }, 400, /tenant/],
    ['a project with a slash', { body: { ...GOOD, project: 'a/b' } }, 400, /project/],
    ['a pool that climbs', { body: { ...GOOD, pool: '../x' } }, 400, /pool/],
    ['control characters', { body: { ...GOOD, agent: 'a\u0000' } }, 400, /agent/],
    ['an unknown field', { body: { ...GOOD, requestid: 'x' } }, 400, /did you mean "request_id"/],
    [
      '__proto__',
      { body: '{"__proto__":{"tenant":"x"},"tenant":"t","project":"p","input":1}' },
      400,
      /__proto__/,
    ],
    [
      'a field twice',
      { body: '{"tenant":"a","tenant":"b","project":"p","input":1}' },
      400,
      /tenant: given twice/,
    ],
    [
      'a form',
      { body: 'tenant=t', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      /application\/json/,
    ],
    [
      'text/plain',
      { body: GOOD, headers: { 'content-type': 'text/plain' } },
      415,
      /application\/json/,
    ],
    ['a broken content type', { body: GOOD, headers: { 'content-type': ';;;' } }, 415, /./],
    [
      'another charset',
      { body: GOOD, headers: { 'content-type': 'application/json; charset=latin1' } },
      415,
      /UTF-8/,
    ],
    [
      'a compressed body',
      { body: GOOD, headers: { 'content-encoding': 'gzip' } },
      415,
      /content-encoding/,
    ],
    [
      'a body over the limit',
      { body: { ...GOOD, input: 'x'.repeat(BODY_BYTES_MAX) } },
      413,
      /10000 bytes/,
    ],
    ['another host', { body: GOOD, headers: { host: 'evil.example' } }, 403, /evil/],
    [
      "another page's request",
      { body: GOOD, headers: { origin: 'http://evil.example' } },
      403,
      /pages/,
    ],
  ])('with %s gets a clear error', async (_, sent, status, detail) => {
    const response = await post(sent);
    expect([response.statusCode, response.headers['content-type']]).toEqual([
      status,
      'application/problem+json; charset=utf-8',
    ]);
    expect(response.json()).toMatchObject({
      status,
      reason: REASONS[status],
      detail: expect.stringMatching(detail) as unknown,
      request_id: response.headers['x-request-id'],
    });
    expect(tasks.started).toEqual([]);
  });

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON;charset="UTF-8"',
    'application/merge-patch+json',
  ])('is none with the content type %s', async (type) => {
    play((task) => task.succeed());
    expect((await post({ body: GOOD, headers: { 'content-type': type } })).statusCode).toBe(200);
  });

  it('may begin with a byte order mark', async () => {
    play((task) => task.succeed());
    expect((await post({ body: `\ufeff${JSON.stringify(GOOD)}` })).statusCode).toBe(200);
  });
});

describe('what is not there', () => {
  it.each([
    '/api/v1/tasks',
    '/api/v1/broadcast',
    '/v1/models',
    '/agentic-chat/query',
    '/nothing',
    '/api/v1/execute/',
    '//',
    '/api/v1/%2e%2e/x',
  ])('%s is a 404', async (url) => {
    const response = await edge.app.inject({ method: 'GET', url, headers: { host: 'localhost' } });
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ status: 404, reason: 'UNIMPLEMENTED' });
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const)(
    '%s of a POST path is a 405 that says what is allowed',
    async (method) => {
      const response = await edge.app.inject({
        method,
        url: '/api/v1/execute',
        headers: { host: 'localhost', 'content-type': 'application/json' },
        ...(method === 'GET' ? {} : { payload: '{}' }),
      });
      expect([response.statusCode, response.headers['allow']]).toEqual([405, 'POST']);
      expect(response.headers).not.toHaveProperty('access-control-allow-origin');
    },
  );

  it('echoes a good X-Request-Id and replaces a bad one', async () => {
    const ids = await Promise.all(
      ['trace-1', 'a b', ''].map(
        async (id) =>
          (
            await edge.app.inject({
              url: '/nothing',
              headers: { host: 'localhost', 'x-request-id': id },
            })
          ).headers['x-request-id'],
      ),
    );
    expect(ids).toEqual([
      'trace-1',
      expect.stringMatching(/^[\w-]{22}$/),
      expect.stringMatching(/^[\w-]{22}$/),
    ]);
  });
});
