import { describe, expect, it } from '@jest/globals';
import { executeRequest } from './execute.ts';
import { instanceQuery } from './pools.ts';
import { readMessage, readTexts } from './read-message.ts';
import { HttpError } from '../wire/problem.ts';

const GOOD = { tenant: 't', project: 'p', input: 'x' };

function problemsOf(read: () => unknown): unknown {
  try {
    read();
    return 'accepted';
  } catch (error) {
    return error instanceof HttpError
      ? error.errors?.map(({ field, detail }) => `${field}: ${detail}`)
      : error;
  }
}

describe('a message of a body', () => {
  it('is accepted in snake_case and in lowerCamelCase', () => {
    const snake = {
      ...GOOD,
      conversation_id: 'c',
      options: { timeout_ms: 5, on_disconnect: 'CONTINUE' },
      metadata: { camelCase: '1' },
    };
    const camel = {
      ...GOOD,
      conversationId: 'c',
      options: { timeoutMs: 5, onDisconnect: 'CONTINUE' },
      metadata: { camelCase: '1' },
    };
    expect(readMessage(executeRequest, snake)).toMatchObject(snake);
    expect(readMessage(executeRequest, camel)).toEqual(readMessage(executeRequest, snake));
  });

  it('leaves the input alone', () => {
    const input = { maxWaitMs: 1, __proto__x: [{ camelCase: null }] };
    expect(readMessage(executeRequest, { ...GOOD, input })).toHaveProperty('input', input);
  });

  it.each<[string, object, string[]]>([
    [
      'an unknown field',
      { ...GOOD, colour: 'c' },
      [
        'colour: unknown field; there are pool, tenant, project, agent, conversation_id, request_id, priority, options, metadata, input, lease_id',
      ],
    ],
    [
      'a mistyped field',
      { ...GOOD, requestid: 'c' },
      ['requestid: unknown field; did you mean "request_id"?'],
    ],
    [
      'a mistyped field inside',
      { ...GOOD, options: { timeoutMS: 1 } },
      ['options.timeoutMS: unknown field; did you mean "timeout_ms"?'],
    ],
    [
      'one field by both names',
      { ...GOOD, request_id: 'a', requestId: 'b' },
      ['requestId: given twice, as request_id and as requestId'],
    ],
    ['what is missing', { input: 1 }, ['tenant: must be given', 'project: must be given']],
    ['null for a name', { ...GOOD, tenant: null }, ['tenant: must be a string, but is null']],
    ['a number for a name', { ...GOOD, tenant: 7 }, ['tenant: must be a string, but is 7']],
    [
      'text for a number',
      { ...GOOD, options: { timeoutMs: '5' } },
      ['options.timeoutMs: must be a whole number, but is a string'],
    ],
    [
      'a fraction',
      { ...GOOD, options: { timeout_ms: 1.5 } },
      ['options.timeout_ms: must be a whole number, but is 1.5'],
    ],
    [
      'a negative number',
      { ...GOOD, options: { max_wait_ms: -1 } },
      ['options.max_wait_ms: must not be negative'],
    ],
    [
      'a number over 32 bits',
      { ...GOOD, options: { maxWaitMs: 4294967296 } },
      ['options.maxWaitMs: must be at most 4294967295'],
    ],
    [
      'a list for an object',
      { ...GOOD, options: [] },
      ['options: must be an object, but is a list'],
    ],
    [
      'a prefixed enum',
      { ...GOOD, priority: 'PRIORITY_HIGH' },
      ['priority: must be one of CRITICAL, HIGH, NORMAL, LOW; did you mean HIGH?'],
    ],
    [
      'an enum in small letters',
      { ...GOOD, priority: 'low' },
      ['priority: must be one of CRITICAL, HIGH, NORMAL, LOW; did you mean LOW?'],
    ],
    [
      'metadata that is no text',
      { ...GOOD, metadata: { a: 1 } },
      ['metadata.a: must be a string, but is 1'],
    ],
    [
      '__proto__',
      JSON.parse('{"tenant":"t","project":"p","input":1,"__proto__":{"admin":true}}') as object,
      ['__proto__: is no field of a request'],
    ],
    [
      '__proto__ in options',
      JSON.parse('{"tenant":"t","project":"p","input":1,"options":{"__proto__":{}}}') as object,
      ['options.__proto__: is no field of a request'],
    ],
    [
      '__proto__ in metadata',
      JSON.parse('{"tenant":"t","project":"p","input":1,"metadata":{"__proto__":"x"}}') as object,
      ['metadata.__proto__: is no field of a request'],
    ],
    [
      'constructor',
      { ...GOOD, constructor: 1 },
      [
        'constructor: unknown field; there are pool, tenant, project, agent, conversation_id, request_id, priority, options, metadata, input, lease_id',
      ],
    ],
  ])('refuses %s', (_, body, problems) => {
    expect(problemsOf(() => readMessage(executeRequest, body as Record<string, unknown>))).toEqual(
      problems,
    );
  });

  it.each(['', '.', '..', 'a/b', 'a b', 'a\u0000', 'ä', '\u202e', 'a'.repeat(254), 'a~b', 'a\n'])(
    'refuses the name %j',
    (name) => {
      expect(problemsOf(() => readMessage(executeRequest, { ...GOOD, tenant: name }))).toEqual([
        'tenant: must be 1 to 253 of A-Z a-z 0-9 . _ : @ -, and not . or ..',
      ]);
    },
  );

  it('names at most 20 wrong fields', () => {
    const body = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`wrong${index}`, 1]));
    expect(problemsOf(() => readMessage(executeRequest, body))).toHaveLength(20);
  });
});

describe('a query', () => {
  it('becomes numbers, enums and names', () => {
    expect(readTexts(instanceQuery, { tier: 'HOT', page_size: '7', tenant: 't' })).toMatchObject({
      tier: 'HOT',
      page_size: 7,
      tenant: 't',
    });
    expect(readTexts(instanceQuery, { pageSize: '7' })).toMatchObject({ page_size: 7 });
  });

  it.each<[Record<string, string>, string[]]>([
    [{ tier: 'LUKEWARM' }, ['tier: must be one of HOT, WARM, COLD']],
    [{ tier: 'TIER_HOT' }, ['tier: must be one of HOT, WARM, COLD; did you mean HOT?']],
    [{ page_size: 'many' }, ['page_size: must be a whole number, but is a string']],
    [{ page_size: '-1' }, ['page_size: must be a whole number, but is a string']],
    [{ pagesize: '1' }, ['pagesize: unknown field; did you mean "page_size"?']],
    [{ tenant: '..' }, ['tenant: must be 1 to 253 of A-Z a-z 0-9 . _ : @ -, and not . or ..']],
  ])('refuses %j', (query, problems) => {
    expect(problemsOf(() => readTexts(instanceQuery, query))).toEqual(problems);
  });
});
