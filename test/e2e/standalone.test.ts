import { createServer, type Server as NetServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Client } from '../kill/client.ts';
import { call, execute, executeStream } from './http-calls.ts';
import { destroyAll, REPOSITORY, runAgentpool, type Server, startStandalone } from './server.ts';
import { until } from './until.ts';
import { AGENTS, createWorkspace, poolManifest, type Workspace } from './workspace.ts';

/** Several starts each, on a machine that may be busy. */
jest.setTimeout(120_000);
/** A process may have to start for it. */
const EFFECT_WITHIN_MS = 30_000;

let place: Workspace;

beforeEach(() => {
  place = createWorkspace();
  place.write('agents.ts', AGENTS);
  place.write('pool.yaml', poolManifest());
});

afterEach(async () => {
  await destroyAll();
  place.remove();
});

const start = (...args: string[]): Promise<Server> =>
  startStandalone({ manifests: [place.path('pool.yaml')], data: place.data }, { args });

/** `standalone` that is expected to fail: `--http 0 --grpc 0` unless the test says otherwise. */
const fail = (...args: string[]) => {
  const ports = args.includes('--http') ? [] : ['--http', '0', '--grpc', '0'];
  return runAgentpool([
    'standalone',
    '-f',
    place.path('pool.yaml'),
    '--data',
    place.data,
    ...ports,
    ...args,
  ]);
};

describe('a start from nothing', () => {
  it('answers over HTTP, SSE and gRPC in three tiers, and leaves nothing behind when it is told to stop', async () => {
    const server = await start();
    expect(server.stdout()).toMatch(/^AgentPool is ready after \d+\.\d s\.$/m);
    expect(server.stdout()).toContain('agents: counter, echo, slow, busy');

    const first = await execute(server, { agent: 'counter', input: null });
    expect(first).toMatchObject({ tier: 'WARM', output: { count: 1 }, replayed: false });
    expect(first.timings.activate_ms).toBeGreaterThan(0);

    const events = await executeStream(server, { agent: 'slow', input: { chunks: 2, everyMs: 1 } });
    expect(events.map(({ event }) => event)).toEqual(['start', 'chunk', 'chunk', 'result']);

    const client = new Client(server.grpc);
    const answer = await client.execute({
      tenant: 'acme',
      project: 'docs',
      agent: 'counter',
      json_utf8: Buffer.from('null'),
    });
    expect(JSON.parse(String(answer.json_utf8))).toEqual({ count: 2 });
    client.close();

    const tier = '/api/v1/projects/acme/docs/tier';
    for (const wanted of ['COLD', 'HOT']) {
      expect(await call(server, tier, { method: 'PUT', body: { tier: wanted } })).toMatchObject({
        status: 200,
      });
      await until(
        `the project lives in ${wanted}`,
        async () => (await execute(server, { agent: 'echo', input: 1 })).tier === wanted,
        EFFECT_WITHIN_MS,
      );
    }
    expect(await execute(server, { agent: 'counter', input: null })).toMatchObject({
      tier: 'HOT',
      output: { count: 3 },
    });

    expect(server.children().length).toBeGreaterThan(1);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    expect(server.stderr()).not.toMatch(/error|warn|Degraded|\bat /);
  });

  it('serves the example of `npm start`', async () => {
    const server = await startStandalone({
      manifests: [`${REPOSITORY}examples/getting-started/pool.yaml`],
      data: place.data,
    });
    expect(await execute(server, { input: 'my name is Ada' })).toMatchObject({
      output: expect.stringContaining('Ada'),
    });
    await server.stop();
  });

  it('finds its state again', async () => {
    const server = await start();
    await execute(server, { agent: 'counter', input: null });
    await server.stop();
    const again = await start();
    expect(await execute(again, { agent: 'counter', input: null })).toMatchObject({
      output: { count: 2 },
    });
    await again.stop();
  });
});

describe('a live edit', () => {
  it('applies a changed module and manifest, keeps state, and keeps serving when an edit is broken', async () => {
    const server = await start();
    await execute(server, { agent: 'counter', input: null });
    place.write('agents.ts', AGENTS.replace('(n = 0) => n + 1', '(n = 0) => n + 100'));
    await until(
      'the new module serves',
      async () => {
        const { output } = await execute(server, { agent: 'counter', input: null });
        return (output as { count: number }).count > 100;
      },
      EFFECT_WITHIN_MS,
    );

    place.write('agents.ts', 'export default [{ name: ');
    await until('the broken module is reported', () =>
      server.stderr().includes('AgentModuleInvalid'),
    );
    expect(server.stderr()).toContain('agents.ts');
    expect(await execute(server, { agent: 'echo', input: 'still here' })).toMatchObject({
      output: 'still here',
    });

    place.write('pool.yaml', `${poolManifest()}\n  replicas: many\n`);
    await until('the broken manifest is reported', () => server.stderr().includes('spec.replicas'));
    expect(await execute(server, { agent: 'echo', input: 'still here' })).toMatchObject({
      output: 'still here',
    });

    place.write('agents.ts', AGENTS);
    place.write(
      'pool.yaml',
      poolManifest('assistants', '  tiers: {default: COLD}').replace(/ {2}tiers:\n( {4}.*\n)+/, ''),
    );
    await until(
      'the new default tier holds',
      async () =>
        (await execute(server, { project: 'new', agent: 'echo', input: 1 })).tier === 'COLD',
      EFFECT_WITHIN_MS,
    );
    await server.stop();
  });

  it('serves a pool that is added to the file, and forgets one that is removed', async () => {
    const server = await start();
    place.write('pool.yaml', `${poolManifest()}---\n${poolManifest('second')}`);
    await until(
      'the second pool serves',
      () => execute(server, { pool: 'second', agent: 'echo', input: 1 }),
      EFFECT_WITHIN_MS,
    );
    place.write('pool.yaml', poolManifest('second'));
    await until('the first pool is gone', async () => {
      const { body } = await call(server, '/api/v1/execute', {
        body: { pool: 'assistants', tenant: 'a', project: 'b', input: 1 },
      });
      return body['reason'] === 'UNKNOWN_POOL';
    });
    await server.stop();
  });
});

describe('a start that cannot be', () => {
  const taken: NetServer[] = [];
  afterEach(() => {
    for (const one of taken.splice(0)) one.close();
  });
  const takePort = async (): Promise<string> => {
    const server = createServer();
    taken.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return String((server.address() as AddressInfo).port);
  };

  it.each([
    [
      'an invalid manifest',
      { 'pool.yaml': `${poolManifest()}  replica: 2\n` },
      /pool\.yaml:\d+: spec\.replica: unknown field.*replicas/,
    ],
    ['a manifest that is not YAML', { 'pool.yaml': 'a: [' }, /pool\.yaml:1: not valid YAML/],
    [
      'a module with a syntax error',
      { 'agents.ts': 'export default [{ name: ' },
      /agents\.ts:1:\d+/,
    ],
    [
      'TypeScript that cannot be stripped',
      { 'agents.ts': 'export default { name: "a", process(x: ) {} }' },
      /agents\.ts:1:\d+/,
    ],
    [
      'a module that throws when it loads',
      { 'agents.ts': 'throw new Error("no database");' },
      /no database/,
    ],
    ['a module without agents', { 'agents.ts': 'export default 42;' }, /agents?/],
    [
      'an import that leads nowhere',
      { 'agents.ts': 'import "./gone.ts"; export default [];' },
      /gone\.ts/,
    ],
  ])('%s: one clear message, exit code 1, nothing left', async (_what, files, message) => {
    for (const [name, text] of Object.entries(files)) place.write(name, text);
    const { code, stdout, stderr } = await fail();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(4);
  });

  it.each([
    ['HTTP', (port: string) => ['--http', port, '--grpc', '0']],
    ['gRPC', (port: string) => ['--http', '0', '--grpc', port]],
  ])('a taken port for %s', async (name, args) => {
    const port = await takePort();
    const { code, stderr } = await fail(...args(port));
    expect(code).toBe(1);
    expect(stderr).toContain(`cannot listen for ${name} on 127.0.0.1:${port}`);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('a second start on the same data folder', async () => {
    const server = await start();
    const { code, stderr } = await fail();
    expect(code).toBe(1);
    expect(stderr).toContain(place.data);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(await execute(server, { agent: 'echo', input: 1 })).toMatchObject({ output: 1 });
    await server.stop();
  });

  it.each([
    [['--host', '0.0.0.0'], 2, /--tokens/],
    [['--tokens', 'nowhere.json'], 1, /nowhere\.json/],
    [['--http', '8000', '--grpc', '8000'], 2, /a port of its own/],
  ])('options %j end with %i', async (args, code, message) => {
    expect(await fail(...args)).toMatchObject({ code, stderr: expect.stringMatching(message) });
  });
});

it('asks for tokens where there are some, and each role may do its own', async () => {
  place.write(
    'tokens.json',
    JSON.stringify([
      { token: 'caller-token', subject: 'web', tenants: ['acme'], role: 'caller' },
      { token: 'admin-token', subject: 'ops', tenants: ['*'], role: 'admin' },
    ]),
  );
  const server = await start('--tokens', place.path('tokens.json'), '--host', '0.0.0.0');
  const cli = (args: string[], token: string) =>
    runAgentpool([...args, '--server', server.http.replace('0.0.0.0', '127.0.0.1')], {
      env: { AGENTPOOL_TOKEN: token },
    });
  const ask = ['ask', '-t', 'acme', '-P', 'docs', '-a', 'echo', 'hello'];
  expect(await cli(ask, '')).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('TOKEN_INVALID'),
  });
  expect(await cli(ask, 'caller-token')).toMatchObject({ code: 0, stdout: 'hello\n' });
  expect(await cli(['ask', '-t', 'other', '-P', 'docs', 'x'], 'caller-token')).toMatchObject({
    code: 4,
  });
  expect(await cli(['get', 'pools'], 'caller-token')).toMatchObject({ code: 4 });
  expect(await cli(['get', 'pools'], 'admin-token')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('default/assistants'),
  });
  await server.stop();
});
