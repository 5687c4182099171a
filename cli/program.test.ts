import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createFakeTerminal, type FakeTerminalOptions } from '../test/fakes/fake-terminal.ts';
import { EXIT_MEANINGS } from './exit-code.ts';
import { run } from './program.ts';

interface Seen {
  readonly request: string;
  readonly body: unknown;
  readonly authorization: string | undefined;
  readonly accept: string | undefined;
}

interface Answer {
  readonly status?: number;
  readonly type?: string;
  readonly body: string;
}

/** A gateway that gives the answers of a table, and remembers what it was asked. */
let server: Server;
let address = '';
let seen: Seen[] = [];
let answers: Record<string, Answer | ((seen: Seen) => Answer)> = {};

const json = (value: unknown, status = 200): Answer => ({ status, body: JSON.stringify(value) });
const problem = (status: number, reason: string, detail: string, more: object = {}): Answer => ({
  status,
  type: 'application/problem+json',
  body: JSON.stringify({ status, reason, detail, ...more }),
});
const events = (...list: readonly [string, object][]): Answer => ({
  type: 'text/event-stream',
  body: `: keep-alive\n\n${list.map(([event, data], index) => `event: ${event}\nid: ${index + 1}\ndata: ${JSON.stringify(data)}\n\n`).join('')}`,
});

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}

beforeAll(async () => {
  server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const name = `${request.method ?? ''} ${request.url ?? ''}`;
      const { authorization, accept } = request.headers;
      const one = { request: name, body, authorization, accept };
      seen.push(one);
      const found = answers[name] ?? problem(404, 'UNIMPLEMENTED', `nothing at ${name}`);
      const {
        status = 200,
        type = 'application/json',
        body: text,
      } = typeof found === 'function' ? found(one) : found;
      response.writeHead(status, { 'content-type': type }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

beforeEach(() => {
  seen = [];
  answers = {};
});

async function agentpool(args: string, options: FakeTerminalOptions = {}) {
  const terminal = createFakeTerminal({
    ...options,
    environment: { AGENTPOOL_SERVER: address, ...options.environment },
  });
  // Quoted parts stay one argument, as in a shell.
  const parts = [...args.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
  const code = await run(parts, terminal);
  return { code, stdout: terminal.stdout(), stderr: terminal.stderr() };
}

const POOL = {
  name: 'assistants',
  namespace: 'default',
  spec: {
    runtime: { agentModule: './agents.ts', isolation: 'WorkerThread' },
    tiers: { default: 'WARM' },
  },
  status: {
    readyReplicas: 1,
    desiredReplicas: 2,
    updatedReplicas: 1,
    currentRevision: 'a1',
    updateRevision: 'b2',
    tiers: [
      { name: 'HOT', ready: 1 },
      { name: 'WARM', ready: 7 },
      { name: 'COLD', ready: 0 },
    ],
    conditions: [
      { type: 'Ready', status: 'False', reason: 'RollingOut', message: 'b2 replaces a1' },
      { type: 'Degraded', status: 'True', reason: 'HotCapacityReached', message: '11 of 10' },
    ],
  },
  quarantined: [{ tenant: 'acme', project: 'bad', state: 'open', retry_after_ms: 28_500 }],
  report: {
    driver: 'process',
    notEnforced: [{ field: 'spec.tiers.hot.quota.memoryMb', instead: 'watched' }],
    events: [
      {
        type: 'Normal',
        reason: 'RolloutStarted',
        message: 'revision b2 rolls out',
        count: 1,
        lastTime: '2026-01-01T00:00:00Z',
      },
    ],
  },
};
const RESULT = {
  request_id: 'r-1',
  conversation_id: 'c-9',
  instance_id: 'i',
  agent: 'guide',
  tier: 'WARM',
  output: 'Hello Ada',
  timings: { queue_ms: 0, activate_ms: 12.3, run_ms: 0.4 },
};
const PROJECT = '-t acme -P docs';

describe('exit codes', () => {
  it.each([
    ['help', 0],
    ['--help', 0],
    ['ask --help', 0],
    ['--version', 0],
    ['version', 0],
    ['', 2],
    ['frobnicate', 2],
    ['get', 2],
    ['get things', 2],
    ['ask hello', 2],
    [`ask ${PROJECT}`, 2],
    [`ask ${PROJECT} --wrong hello`, 2],
    [`ask ${PROJECT} --json '{oops'`, 2],
    [`ask ${PROJECT} --server 'ftp://x' hello`, 2],
    [`tier set ${PROJECT} LUKEWARM`, 2],
    [`tier set ${PROJECT} HOT --ttl soon`, 2],
    ['get instances --limit 0', 2],
    ['get pools -o xml', 2],
    ['pause', 2],
    [`delete project ${PROJECT}`, 2],
    ['completion tcsh', 2],
    ['standalone', 2],
    ['standalone -f a.yaml --http 70000', 2],
    ['standalone -f a.yaml --driver docker', 2],
    ['get pools --server 127.0.0.1:2', 5],
  ])('%j ends with %i', async (args, code) => {
    expect(await agentpool(args)).toMatchObject({ code });
  });

  it.each([
    [400, 'INVALID_FIELD', 2],
    [401, 'TOKEN_INVALID', 4],
    [403, 'FORBIDDEN', 4],
    [404, 'UNKNOWN_POOL', 3],
    [409, 'PAUSED', 1],
    [413, 'PAYLOAD_TOO_LARGE', 2],
    [429, 'RATE_LIMITED', 5],
    [500, 'AGENT_ERROR', 1],
    [503, 'STORE_UNAVAILABLE', 5],
    [504, 'DEADLINE', 1],
  ])('an answer of %i %s ends with %s', async (status, reason, code) => {
    answers = { 'GET /api/v1/pools': problem(status, reason, 'the detail') };
    const ended = await agentpool('get pools');
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toMatch(/^agentpool: the detail \([A-Z_]+\)\n/);
  });

  it('help names them all', async () => {
    const { stdout } = await agentpool('--help');
    for (const [code, meaning] of Object.entries(EXIT_MEANINGS))
      expect(stdout).toContain(`${code}  ${meaning}`);
  });
});

describe('what a failure says', () => {
  it('names the server, the cause and what to do when nothing listens', async () => {
    const { stderr } = await agentpool('get pools --server :2');
    expect(stderr).toContain('agentpool: cannot reach http://127.0.0.1:2: nothing listens there\n');
    expect(stderr).toContain('agentpool standalone -f pool.yaml');
  });

  it('shows what came instead of an answer of ours', async () => {
    answers = { 'GET /api/v1/pools': { body: '<html>' } };
    expect((await agentpool('get pools')).stderr).toContain(
      'does not answer like an AgentPool gateway',
    );
    answers = { 'GET /api/v1/pools': { status: 502, body: 'bad gateway' } };
    expect(await agentpool('get pools')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('bad gateway'),
    });
  });

  it('suggests the command that was meant, and where help is', async () => {
    const { stderr } = await agentpool('get instance');
    expect(stderr).toContain('instances');
    expect(stderr).toContain('agentpool get --help');
  });
});

describe('get', () => {
  it('prints pools as a table', async () => {
    answers = { 'GET /api/v1/pools': json({ pools: [POOL] }) };
    const { stdout, code } = await agentpool('get pools');
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.split(/\s{2,}/))).toEqual([
      ['NAME', 'READY', 'DESIRED', 'REPLICAS', 'HOT', 'WARM', 'COLD', 'REASON'],
      ['default/assistants', 'False', '2', '1', '1', '7', '0', 'RollingOut'],
      [''],
    ]);
  });

  it.each([
    ['json', (text: string) => JSON.parse(text) as unknown],
    [
      'yaml',
      (text: string) =>
        text.startsWith('pools:\n  - name: assistants\n') ? { pools: [POOL] } : text,
    ],
  ])('prints all of it as %s', async (format, read) => {
    answers = { 'GET /api/v1/pools': json({ pools: [POOL] }) };
    expect(read((await agentpool(`get pools -o ${format}`)).stdout)).toEqual({ pools: [POOL] });
  });

  it('follows pages up to the limit, and says when there are more', async () => {
    const page = (from: number, count: number, token: string) =>
      json({
        instances: Array.from({ length: count }, (_, i) => ({ id: `i${from + i}`, tier: 'WARM' })),
        next_page_token: token,
      });
    answers = {
      'GET /api/v1/pool/instances?tenant=acme&tier=HOT&page_size=3': page(0, 2, 'next'),
      'GET /api/v1/pool/instances?tenant=acme&tier=HOT&page_size=1&page_token=next': page(
        2,
        1,
        'more',
      ),
    };
    const { stdout, stderr } = await agentpool('get instances -t acme --tier hot --limit 3');
    expect(stdout.match(/i\d/g)).toEqual(['i0', 'i1', 'i2']);
    expect(stderr).toContain('There are more');
  });

  it('escapes control characters, so that a name cannot move the cursor', async () => {
    answers = {
      'GET /api/v1/agents': json({ agents: [{ name: 'a\u001B[2Jb', description: '' }] }),
    };
    expect((await agentpool('get agents')).stdout).toContain('a\\x1b[2Jb');
  });

  it('asks for conversations of a project, with names escaped in the path', async () => {
    answers = {
      'GET /api/v1/projects/a%40b/docs/conversations?pool=x&page_size=500': json({
        conversations: [{ id: 'c-1', agent: 'guide', turn_count: 4 }],
      }),
    };
    expect((await agentpool('get conversations -t a@b -P docs -p x')).stdout).toMatch(
      /c-1 +guide +4/,
    );
  });
});

describe('describe pool', () => {
  it('tells tiers, conditions with what to do, what is not enforced, and events', async () => {
    answers = { 'GET /api/v1/pools': json({ pools: [POOL] }) };
    const { stdout } = await agentpool('describe pool assistants');
    expect(stdout).toMatch(/^Name: +default\/assistants$/m);
    expect(stdout).toMatch(/^Revision: +a1, rolling out b2$/m);
    expect(stdout).toMatch(/Degraded +True +HotCapacityReached/);
    expect(stdout).toContain('Raise tiers.hot.maxInstances');
    expect(stdout).toMatch(/spec\.tiers\.hot\.quota\.memoryMb +watched/);
    expect(stdout).toMatch(/acme +bad +open +29 s/);
    expect(stdout).toMatch(/Normal +RolloutStarted +1 +revision b2 rolls out/);
  });

  it('fails with the names there are when it is another', async () => {
    answers = { 'GET /api/v1/pools': json({ pools: [POOL] }) };
    expect(await agentpool('describe pool other')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('default/assistants'),
    });
  });
});

describe('ask', () => {
  it('sends the task and prints the answer alone', async () => {
    answers = { 'POST /api/v1/execute': events(['start', {}], ['result', RESULT]) };
    const { code, stdout, stderr } = await agentpool(
      `ask ${PROJECT} -p pool -a guide -c c-9 --request-id r-1 'hello you' --token secret`,
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'Hello Ada\n', stderr: '' });
    expect(seen).toEqual([
      {
        request: 'POST /api/v1/execute',
        accept: 'text/event-stream',
        authorization: 'Bearer secret',
        body: {
          pool: 'pool',
          tenant: 'acme',
          project: 'docs',
          agent: 'guide',
          conversation_id: 'c-9',
          request_id: 'r-1',
          input: 'hello you',
        },
      },
    ]);
  });

  it('prints chunks as they come and the result only if it says more', async () => {
    answers = {
      'POST /api/v1/execute': events(
        ['chunk', { text: 'Hello ' }],
        ['chunk', { text: 'Ada' }],
        ['result', RESULT],
      ),
    };
    expect((await agentpool(`ask ${PROJECT} x`)).stdout).toBe('Hello Ada\n');
    const said = { ...RESULT, output: { done: true } };
    answers = {
      'POST /api/v1/execute': events(['chunk', { json: { a: 1 } }], ['result', said]),
    };
    expect((await agentpool(`ask ${PROJECT} x`)).stdout).toBe(
      '{\n  "a": 1\n}\n{\n  "done": true\n}\n',
    );
  });

  it('tells a person where and how fast it ran', async () => {
    answers = { 'POST /api/v1/execute': events(['result', RESULT]) };
    const { stderr } = await agentpool(`ask ${PROJECT} x`, { isInteractive: true });
    expect(stderr).toBe('guide · WARM · activated in 12 ms, ran 0.4 ms · conversation c-9\n');
  });

  it.each([
    ['-', { input: 'from a pipe\n' }, 'from a pipe'],
    [`--json '{"a":[1]}'`, {}, { a: [1] }],
    ['--json -', { input: '42' }, 42],
  ])('takes %s as input', async (args, options, input) => {
    answers = { 'POST /api/v1/execute': events(['result', RESULT]) };
    await agentpool(`ask ${PROJECT} ${args}`, options);
    expect(seen[0]?.body).toMatchObject({ input });
  });

  it('prints the whole answer as JSON, asked without a stream', async () => {
    answers = { 'POST /api/v1/execute': json(RESULT) };
    expect(JSON.parse((await agentpool(`ask ${PROJECT} x -o json`)).stdout)).toEqual(RESULT);
    expect(seen[0]?.accept).toBe('application/json');
  });

  it.each([
    [
      'a task error after the first event',
      events(
        ['chunk', { text: 'a' }],
        ['error', { code: 14, reason: 'RUNTIME_LOST', message: 'gone', retry_after_ms: 1500 }],
      ),
      5,
      'gone (RUNTIME_LOST)\nTry again in 2 s.',
    ],
    [
      "the agent's own code",
      events(['error', { code: 5, reason: 'AGENT_ERROR', message: 'no such book' }]),
      3,
      'no such book (AGENT_ERROR)',
    ],
    [
      'a stream that ends early',
      events(['chunk', { text: 'a' }]),
      5,
      'same again with --request-id ID',
    ],
  ])('ends with an exit code for %s', async (_what, answer, code, message) => {
    answers = { 'POST /api/v1/execute': answer };
    const { code: ended, stderr } = await agentpool(`ask ${PROJECT} x`);
    const { request_id: made } = seen[0]?.body as { readonly request_id: string };
    expect([ended, stderr.replace(made, 'ID')]).toEqual([code, expect.stringContaining(message)]);
  });
});

describe('chat', () => {
  it('keeps the conversation from line to line', async () => {
    answers = { 'POST /api/v1/execute': events(['result', RESULT]) };
    const { stdout } = await agentpool(`chat ${PROJECT} -a guide`, { input: 'hello\n\nagain\n' });
    expect(stdout).toBe('Hello Ada\nHello Ada\n');
    expect(seen.map(({ body }) => body)).toMatchObject([
      { input: 'hello' },
      { input: 'again', conversation_id: 'c-9' },
    ]);
  });

  it.each([
    [true, 0, 2],
    [false, 1, 1],
  ])(
    'typed (%s): a failed answer ends it with %i after %i tasks',
    async (isInteractive, code, tasks) => {
      answers = { 'POST /api/v1/execute': problem(500, 'AGENT_ERROR', 'boom') };
      expect(await agentpool(`chat ${PROJECT}`, { input: 'a\nb\n', isInteractive })).toMatchObject({
        code,
        stderr: expect.stringContaining('boom'),
      });
      expect(seen).toHaveLength(tasks);
    },
  );
});

describe('tier, pause, delete, why', () => {
  const TIER = {
    desired: 'HOT',
    current: 'WARM',
    source: 'Override',
    reason: 'an override by API',
  };
  const ID = 'default~assistants~acme~docs';

  it('sets a tier with its time to live and says what happens next', async () => {
    answers = { 'PUT /api/v1/projects/acme/docs/tier': json(TIER) };
    const { stdout } = await agentpool(`tier set ${PROJECT} hot --ttl 1h`);
    expect(seen[0]?.body).toEqual({ tier: 'HOT', ttl_seconds: 3600 });
    expect(stdout).toBe(
      'Tier HOT: an override by API.\nIt is still live in WARM, and moves when no task of it runs.\n',
    );
  });

  it.each([
    [`pause ${ID}`, [`POST /api/v1/pool/instances/${ID}/pause`]],
    [
      `pause ${PROJECT} --force`,
      ['GET /api/v1/pools', `POST /api/v1/pool/instances/${ID}/pause?force=true`],
    ],
    [`resume ${ID}`, [`POST /api/v1/pool/instances/${ID}/resume`]],
    [
      `delete instance ${PROJECT} -p assistants`,
      ['GET /api/v1/pools', `DELETE /api/v1/pool/instances/${ID}`],
    ],
    [`delete project ${PROJECT} --yes`, ['DELETE /api/v1/projects/acme/docs']],
    [`delete conversation ${PROJECT} c-1`, ['DELETE /api/v1/projects/acme/docs/conversations/c-1']],
  ])('%s asks %j', async (args, requests) => {
    answers = { 'GET /api/v1/pools': json({ pools: [POOL] }) };
    for (const name of requests.filter((one) => !one.startsWith('GET'))) answers[name] = json({});
    expect(await agentpool(args)).toMatchObject({ code: 0 });
    expect(seen.map(({ request }) => request)).toEqual(requests);
  });

  it('says which tier and runtime serve a project, and why', async () => {
    answers = {
      'GET /api/v1/pools': json({ pools: [POOL] }),
      'GET /api/v1/projects/acme/docs/tier': json({ ...TIER, current: undefined }),
      [`GET /api/v1/pool/instances/${ID}`]: problem(404, 'UNKNOWN_INSTANCE', 'not live'),
    };
    expect((await agentpool(`why ${PROJECT}`)).stdout).toContain(
      'It is not live now: the next task activates it.',
    );
    answers[`GET /api/v1/pool/instances/${ID}`] = json({
      runtime: 'rt-1',
      state: 'READY',
      requests: 3,
      created: new Date().toISOString(),
    });
    expect((await agentpool(`why ${PROJECT}`)).stdout).toMatch(
      /Runtime rt-1 hosts it for 0s: READY, 3 requests/,
    );
  });
});

describe('config', () => {
  it('without a manifest tells what a pool has by environment and default', async () => {
    const { stdout, stderr } = await agentpool('config -o json', {
      environment: { AGENT_POOL_MAX_INSTANCES: '7', AGENT_POOL_WARMUP_COUNT: '3' },
    });
    expect(stderr).toMatch(/^Warning: AGENT_POOL_WARMUP_COUNT is set, but has no effect/);
    const [{ fields }] = JSON.parse(stdout) as [{ fields: unknown }];
    const source = 'environment AGENT_POOL_MAX_INSTANCES';
    expect(fields).toContainEqual({ field: 'spec.maxInstances', value: 7, source });
    expect(fields).toContainEqual({ field: 'spec.replicas', value: 1, source: 'default' });
  });
});

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('for %s offers commands and options', async (shell) => {
    const { stdout } = await agentpool(`completion ${shell}`);
    for (const word of ['standalone', 'conversations', 'unset']) expect(stdout).toContain(word);
  });
});
