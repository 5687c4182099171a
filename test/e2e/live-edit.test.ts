import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { call, execute, executeStream } from './http-calls.ts';
import { LIVE_EDITS, patched } from './live-edit-rows.ts';
import { destroyAll, runAgentpool, type Server, startStandalone } from './server.ts';
import { SteadyLoad } from './steady-load.ts';
import { until } from './until.ts';
import { AGENTS, createWorkspace, poolManifest, type Workspace } from './workspace.ts';

/** Several starts each, on a machine that may be busy. */
jest.setTimeout(120_000);
const EFFECT_WITHIN_MS = 30_000;

const MORE_AGENTS = AGENTS.replace(
  /\];\s*$/,
  `
  { name: 'store', process: async (task: { input: string }, { state }: { state: { set(key: string, value: string): Promise<void> } }) => { await state.set('big', task.input); } },
  { name: 'turns', process: async (_task: unknown, { conversation }: { conversation: { turns: unknown[] } }) => conversation.turns.length },
  {
    name: 'lazy',
    async initialize({ project }: { project: string }) { if (project.startsWith('lazy')) await new Promise((resolve) => setTimeout(resolve, 2_000)); },
    process: async (task: { input: unknown }) => task.input,
  },
  { name: 'deaf', process: () => new Promise((resolve) => setTimeout(resolve, 20_000)) },
  { name: 'exits', process() { process.exit(1); } },
  { name: 'greets', process: async (_task: unknown, { config }: { config: { greeting?: string } }) => config.greeting ?? '' },
];
`,
);

let place: Workspace;
let server: Server;

const prepare = (): void => {
  place = createWorkspace();
  place.write('agents.ts', MORE_AGENTS);
  place.write('pool.yaml', poolManifest());
};
const start = (...args: string[]): Promise<Server> =>
  startStandalone({ manifests: [place.path('pool.yaml')], data: place.data }, { args });
const leave = async (): Promise<void> => {
  await destroyAll();
  place.remove();
};
const describePool = async (on: Server): Promise<string> =>
  (await runAgentpool(['describe', 'pool', 'assistants', '--server', on.http])).stdout;
const ask = (on: Server, task: object) =>
  call<{ reason?: string; output?: unknown }>(on, '/api/v1/execute', {
    body: { tenant: 'acme', project: 'docs', agent: 'counter', input: null, ...task },
  });

describe('a limit that is edited while it serves', () => {
  const WIDE = { memoryMb: 128, maxConcurrentRequests: 100, requestsPerMinute: 1_000_000 };
  const BASE = {
    runtime: { agentModule: './agents.ts' },
    maxInstances: 1_000,
    tiers: {
      hot: { quota: WIDE },
      warm: { quota: WIDE },
      cold: { quota: WIDE, idleSeconds: 3_600 },
    },
    projects: { steady: { quota: WIDE, tier: 'WARM' } },
  };
  let load: SteadyLoad;

  /** Projects by name here: a list cannot be patched. YAML takes JSON. */
  const write = (patch: unknown): void => {
    const { projects, ...spec } = patched(BASE, patch) as Readonly<Record<string, object>>;
    const entries = Object.entries(projects ?? {}).map(([project, entry]) => ({
      tenant: 'acme',
      project,
      ...(entry as object),
    }));
    place.write(
      'pool.yaml',
      JSON.stringify({
        apiVersion: 'agentpool.dev/v1alpha1',
        kind: 'AgentPool',
        metadata: { name: 'assistants' },
        spec: { ...spec, projects: entries },
      }),
    );
  };

  beforeAll(async () => {
    prepare();
    write({});
    server = await start();
    load = new SteadyLoad(server, { projects: ['steady'], lanes: 1 });
    const kept = { project: 'aged', agent: 'echo', input: 1, request_id: 'kept' };
    await execute(server, kept);
    expect(await execute(server, kept)).toMatchObject({ replayed: true });
  });
  afterEach(() => {
    expect(load.failures).toEqual([]);
  });
  afterAll(async () => {
    const { failures, answered, counted } = await load.stop();
    await server.stop();
    await leave();
    expect(failures).toEqual([]);
    expect(counted).toEqual(answered);
  });

  it.each(LIVE_EDITS)('$name', async ({ spec, holds }) => {
    write(spec);
    let asked = 0;
    await until('the edit has taken effect', () => holds(server, ++asked), EFFECT_WITHIN_MS);
    const before = load.of('steady').tiers.length;
    await until('others are served as ever', () => load.of('steady').tiers.length > before);
    expect(server.stderr()).not.toMatch(/stay as they were/);
  });
});

describe('times of a link that are edited while it is open', () => {
  const linked = (link: object): string =>
    poolManifest('assistants', `  link: ${JSON.stringify(link)}\n`);
  /** Neither notices a silence nor comes back before a minute. */
  const PATIENT = {
    pingMs: 1_000,
    pingTimeoutMs: 60_000,
    reconnectMinMs: 60_000,
    reconnectMaxMs: 60_000,
  };
  const connection = async () => {
    const { body } = await call<{ connections: { runtime: string; state: string }[] }>(
      server,
      '/api/v1/pool/stats',
    );
    return body.connections[0];
  };

  beforeAll(async () => {
    prepare();
    place.write('pool.yaml', linked(PATIENT));
    server = await start();
  });
  afterAll(async () => {
    await server.stop();
    await leave();
  });

  it('holds for the link that is there: how soon a silence is noticed, and how soon it is dialled again', async () => {
    const before = await connection();
    const [runtime] = server.children();
    if (runtime === undefined) throw new Error('there is no runtime');
    const hasty = { ...PATIENT, pingMs: 100, pingTimeoutMs: 100 };
    place.write('pool.yaml', linked(hasty));
    const isKnown = async (): Promise<boolean> =>
      /"pingTimeoutMs":100\b/.test(JSON.stringify((await call(server, '/api/v1/pools')).body));
    await until('the edit is known', isKnown, EFFECT_WITHIN_MS);
    // A runtime that is silent for 5 s is replaced: it stands still for less.
    process.kill(runtime.pid, 'SIGSTOP');
    try {
      await until(
        'the silence is noticed',
        async () => (await connection())?.state === 'backoff',
        4_000,
      );
    } finally {
      process.kill(runtime.pid, 'SIGCONT');
    }
    place.write('pool.yaml', linked({ ...hasty, reconnectMinMs: 50, reconnectMaxMs: 50 }));
    await until(
      'it is dialled again',
      async () => (await connection())?.state === 'ready',
      EFFECT_WITHIN_MS / 2,
    );
    expect((await connection())?.runtime).toBe(before?.runtime);
    expect(await execute(server, { agent: 'echo', input: 1 })).toMatchObject({ output: 1 });
  });
});

describe('an edit of which pools there are', () => {
  beforeEach(prepare);
  afterEach(leave);

  const three = (policy: string): string =>
    [poolManifest('kept', '  deletionPolicy: Retain\n'), poolManifest('erased', policy)].join(
      '---\n',
    ) + `---\n${poolManifest()}`;
  const count = async (pool: string): Promise<number> => {
    const { body } = await ask(server, { pool });
    return (body.output as { count: number } | undefined)?.count ?? 0;
  };
  const isGone = async (pool: string): Promise<boolean> =>
    (await ask(server, { pool, agent: 'echo' })).body.reason === 'UNKNOWN_POOL';

  it('removes pools while their tasks run: these end well, projects go or stay as the policy says, others notice nothing', async () => {
    place.write('pool.yaml', three('  deletionPolicy: Delete\n'));
    server = await start();
    const load = new SteadyLoad(server, {
      projects: ['steady'],
      lanes: 2,
      request: { pool: 'assistants' },
    });
    expect(await Promise.all(['kept', 'erased'].map(count))).toEqual([1, 1]);
    const running = ['kept', 'erased'].map((pool) =>
      ask(server, { pool, agent: 'slow', input: { chunks: 40, everyMs: 50 } }),
    );
    await until('they run', async () => {
      const { body } = await call<{ instances: { state: string }[] }>(
        server,
        '/api/v1/pool/instances?pool=erased&state=BUSY',
      );
      return body.instances.length === 1;
    });
    place.write('pool.yaml', poolManifest());
    for (const pool of ['kept', 'erased'])
      await until(`${pool} is gone`, () => isGone(pool), EFFECT_WITHIN_MS);
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200]);
    place.write('pool.yaml', three('  deletionPolicy: Delete\n'));
    await until('they are served again', async () => (await count('kept')) > 0, EFFECT_WITHIN_MS);
    await until('they are served again', async () => (await count('erased')) > 0, EFFECT_WITHIN_MS);
    expect([await count('kept'), await count('erased')]).toEqual([3, 2]);
    const { failures } = await load.stop();
    expect(failures).toEqual([]);
    await server.stop();
  });

  it('goes on erasing after kill -9 of everything', async () => {
    place.write('pool.yaml', three('  deletionPolicy: Delete\n'));
    server = await start();
    expect(await count('erased')).toBe(1);
    const cut = ask(server, {
      pool: 'erased',
      agent: 'slow',
      input: { chunks: 600, everyMs: 100 },
    }).catch(() => undefined);
    await until('it runs', async () => {
      const { body } = await call<{ instances: unknown[] }>(
        server,
        '/api/v1/pool/instances?pool=erased&state=BUSY',
      );
      return body.instances.length === 1;
    });
    place.write('pool.yaml', poolManifest());
    await until(
      'the pool is going',
      async () => (await ask(server, { pool: 'erased' })).body.reason === 'SUSPENDED',
      EFFECT_WITHIN_MS,
    );
    await server.destroy();
    await cut;
    server = await start();
    await until('it is gone', () => isGone('erased'), EFFECT_WITHIN_MS);
    place.write('pool.yaml', three('  deletionPolicy: Delete\n'));
    await until('it is served again', async () => (await count('erased')) > 0, EFFECT_WITHIN_MS);
    expect(await count('erased')).toBe(2);
    await server.stop();
  });
});

describe('an edit that is broken', () => {
  beforeAll(async () => {
    prepare();
    server = await start();
  });
  afterEach(async () => {
    place.write('pool.yaml', poolManifest());
    place.write('agents.ts', MORE_AGENTS);
    await until(
      'nothing fails any more',
      async () => {
        const { body } = await call<{ pools: { status: { conditions: object[] } }[] }>(
          server,
          '/api/v1/pools',
        );
        return JSON.stringify(body.pools[0]?.status.conditions).includes('AsExpected');
      },
      EFFECT_WITHIN_MS,
    );
  });
  afterAll(async () => {
    await server.stop();
    await leave();
  });

  it.each([
    [
      'a module with a syntax error',
      'agents.ts',
      'export default [{ name: ',
      /AgentModuleInvalid .*agents\.ts:1:\d+/,
    ],
    [
      'a module that exports no agent',
      'agents.ts',
      'export default 7',
      /AgentModuleInvalid .*agents?/,
    ],
    ['YAML that is none', 'pool.yaml', 'a: [', /ManifestInvalid .*pool\.yaml:1: not valid YAML/],
    [
      'an unknown field',
      'pool.yaml',
      `${poolManifest()}  replica: 2\n`,
      /ManifestInvalid .*pool\.yaml:\d+: spec\.replica: unknown field/,
    ],
    [
      'another store',
      'pool.yaml',
      poolManifest('assistants', '  checkpoint: {storage: memory}\n'),
      /ManifestInvalid .*spec\.checkpoint\.storage: memory takes effect after a restart only/,
    ],
  ])(
    '%s: it goes on serving, and describe says what is wrong and where',
    async (_what, file, text, told) => {
      const load = new SteadyLoad(server, { projects: ['steady'], lanes: 2 });
      const before = (await ask(server, {})).body.output as { count: number };
      place.write(file, text);
      await until(
        'it is told',
        async () => told.test(await describePool(server)),
        EFFECT_WITHIN_MS,
      );
      expect((await ask(server, {})).body.output).toEqual({ count: before.count + 1 });
      expect(server.stderr()).not.toMatch(/ManifestInvalid/);
      const { failures } = await load.stop();
      expect(failures).toEqual([]);
    },
  );
});

describe('an edit of the module, again and again', () => {
  beforeEach(prepare);
  afterEach(leave);

  it('leaves no bundle behind that nothing needs', async () => {
    server = await start();
    const version = (n: number) =>
      MORE_AGENTS.replace('config.greeting', `'v${n}' + config.greeting`);
    for (let n = 1; n <= 3; n += 1) {
      for (const name of place.list('data/modules')) place.age(`data/modules/${name}`, 3_600);
      place.write('agents.ts', version(n));
      await until(
        'it serves',
        async () =>
          String((await execute(server, { agent: 'greets', input: 1 })).output).startsWith(`v${n}`),
        EFFECT_WITHIN_MS,
      );
    }
    await until(
      'old ones are gone',
      () => place.list('data/modules').length === 2,
      EFFECT_WITHIN_MS,
    );
    await server.stop();
  });
});

describe('SIGTERM', () => {
  beforeEach(prepare);
  afterEach(leave);

  it('lets running tasks end, streamed and not, takes no new one, and leaves with 0 and without orphans', async () => {
    server = await start();
    await execute(server, { agent: 'echo', input: 1 });
    const input = { chunks: 100, everyMs: 50 };
    const streamed = executeStream(server, { agent: 'slow', input });
    const plain = ask(server, { agent: 'slow', project: 'other', input });
    await until('both run', async () => {
      const { body } = await call<{ instances: object[] }>(
        server,
        '/api/v1/pool/instances?state=BUSY',
      );
      return body.instances.length === 2;
    });
    const stopped = server.stop();
    expect((await streamed).at(-1)).toMatchObject({ event: 'result' });
    expect(await plain).toMatchObject({ status: 200, body: { output: { chunks: 100 } } });
    expect(await stopped).toEqual({ code: 0, signal: null });
    expect(server.children()).toEqual([]);
    await expect(ask(server, {})).rejects.toThrow();
  });
});
