import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { GrpcClient, type Message, refusalOf } from './grpc-calls.ts';
import { GuardedServer, HOSTILE } from './guarded-server.ts';
import { call } from './http-calls.ts';
import { destroyAll } from './server.ts';

/** Two cores, and other work on them. */
jest.setTimeout(120_000);

let guarded: GuardedServer;
let client: GrpcClient;

beforeAll(async () => {
  guarded = await GuardedServer.start();
  client = new GrpcClient(guarded.server.grpc);
});
afterEach(() => guarded.noBystanderSawAnything());
afterAll(async () => {
  client.close();
  await guarded.finish();
});
afterAll(destroyAll);

interface Problem {
  readonly reason: string;
  readonly errors?: readonly { readonly field: string }[];
}

/** What the text of a body is answered with. */
async function post(
  text: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = {},
): Promise<[status: number, reason: string, field: string]> {
  const response = await fetch(`${guarded.server.http}/api/v1/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: text,
  });
  const type = response.headers.get('content-type') ?? '';
  const { reason, errors } = (await response.json()) as Problem;
  if (response.status >= 400) expect(type).toMatch(/^application\/problem\+json/);
  return [response.status, reason, errors?.[0]?.field ?? ''];
}

/** The text of a task's body with one more member, as it stands. */
const bodyWith = (member: string): string =>
  `{"tenant":"hostile","project":"site","agent":"echo",${member}${member.includes('"input"') ? '' : ',"input":1'}}`;

async function refused(answer: Promise<Message>): Promise<[string, string, string]> {
  const { code, reason, field = '' } = await refusalOf(answer);
  return [code, reason, field];
}

const BAD_NAMES = [
  ...['.', '..', 'a/b', '../a', 'a~b', 'a b', ' ', '%2e%2e', 'a?b', 'a#b', 'a,b', '{a}', '*'],
  ...['a\nb', 'a\tb', '\u0000', 'a\u007f', '\u001b[2J', '\u202ea', '\ufeffa', 'ünï', '名', '😀'],
  ...['x'.repeat(254), 'x'.repeat(100_000)],
];
const NAMES = ['tenant', 'project', 'agent', 'conversation_id', 'request_id'];

describe('names', () => {
  it.each(NAMES)('%s is refused over HTTP and gRPC in each wrong spelling', async (field) => {
    for (const name of BAD_NAMES) {
      const task = { ...HOSTILE, agent: 'echo', [field]: name };
      expect([name, await post(JSON.stringify({ ...task, input: 1 }))]).toEqual([
        name,
        [400, 'INVALID_FIELD', field],
      ]);
      // A protobuf string has no NUL either: both are bytes that are no name.
      expect([name, await refused(client.unary('Execute', { ...task, text: 'x' }))]).toEqual([
        name,
        ['INVALID_ARGUMENT', 'INVALID_FIELD', field],
      ]);
    }
  });

  it.each(['tenant', 'project'])('%s must not be empty', async (field) => {
    const task = { ...HOSTILE, [field]: '' };
    expect(await post(JSON.stringify({ ...task, input: 1 }))).toEqual([
      400,
      'INVALID_FIELD',
      field,
    ]);
    for (const [method, more] of [
      ['Execute', { text: 'x' }],
      ['Acquire', {}],
      ['ListConversations', {}],
      ['CreateInstance', {}],
      ['SetProjectTier', { tier: 'TIER_COLD' }],
      ['DeleteProject', {}],
    ] as const)
      expect([method, await refused(client.unary(method, { ...task, ...more }))]).toEqual([
        method,
        ['INVALID_ARGUMENT', 'INVALID_FIELD', field],
      ]);
  });

  it.each([
    ...['nope', 'default/nope', 'nope/assistants'].map((pool) => [
      pool,
      404,
      'NOT_FOUND',
      'UNKNOWN_POOL',
    ]),
    ...['..', 'a/b/c', '/', 'a/', 'A', 'x-', 'x'.repeat(500)].map((pool) => [
      pool,
      400,
      'INVALID_ARGUMENT',
      'INVALID_FIELD',
    ]),
  ] as const)('pool %s ends with %i, over gRPC %s, %s', async (pool, status, code, reason) => {
    const task = { ...HOSTILE, pool };
    expect(await post(JSON.stringify({ ...task, input: 1 }))).toEqual([status, reason, 'pool']);
    for (const [method, more] of [
      ['Execute', { text: 'x' }],
      ['Acquire', {}],
      ['ListAgents', {}],
      ['ListInstances', {}],
      ['GetStats', {}],
    ] as const)
      expect([method, await refused(client.unary(method, { ...task, ...more }))]).toEqual([
        method,
        [code, reason, 'pool'],
      ]);
  });

  it.each([
    ['/api/v1/projects/a%2Fb/site', 400, 'INVALID_FIELD'],
    ['/api/v1/projects/acme/a%00b', 400, 'INVALID_FIELD'],
    ['/api/v1/projects/acme/%F0%9F%98%80', 400, 'INVALID_FIELD'],
    ['/api/v1/projects/acme/%ff', 400, 'INVALID_FIELD'],
    ['/api/v1/projects/acme/%', 400, 'INVALID_FIELD'],
    [`/api/v1/projects/acme/${'x'.repeat(254)}`, 400, 'INVALID_FIELD'],
    ['/api/v1/projects/acme/nobody', 404, 'UNKNOWN_PROJECT'],
    ['/api/v1/projects/acme/nobody/conversations/..%2f..%2fx', 400, 'INVALID_FIELD'],
    ['/api/v1/pool/instances/not-an-id', 404, 'UNKNOWN_INSTANCE'],
    ['/api/v1/pool/instances/default~assistants~acme~..', 404, 'UNKNOWN_INSTANCE'],
    ['/api/v1/pool/instances/default~nope~acme~docs', 404, 'UNKNOWN_INSTANCE'],
    ['/api/v1/pool/instances?page_size=-1', 400, 'INVALID_FIELD'],
    ['/api/v1/pool/instances?page_size=1e99', 400, 'INVALID_FIELD'],
    ['/api/v1/pool/instances?page_token=%00%00', 400, 'INVALID_FIELD'],
    ['/api/v1/pool/instances?tier=BOILING', 400, 'INVALID_FIELD'],
    ['/api/v1/pool/instances?tier=HOT&tier=COLD', 400, 'INVALID_FIELD'],
    ['/api/v1/pool/instances?__proto__=1', 400, 'INVALID_FIELD'],
    ['/etc/passwd', 404, 'UNIMPLEMENTED'],
  ])('GET %s ends with %i %s', async (path, status, reason) => {
    expect(await call(guarded.server, path)).toMatchObject({ status, body: { reason } });
  });
});

describe('a body over HTTP', () => {
  it.each([
    ['tenant a number', '{"tenant":5,"project":"site","input":1}', 'tenant'],
    ['tenant null', '{"tenant":null,"project":"site","input":1}', 'tenant'],
    ['tenant a list', '{"tenant":["acme"],"project":"site","input":1}', 'tenant'],
    ['no tenant', '{"project":"site","input":1}', 'tenant'],
    ['no input', '{"tenant":"hostile","project":"site"}', 'input'],
    ['a priority that is none', bodyWith('"priority":"URGENT"'), 'priority'],
    ['a priority by number', bodyWith('"priority":1'), 'priority'],
    ['options that are text', bodyWith('"options":"fast"'), 'options'],
    ['a negative time-out', bodyWith('"options":{"timeout_ms":-1}'), 'options.timeout_ms'],
    ['half a millisecond', bodyWith('"options":{"timeoutMs":0.5}'), 'options.timeoutMs'],
    ['an endless time-out', bodyWith('"options":{"timeout_ms":1e20}'), 'options.timeout_ms'],
    ['a time-out as text', bodyWith('"options":{"timeout_ms":"5"}'), 'options.timeout_ms'],
    ['metadata that is a list', bodyWith('"metadata":["a"]'), 'metadata'],
    ['metadata of numbers', bodyWith('"metadata":{"a":1}'), 'metadata.a'],
    ['metadata of ours', bodyWith('"metadata":{"AgentPool-tenant":"x"}'), 'metadata'],
    ['too much metadata', bodyWith(`"metadata":{"a":"${'x'.repeat(20_000)}"}`), 'metadata'],
    ['an unknown field', bodyWith('"tennant":"acme"'), 'tennant'],
    ['__proto__', bodyWith('"__proto__":{"role":"admin"}'), '__proto__'],
    ['__proto__ inside options', bodyWith('"options":{"__proto__":{}}'), 'options.__proto__'],
    ['__proto__ as metadata', bodyWith('"metadata":{"__proto__":"x"}'), 'metadata.__proto__'],
    ['constructor', bodyWith('"constructor":{"prototype":{"x":1}}'), 'constructor'],
    ['a field given twice', bodyWith('"tenant":"other"'), 'tenant'],
    ['a field given by both names', bodyWith('"request_id":"a","requestId":"b"'), 'requestId'],
    ['NaN', bodyWith('"input":NaN'), 'body'],
    ['Infinity', bodyWith('"input":-Infinity'), 'body'],
    ['half a surrogate pair', bodyWith('"input":"\\ud800"'), 'input'],
    [
      'nesting without end',
      bodyWith(`"input":${'['.repeat(20_000)}1${']'.repeat(20_000)}`),
      'input',
    ],
    ['a list', '[]', 'body'],
    ['null', 'null', 'body'],
    ['text', '"task"', 'body'],
    ['nothing', '', 'body'],
    ['half of it', '{"tenant":"hos', 'body'],
    ['too many fields', `{${Array.from({ length: 100 }, (_, i) => `"f${i}":1`).join()}}`, 'body'],
  ])('%s is refused by name', async (_what, text, field) => {
    expect(await post(text)).toEqual([400, 'INVALID_FIELD', field]);
  });

  it.each<[string, number, Record<string, string>]>([
    ['body', 400, {}],
    ['content-type', 415, { 'content-type': 'text/xml' }],
    ['content-encoding', 415, { 'content-encoding': 'gzip' }],
  ])('of bytes that are no text: %s is refused with %i', async (field, status, headers) => {
    const bytes = Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d);
    expect(await post(bytes, headers)).toEqual([status, 'INVALID_FIELD', field]);
  });
});
