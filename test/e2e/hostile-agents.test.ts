import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Bystanders } from './bystanders.ts';
import { HOSTILE_AGENTS } from './hostile-modules.ts';
import { call, executeStream, type Reply } from './http-calls.ts';
import { destroyAll, type Server, startStandalone } from './server.ts';
import { until } from './until.ts';
import { createWorkspace, poolManifest, type Workspace } from './workspace.ts';

/** Two cores, and other work on them. */
jest.setTimeout(240_000);
const SOON_MS = 60_000;

const LIMITS =
  '  limits: {taskTimeoutSeconds: 60, cancelGraceSeconds: 1, answerBytesMax: 4194304}\n  circuitBreaker: {resetTimeoutSeconds: 3}';

let place: Workspace;
let server: Server;
let bystanders: Bystanders;

async function serve(spec: string, isolation = 'WorkerThread'): Promise<void> {
  place = createWorkspace();
  place.write('agents.ts', HOSTILE_AGENTS);
  place.write(
    'pool.yaml',
    poolManifest('assistants', `${spec}\n`).replace(
      'agents.ts}',
      `agents.ts, isolation: ${isolation}}`,
    ),
  );
  server = await startStandalone({ manifests: [place.path('pool.yaml')], data: place.data });
  // The tenant of the hostile projects has a harmless one too.
  bystanders = new Bystanders(server, ['hostile', 'acme', 'other']);
  await bystanders.start();
}

async function leave(): Promise<void> {
  for (const { counted, answered, failed } of await bystanders.stop()) {
    expect(counted).toBeGreaterThanOrEqual(answered);
    expect(counted).toBeLessThanOrEqual(answered + failed);
  }
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  place.remove();
}

afterAll(destroyAll);

/** One task of a project that bears the agent's name. */
const ask = (agent: string, more: object = {}): Promise<Reply> =>
  call(server, '/api/v1/execute', {
    body: { tenant: 'hostile', project: agent, agent, input: null, ...more },
  });

async function everyBystanderIsServed(): Promise<void> {
  const before = bystanders.fewest;
  await until('every bystander was answered', () => bystanders.fewest >= before + 3, SOON_MS);
}

const noBystanderSawAnError = async (): Promise<void> => {
  await everyBystanderIsServed();
  expect(bystanders.errors).toEqual([]);
};

async function limitTasks(seconds: number): Promise<void> {
  const spec = `${LIMITS.replace('60', String(seconds))}\n`;
  place.write('pool.yaml', poolManifest('assistants', spec));
  await until('the new time-out holds', async () => {
    const { body } = await call(server, '/api/v1/pools');
    return JSON.stringify(body).includes(`"taskTimeoutSeconds":${seconds}`);
  });
}

/** Sends a task, and hangs up when it runs. */
async function vanish(agent: string, input: unknown): Promise<void> {
  const sent = request(`${server.http}/api/v1/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
  });
  sent.on('error', () => undefined);
  sent.end(JSON.stringify({ tenant: 'hostile', project: `vanish-${agent}`, agent, input }));
  await until('it runs', isBusy, SOON_MS);
  sent.destroy();
}

const isBusy = async (): Promise<boolean> => {
  const { body } = await call<{ instances: { state: string; project: string }[] }>(
    server,
    '/api/v1/pool/instances?tenant=hostile',
  );
  return body.instances.some(
    ({ state, project }) => state === 'BUSY' && !project.startsWith('bystander'),
  );
};

describe('an agent in a worker of its own', () => {
  beforeAll(() => serve(LIMITS));
  afterAll(leave);
  afterEach(noBystanderSawAnError);

  const BRIEF = { options: { timeout_ms: 1_000 } };
  it.each<[string, object, number, string]>([
    ['loop', BRIEF, 504, 'DEADLINE'],
    ['microtasks', BRIEF, 504, 'DEADLINE'],
    ['ignores', BRIEF, 504, 'DEADLINE'],
    ['heap', {}, 429, 'MEMORY_LIMIT'],
    ['buffers', { input: { mb: 1_500, pauseMs: 200 } }, 429, 'MEMORY_LIMIT'],
    ['rejection', {}, 500, 'AGENT_EXITED'],
    ['timer', {}, 500, 'AGENT_EXITED'],
    ['exit', {}, 500, 'AGENT_EXITED'],
    ['throws', {}, 500, 'AGENT_ERROR'],
    ['throws-null', {}, 500, 'AGENT_ERROR'],
    ['throws-proxy', {}, 500, 'AGENT_ERROR'],
    ['recursion', {}, 500, 'AGENT_ERROR'],
    ['state-bigint', {}, 500, 'AGENT_ERROR'],
    ['state-cycle', {}, 500, 'AGENT_ERROR'],
    ['state-function', {}, 500, 'AGENT_ERROR'],
    ['state-getter', {}, 500, 'AGENT_ERROR'],
    ['state-huge', {}, 413, 'PAYLOAD_TOO_LARGE'],
    ['answer-getter', {}, 500, 'AGENT_ERROR'],
    ['answer-bigint', {}, 500, 'AGENT_ERROR'],
    ['answer-cycle', {}, 500, 'AGENT_ERROR'],
    ['answer-proxy', {}, 500, 'AGENT_ERROR'],
    ['answer-then', {}, 500, 'AGENT_ERROR'],
    ['answer-deep', {}, 500, 'AGENT_ERROR'],
    ['answer-huge', { input: { bytes: 4_194_305 } }, 413, 'PAYLOAD_TOO_LARGE'],
    ['chunks-huge', {}, 413, 'PAYLOAD_TOO_LARGE'],
    ['flood', {}, 429, 'SLOW_CONSUMER'],
  ])('%s %j fails for itself alone: %i %s', async (agent, more, status, reason) => {
    expect(await ask(agent, more)).toMatchObject({ status, body: { reason } });
    // And its project is of use again.
    expect(await ask('echo', { project: agent, input: 'hello' })).toMatchObject({ status: 200 });
  });

  it.each([
    ['answer-huge', { input: { bytes: 4_000_000 } }],
    ['logs', {}],
    ['emit-later', {}],
  ])('%s %j is served', async (agent, more) => {
    expect(await ask(agent, more)).toMatchObject({ status: 200 });
  });

  it('an endless loop without any deadline ends at the time-out of the pool', async () => {
    await limitTasks(3);
    expect(await ask('loop', { project: 'loop-2' })).toMatchObject({ status: 504 });
    await limitTasks(60);
  });

  it.each([
    ['loop', null],
    ['ignores', null],
    ['cleanup-loop', null],
    ['million', { chunks: 1_000_000 }],
  ])('%s does not go on when its caller has gone', async (agent, input) => {
    await vanish(agent, input);
    await until('nothing of it runs', async () => !(await isBusy()), SOON_MS);
  });

  it('a million chunks are streamed to who takes them', async () => {
    // How long they take is the machine's, not a thing to be tested.
    await limitTasks(170);
    const started = { tenant: 'hostile', project: 'million', agent: 'million' };
    const events = await executeStream(server, { ...started, input: { chunks: 1_000_000 } });
    expect(events.at(-1)).toMatchObject({ event: 'result', data: { output: 1_000_000 } });
    // The start, each chunk, the result.
    expect(events).toHaveLength(1_000_002);
    await limitTasks(60);
  });

  it('a module that is broken by an edit is reported, the old one goes on serving', async () => {
    place.write('agents.ts', 'export default [{ name: ');
    await until('it is reported', () => server.stderr().includes('AgentModuleInvalid'), SOON_MS);
    await everyBystanderIsServed();
    place.write('agents.ts', 'throw new Error("at load");');
    await until('it is reported', () => server.stderr().includes('at load'), SOON_MS);
    await everyBystanderIsServed();
    place.write('agents.ts', HOSTILE_AGENTS.replace("name: 'throws',", "name: 'fixed',"));
    await until(
      'the repaired one serves',
      async () => (await ask('fixed')).body['reason'] === 'AGENT_ERROR',
      SOON_MS,
    );
  });
});

describe('what ends the whole process', () => {
  beforeAll(() => serve(LIMITS));
  afterAll(leave);
  afterEach(noBystanderSawAnError);

  const LONG = { tenant: 'acme', agent: 'slow', input: { chunks: 60, everyMs: 100 } };

  it.each(['kill', 'abort', 'segfault'])(
    '%s: others are retried where nothing was sent, the offender is quarantined until it succeeds',
    async (agent) => {
      const streamed = executeStream(server, { project: 'streamed', ...LONG });
      const unstreamed = call(server, '/api/v1/execute', {
        body: { project: 'unstreamed', ...LONG },
      });
      await everyBystanderIsServed();
      const first = await ask(agent, { options: { retry: 'NEVER' } });
      expect(first).toMatchObject({ status: 503, body: { reason: 'RUNTIME_LOST' } });
      expect(first.body['retry_after_ms']).toBeGreaterThan(0);
      expect((await streamed).at(-1)).toMatchObject({
        event: 'error',
        data: { code: 14, reason: 'RUNTIME_LOST' },
      });
      expect(await unstreamed).toMatchObject({ status: 200, body: { output: { chunks: 60 } } });

      const second = await ask(agent, { options: { retry: 'NEVER' } });
      expect(second).toMatchObject({ status: 503, body: { reason: 'RUNTIME_LOST' } });
      const harmless = { agent: 'echo', project: agent };
      const refused = await ask('echo', harmless);
      expect(refused).toMatchObject({ status: 503, body: { reason: 'CIRCUIT_OPEN' } });
      expect(refused.body['retry_after_ms']).toBeGreaterThan(0);
      expect(await call(server, '/api/v1/pools')).toMatchObject({
        body: {
          pools: [
            {
              quarantined: expect.arrayContaining([
                expect.objectContaining({ project: agent, state: 'open' }),
              ]),
            },
          ],
        },
      });
      await everyBystanderIsServed();
      await until('it is tried again', async () => (await ask('echo', harmless)).status === 200);
      expect(await ask('echo', harmless)).toMatchObject({ status: 200 });
    },
  );

  it.each([1, 2, 3])(
    'one task that kills and is retried costs no bystander anything (%i)',
    async (n) => {
      const killed = await ask('kill', { project: `retried-${n}` });
      expect(killed).toMatchObject({ status: 503, body: { reason: 'RUNTIME_LOST' } });
    },
  );

  it('Buffers faster than the watchdog end the agent or its process, and nobody else', async () => {
    const { status } = await ask('buffers', { input: { mb: 2_048, pauseMs: 0 } });
    expect([200, 429, 503]).toContain(status);
  });
});

describe('agents that share a heap', () => {
  beforeAll(() => serve(`${LIMITS}\n  recovery: {maxFailuresPerHour: 1000}`, 'Shared'));
  afterAll(leave);
  afterEach(everyBystanderIsServed);

  it.each([
    ['loop', { options: { timeout_ms: 1_000 } }],
    ['heap', { options: { timeout_ms: 1_000 } }],
    ['rejection', {}],
    ['exit', {}],
    ['kill', {}],
    ['ignores', { options: { timeout_ms: 1_000 } }],
    ['answer-cycle', {}],
  ])('%s: nothing acknowledged is lost', async (agent, more) => {
    expect((await ask(agent, more)).status).toBeGreaterThanOrEqual(400);
  });
});
