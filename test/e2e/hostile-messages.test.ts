import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { GrpcClient, type GrpcError, messagesOf, refusalOf } from './grpc-calls.ts';
import { GuardedServer, HOSTILE, REQUEST_BYTES_MAX } from './guarded-server.ts';
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

const ECHO = { ...HOSTILE, agent: 'echo' };

describe('a message over gRPC', () => {
  it.each<[string, object, string]>([
    ['no input', {}, 'input'],
    ['JSON that is none', { json_utf8: Buffer.from('{"a":NaN}') }, 'input'],
    ['JSON that is no UTF-8', { json_utf8: Buffer.from([0x22, 0xff, 0x22]) }, 'input'],
    [
      'JSON of a thousand levels',
      { json_utf8: Buffer.from('['.repeat(1e3) + ']'.repeat(1e3)) },
      'input',
    ],
    ['a priority that is none', { text: 'x', priority: 99 }, 'priority'],
    ['a way to retry that is none', { text: 'x', options: { retry: 99 } }, 'options.retry'],
    ['an end that is none', { text: 'x', options: { on_disconnect: 9 } }, 'options.on_disconnect'],
    ['metadata of ours', { text: 'x', metadata: { 'agentpool-tenant': 'acme' } }, 'metadata'],
    ['too much metadata', { text: 'x', metadata: { a: 'x'.repeat(20_000) } }, 'metadata'],
  ])('%s is refused by name', async (_what, more, field) => {
    const expected = { code: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD', field };
    const task = { ...ECHO, ...more };
    expect(await refusalOf(client.unary('Execute', task))).toMatchObject(expected);
    expect(await refusalOf(messagesOf(client.stream('ExecuteStream', task)))).toMatchObject(
      expected,
    );
  });

  it('that names a lease which never was ends in LEASE_UNKNOWN', async () => {
    for (const lease_id of ['../../x', 'default~assistants~acme~docs~x', '~', 'x'.repeat(10_000)])
      expect(
        await refusalOf(client.unary('Execute', { ...ECHO, text: 'x', lease_id })),
      ).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'LEASE_UNKNOWN' });
  });

  it.each([
    ['an instance of another tier', 'CreateInstance', { ...HOSTILE, tier: 'TIER_HOT' }, 'tier'],
    ['a tier that is none', 'SetProjectTier', { ...HOSTILE, tier: 7 }, 'tier'],
    ['a page that is none', 'ListInstances', { page_token: '\u0000' }, 'page_token'],
    ['a lease of a year', 'Acquire', { ...HOSTILE, ttl_ms: 4_000_000_000 }, 'ttl_ms'],
  ])('%s is refused by name', async (_what, method, request, field) => {
    expect(await refusalOf(client.unary(method, request))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'INVALID_FIELD',
      field,
    });
  });

  it('of random bytes is an error of that call alone, whatever the method', async () => {
    for (const method of ['Execute', 'Acquire', 'GetStats', 'GetConversation', 'SetProjectTier'])
      for (const size of [1, 7, 64, 1_000]) {
        const end = client.raw(method, randomBytes(size)).then(() => 'OK');
        const code = await end.catch((error: unknown) => (error as GrpcError).code);
        // Some bytes are a message with unknown fields: then its fields are missing, or are not needed.
        expect(['OK', 'INTERNAL', 'INVALID_ARGUMENT', 'NOT_FOUND']).toContain(code);
      }
    expect(await client.unary('Execute', { ...ECHO, text: 'x' })).toMatchObject({ text: 'x' });
  });

  it.each(['agentpool-tenant', 'agentpool-key', 'AgentPool-Principal', 'agentpool-x-bin'])(
    'metadata %s of a client is refused',
    async (key) => {
      const metadata = { [key]: key.endsWith('-bin') ? Buffer.from('x') : 'x' };
      const task = { ...ECHO, text: 'x' };
      for (const send of [
        () => client.unary('Execute', task, { metadata }),
        () => client.unary('GetStats', {}, { metadata }),
        () => messagesOf(client.stream('ExecuteStream', task, { metadata })),
        () => messagesOf(client.connect({ metadata })),
      ])
        expect(await refusalOf(send())).toMatchObject({
          code: 'INVALID_ARGUMENT',
          reason: 'INVALID_FIELD',
          field: 'metadata',
        });
    },
  );
});

describe('a deadline', () => {
  it.each([0, -1, -60_000])('that is %i ms away ends in DEADLINE_EXCEEDED', async (deadlineMs) => {
    const error = await refusalOf(client.unary('Execute', { ...ECHO, text: 'x' }, { deadlineMs }));
    expect(error.code).toBe('DEADLINE_EXCEEDED');
  });

  it('that passes while the task runs ends it, over every surface', async () => {
    const slow = {
      ...HOSTILE,
      agent: 'slow',
      json_utf8: Buffer.from('{"chunks":100,"everyMs":100}'),
    };
    const body = { ...HOSTILE, agent: 'slow', input: { chunks: 100, everyMs: 100 } };
    const options = { timeout_ms: 300 };
    const late = { code: 'DEADLINE_EXCEEDED' };
    await Promise.all([
      expect(refusalOf(client.unary('Execute', slow, { deadlineMs: 300 }))).resolves.toMatchObject(
        late,
      ),
      expect(refusalOf(client.unary('Execute', { ...slow, options }))).resolves.toMatchObject(late),
      expect(
        messagesOf(client.stream('ExecuteStream', slow, { deadlineMs: 300 })),
      ).rejects.toMatchObject(late),
      expect(
        call(guarded.server, '/api/v1/execute', { body: { ...body, options } }),
      ).resolves.toMatchObject({
        status: 504,
        body: { reason: 'DEADLINE', code: 'DEADLINE_EXCEEDED' },
      }),
    ]);
  });
});

describe('a body that is too large', () => {
  it('just above the limit is refused by name, at the limit it is served', async () => {
    const fits = 'x'.repeat(REQUEST_BYTES_MAX);
    expect(await client.unary('Execute', { ...ECHO, text: fits })).toMatchObject({ text: fits });
    expect(await refusalOf(client.unary('Execute', { ...ECHO, text: `${fits}x` }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'PAYLOAD_TOO_LARGE',
      field: 'input',
    });
    const body = { ...ECHO, input: fits };
    expect(await call(guarded.server, '/api/v1/execute', { body })).toMatchObject({ status: 200 });
    body.input += 'x';
    expect(await call(guarded.server, '/api/v1/execute', { body })).toMatchObject({
      status: 413,
      body: { code: 'INVALID_ARGUMENT', reason: 'PAYLOAD_TOO_LARGE' },
    });
  });

  it('as JSON, and not as text, fails its task alone: it is not tried for ever', async () => {
    const body = { ...HOSTILE, agent: 'escapes', input: 12 * 1024 * 1024 };
    expect(await call(guarded.server, '/api/v1/execute', { body })).toMatchObject({
      status: 413,
      body: { reason: 'PAYLOAD_TOO_LARGE' },
    });
    expect(await client.unary('Execute', { ...ECHO, text: 'next' })).toMatchObject({
      text: 'next',
    });
  });

  it('far above it is refused unread, again and again', async () => {
    const far = Buffer.alloc(48 * 1024 * 1024, 'x');
    for (let i = 0; i < 3; i += 1) {
      const [overGrpc, overHttp] = await Promise.all([
        refusalOf(client.unary('Execute', { ...ECHO, json_utf8: far })),
        postBytes(far),
      ]);
      expect(['INVALID_ARGUMENT', 'RESOURCE_EXHAUSTED']).toContain(overGrpc.code);
      expect(overHttp).toBe(413);
    }
  });
});

/** Undefined: the server hung up before all of it was sent. */
async function postBytes(body: Uint8Array<ArrayBuffer>): Promise<number | undefined> {
  const sent = fetch(`${guarded.server.http}/api/v1/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return (await sent).status;
}
