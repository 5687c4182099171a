import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { call, execute, type TaskAnswer } from './http-calls.ts';
import { GrpcClient } from './grpc-calls.ts';
import { destroyAll, type Server, startStandalone } from './server.ts';
import { SteadyLoad } from './steady-load.ts';
import { until } from './until.ts';
import { AGENTS, createWorkspace, poolManifest, type Workspace } from './workspace.ts';

/** A start or two each, on a machine that may be busy. */
jest.setTimeout(120_000);

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

const start = (): Promise<Server> =>
  startStandalone({ manifests: [place.path('pool.yaml')], data: place.data });
/** Under load on a busy machine a new process takes its time. */
const TIER_WITHIN_MS = 30_000;

const setTier = async (server: Server, project: string, body: object): Promise<void> => {
  const path = `/api/v1/projects/acme/${project}/tier`;
  expect(await call(server, path, { method: 'PUT', body })).toMatchObject({ status: 200 });
};
const endOverride = (server: Server, project: string) =>
  call(server, `/api/v1/projects/acme/${project}/tier`, { method: 'DELETE' });

interface PoolBody {
  readonly pools: readonly {
    readonly status: {
      readonly currentRevision: string;
      readonly updateRevision: string;
      readonly tiers: readonly Readonly<Record<string, unknown>>[];
    };
    readonly report: { readonly events: readonly { reason: string; message: string }[] };
  }[];
}
const poolOf = async (server: Server) => {
  const { body } = await call<PoolBody>(server, '/api/v1/pools');
  const [pool] = body.pools;
  if (pool === undefined) throw new Error('there is no pool');
  return pool;
};
const tierStatus = async (server: Server, name: string) =>
  (await poolOf(server)).status.tiers.find((one) => one['name'] === name);

/** Every task was answered, and did what it says exactly once. */
const expectNothingLost = async (load: SteadyLoad): Promise<void> => {
  const { failures, answered, counted } = await load.stop();
  expect(failures).toEqual([]);
  expect(counted).toEqual(answered);
};

describe('a tier by API, under steady load', () => {
  it('HOT and back, by expiry and by DELETE: no request fails, none is lost or done twice', async () => {
    place.write('pool.yaml', poolManifest().replace('hot: {quota', 'hot: {standby: 1, quota'));
    const server = await start();
    const load = new SteadyLoad(server, { projects: ['moved', 'bystander'], lanes: 3 });
    const served = (tier: string) =>
      until(
        `the project is served in ${tier}`,
        () => load.tierOf('moved') === tier,
        TIER_WITHIN_MS,
      );
    await served('WARM');

    await setTier(server, 'moved', { tier: 'HOT' });
    await served('HOT');
    await until(
      'a standby stands by again',
      async () => {
        const hot = await tierStatus(server, 'HOT');
        return hot?.['allocated'] === 1 && hot['idle'] === 1;
      },
      TIER_WITHIN_MS,
    );
    expect((await poolOf(server)).report.events.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['Bound', 'Promoted']),
    );
    expect(await endOverride(server, 'moved')).toMatchObject({ status: 200 });
    await served('WARM');

    await setTier(server, 'moved', { tier: 'HOT', ttl_seconds: 15 });
    await served('HOT');
    await served('WARM');
    expect((await call(server, '/api/v1/projects/acme/moved/tier')).body).toMatchObject({
      desired: 'WARM',
      source: 'Default',
    });
    expect(new Set(load.of('bystander').tiers)).toEqual(new Set(['WARM']));
    await expectNothingLost(load);
    await server.stop();
  });

  it('COLD and back: the tier that served is in each answer', async () => {
    const server = await start();
    const load = new SteadyLoad(server, { projects: ['moved'], lanes: 2 });
    const isCold = async (): Promise<boolean> =>
      (await tierStatus(server, 'COLD'))?.['allocated'] === 1 &&
      (await tierStatus(server, 'WARM'))?.['allocated'] === 0;
    for (const tier of ['COLD', 'WARM']) {
      await setTier(server, 'moved', { tier });
      await until(`it is served in ${tier}`, () => load.tierOf('moved') === tier, TIER_WITHIN_MS);
      if (tier === 'COLD') await until('the status says so', isCold, TIER_WITHIN_MS);
    }
    await until(
      'blanks wait',
      async () => Number((await tierStatus(server, 'WARM'))?.['idle']) > 0,
    );
    await expectNothingLost(load);
    await server.stop();
  });

  it('a project that is never idle stays where it is, still answers, and moves at its first pause', async () => {
    const server = await start();
    const relay = new RelayRace(new GrpcClient(server.grpc));
    await relay.start();
    await setTier(server, 'relay', { tier: 'HOT' });
    await until(
      'its own runtime is ready',
      async () => (await tierStatus(server, 'HOT'))?.['ready'] === 1,
      TIER_WITHIN_MS,
    );
    const laps = relay.tiers.length;
    await until('it has gone on answering', () => relay.tiers.length >= laps + 10, TIER_WITHIN_MS);
    await relay.stop();
    expect(new Set(relay.tiers)).toEqual(new Set(['TIER_WARM']));
    await until(
      'it has moved',
      async () =>
        (await execute(server, { project: 'relay', agent: 'echo', input: 1 })).tier === 'HOT',
    );
    await server.stop();
  });
});

/** Each task hands over to the next one while it still runs, so that there is never a moment without one. */
class RelayRace {
  readonly #client: GrpcClient;
  readonly tiers: string[] = [];
  readonly #laps: Promise<void>[] = [];
  #isEnough = false;
  #running: Promise<void> = Promise.resolve();

  constructor(client: GrpcClient) {
    this.#client = client;
  }

  async start(): Promise<void> {
    const first = this.#lap();
    await first.handsOver;
    this.#running = this.#go();
  }

  /** Resolves when the last one has come in. */
  async stop(): Promise<void> {
    this.#isEnough = true;
    await this.#running;
    await Promise.all(this.#laps);
    this.#client.close();
  }

  async #go(): Promise<void> {
    while (!this.#isEnough) await this.#lap().handsOver;
  }

  #lap(): Lap {
    const stream = this.#client.stream('ExecuteStream', {
      tenant: 'acme',
      project: 'relay',
      agent: 'slow',
      json_utf8: Buffer.from(JSON.stringify({ chunks: LAP_CHUNKS, everyMs: 40 })),
    });
    let chunks = 0;
    let handOver: () => void = () => undefined;
    const handsOver = new Promise<void>((resolve) => {
      handOver = resolve;
    });
    const tier = new Promise<string>((resolve, reject) => {
      stream.on('data', (message: { chunk?: object; result?: { tier: string } }) => {
        if (message.chunk !== undefined && ++chunks === HAND_OVER_CHUNKS) handOver();
        if (message.result !== undefined) resolve(message.result.tier);
      });
      stream.once('error', reject);
    });
    this.#laps.push(tier.then((one) => void this.tiers.push(one)));
    return { handsOver };
  }
}

/** The next task has two seconds to begin. */
const LAP_CHUNKS = 60;
const HAND_OVER_CHUNKS = 5;

interface Lap {
  readonly handsOver: Promise<void>;
}

describe('what an answer says', () => {
  it('is cold at first, warm then, and tells the tier, the timings and whether the link was there', async () => {
    const server = await start();
    const ask = () =>
      execute(server, { agent: 'counter', input: null }) as Promise<
        TaskAnswer & { connection_reused: boolean }
      >;
    const first = await ask();
    expect(first).toMatchObject({ tier: 'WARM', instance_id: 'default~assistants~acme~docs' });
    expect(first.timings.activate_ms).toBeGreaterThan(0);
    const second = await ask();
    expect(second).toMatchObject({
      tier: 'WARM',
      connection_reused: true,
      instance_id: first.instance_id,
    });
    expect(second.timings.activate_ms).toBe(0);
    await server.stop();
  });
});

describe('what keeps an instance', () => {
  it('pause survives kill -9 of everything: tasks are refused until it is resumed, and nothing is forgotten', async () => {
    const server = await start();
    await execute(server, { agent: 'counter', input: null });
    const instance = '/api/v1/pool/instances/default~assistants~acme~docs';
    const paused = { status: 409, body: { reason: 'PAUSED' } };
    const ask = (on: Server) =>
      call(on, '/api/v1/execute', {
        body: { tenant: 'acme', project: 'docs', agent: 'counter', input: null },
      });
    expect(await call(server, `${instance}/pause`, { method: 'POST' })).toMatchObject({
      status: 200,
    });
    expect(await ask(server)).toMatchObject(paused);
    await server.destroy();

    const again = await start();
    expect(await ask(again)).toMatchObject(paused);
    expect(await call(again, `${instance}/resume`, { method: 'POST' })).toMatchObject({
      status: 200,
    });
    expect(await ask(again)).toMatchObject({ status: 200, body: { output: { count: 2 } } });
    await again.stop();
  });

  it('a lease keeps it from eviction while others come and go; released, it goes like them', async () => {
    place.write('pool.yaml', poolManifest().replace('maxInstances: 1000', 'maxInstances: 2'));
    const server = await start();
    const lease = await call(server, '/api/v1/leases', {
      body: { tenant: 'acme', project: 'kept' },
    });
    expect(lease.status).toBe(200);
    const live = async (): Promise<string[]> => {
      const { body } = await call<{ instances: { project: string }[] }>(
        server,
        '/api/v1/pool/instances',
      );
      return body.instances.map(({ project }) => project).sort();
    };
    const press = async (): Promise<void> => {
      for (const project of ['a', 'b', 'c', 'd'])
        await execute(server, { project, agent: 'counter', input: null });
    };
    await press();
    expect(await live()).toEqual(['d', 'kept']);
    await press();
    expect(await live()).toEqual(['d', 'kept']);
    const id = String(lease.body['lease_id']);
    expect(await call(server, `/api/v1/leases/${id}`, { method: 'DELETE' })).toMatchObject({
      status: 204,
    });
    await press();
    expect(await live()).toEqual(['c', 'd']);
    expect(await execute(server, { project: 'a', agent: 'counter', input: null })).toMatchObject({
      output: { count: 4 },
    });
    await server.stop();
  });
});

describe('a rolling update', () => {
  it('replaces the agents under load, HOT and WARM, without a failed request', async () => {
    const server = await start();
    await setTier(server, 'hot', { tier: 'HOT' });
    const load = new SteadyLoad(server, { projects: ['hot', 'warm', 'other'], lanes: 2 });
    await until('it is HOT', () => load.tierOf('hot') === 'HOT', TIER_WITHIN_MS);
    const before = (await poolOf(server)).status.currentRevision;
    place.write('agents.ts', AGENTS.replace('task.input }', "['new', task.input] }"));
    const versions = async (project: string): Promise<boolean> => {
      const { output } = await execute(server, { project, agent: 'echo', input: 1 });
      return Array.isArray(output);
    };
    for (const project of ['hot', 'warm', 'other'])
      await until(
        `${project} is served by the new module`,
        () => versions(project),
        TIER_WITHIN_MS,
      );
    await until(
      'the roll-out is complete',
      async () => {
        const { currentRevision, updateRevision } = (await poolOf(server)).status;
        return currentRevision !== before && currentRevision === updateRevision;
      },
      TIER_WITHIN_MS,
    );
    await until('it is HOT again', () => load.tierOf('hot') === 'HOT', TIER_WITHIN_MS);
    await expectNothingLost(load);
    await server.stop();
  });
});
