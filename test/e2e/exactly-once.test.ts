import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { GrpcClient, type Message, refusalOf } from './grpc-calls.ts';
import { call, type TaskAnswer } from './http-calls.ts';
import { destroyAll, type Server, startGateway, startStandalone } from './server.ts';
import { until } from './until.ts';
import { AGENTS, createWorkspace, poolManifest, type Workspace } from './workspace.ts';

/** Several starts each, on a machine that may be busy. */
jest.setTimeout(120_000);

/** `once-wrong` throws at the first attempt of a request. */
const MODULE = AGENTS.replace(
  'export default [',
  `const seen = new Set<string>();
export default [
  { name: 'once-wrong', async process(task: { requestId: string }, context: Context) {
    const count = await context.state.update('count', (n = 0) => n + 1);
    if (!seen.has(task.requestId)) { seen.add(task.requestId); throw new Error('the first time'); }
    return { count };
  } },`,
);
const NAMES = { tenant: 'acme', project: 'docs', agent: 'counter' };

let place: Workspace;
let first: Server;
let second: Server;
const clients = new Set<GrpcClient>();

const startFirst = (): Promise<Server> =>
  startStandalone({ manifests: [place.path('pool.yaml')], data: place.data });

async function begin(spec = ''): Promise<void> {
  place = createWorkspace();
  place.write('agents.ts', MODULE);
  place.write('pool.yaml', poolManifest('assistants', spec));
  first = await startFirst();
  second = await startGateway(place.data);
}

afterEach(async () => {
  for (const client of clients) client.close();
  clients.clear();
  await destroyAll();
  place.remove();
});

interface Outcome {
  readonly output: unknown;
  readonly replayed: boolean;
}

type Send = (requestId: string, input?: unknown, more?: object) => Promise<Outcome>;

/** The request_id as a field of the body, or as HTTP's own header. */
const overHttp =
  (server: Server, isHeader = false): Send =>
  async (requestId, input = null, more = {}) => {
    const id = isHeader ? {} : { request_id: requestId };
    const response = await fetch(`${server.http}/api/v1/execute`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(isHeader ? { 'idempotency-key': requestId } : {}),
      },
      body: JSON.stringify({ ...NAMES, ...more, ...id, input }),
    });
    const body = (await response.json()) as TaskAnswer;
    if (response.status !== 200) throw new Error(`${response.status} ${JSON.stringify(body)}`);
    expect(body.request_id).toBe(requestId);
    return body;
  };

function overGrpc({ grpc }: Server): Send {
  const client = new GrpcClient(grpc);
  clients.add(client);
  return async (requestId, input = null, more = {}) => {
    const answer = await client.unary('Execute', task(requestId, input, more));
    const output: unknown = JSON.parse(String(answer['json_utf8']));
    return { output, replayed: answer['replayed'] === true };
  };
}

const task = (requestId: string, input: unknown, more: object = {}): Message => ({
  ...NAMES,
  ...more,
  request_id: requestId,
  json_utf8: Buffer.from(JSON.stringify(input)),
});

const everyWay = (): Send[] =>
  [first, second].flatMap((server) => [overHttp(server), overHttp(server, true), overGrpc(server)]);

const counts = (outcomes: readonly Outcome[]): number[] =>
  outcomes.map(({ output }) => (output as { count: number }).count);

describe('one request_id, sent to two gateways', () => {
  beforeEach(() => begin());

  it('at once, by every surface, is executed once, and all get the same answer', async () => {
    const ways = everyWay();
    // Fewer than may wait in one runtime for one project (queue.parkedPerProjectMax): all of them may come before it is activated.
    const rounds = await Promise.all(
      Array.from({ length: 15 }, (_, i) => Promise.all(ways.map((send) => send(`r-${i}`)))),
    );
    for (const outcomes of rounds) {
      expect(new Set(counts(outcomes)).size).toBe(1);
      expect(outcomes.filter(({ replayed }) => !replayed).length).toBeGreaterThanOrEqual(1);
    }
    const distinct = rounds.map((outcomes) => counts(outcomes)[0] ?? 0);
    expect(distinct.sort((a, b) => a - b)).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
    expect(counts([await overHttp(second)('another')])).toEqual([16]);
  });

  it('is answered again by a gateway that was started since, and after kill -9 of all that serves', async () => {
    expect(counts([await overGrpc(second)('kept')])).toEqual([1]);
    await second.stop();
    second = await startGateway(place.data);
    expect(await overHttp(second)('kept')).toMatchObject({ output: { count: 1 }, replayed: true });

    await first.destroy();
    first = await startFirst();
    for (const send of [overHttp(first), overGrpc(first)])
      expect(await send('kept')).toEqual(
        expect.objectContaining({ output: { count: 1 }, replayed: true }),
      );
    // The gateway beside it has lost its store and every runtime meanwhile.
    const again = await until('the other gateway serves again', () => overHttp(second)('kept'));
    expect(again).toMatchObject({ output: { count: 1 }, replayed: true });
    expect(counts([await overHttp(second)('new')])).toEqual([2]);
  });

  it('with another input, agent or conversation is refused by both, whichever had it', async () => {
    await overHttp(first)('taken', { a: 1 });
    const grpc = new GrpcClient(second.grpc);
    clients.add(grpc);
    for (const [input, more] of [
      [{ a: 2 }, {}],
      ['{"a":1}', {}],
      [{ a: 1 }, { agent: 'echo' }],
      [{ a: 1 }, { conversation_id: 'another' }],
    ] as const) {
      const body = { ...NAMES, ...more, request_id: 'taken', input };
      for (const server of [first, second])
        expect(await call(server, '/api/v1/execute', { body })).toMatchObject({
          status: 409,
          body: { code: 'ALREADY_EXISTS', reason: 'REQUEST_ID_REUSED' },
        });
      expect(await refusalOf(grpc.unary('Execute', task('taken', input, more)))).toMatchObject({
        code: 'ALREADY_EXISTS',
        reason: 'REQUEST_ID_REUSED',
      });
    }
    // It belongs to its project only.
    expect(await overHttp(second)('taken', 1, { project: 'elsewhere' })).toMatchObject({
      output: { count: 1 },
      replayed: false,
    });
    expect(await overGrpc(second)('taken', { a: 1 })).toMatchObject({ replayed: true });
  });

  it('that failed runs again by the other one, and nothing of the failure is left', async () => {
    const agent = { agent: 'once-wrong' };
    await expect(overHttp(first)('retried', null, agent)).rejects.toThrow('AGENT_ERROR');
    expect(await overGrpc(second)('retried', null, agent)).toEqual({
      output: { count: 1 },
      replayed: false,
    });
    expect(await overHttp(first)('retried', null, agent)).toMatchObject({
      output: { count: 1 },
      replayed: true,
    });
  });

  it('finds one owner of each project, whichever gateway is asked', async () => {
    const ways = [overHttp(first), overHttp(second)];
    await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        Promise.all(ways.map((send, j) => send(`r-${j}`, null, { project: `p-${i}` }))),
      ),
    );
    const owners = async (server: Server) => {
      const { body } = await call<{ instances: { id: string; runtime: string; epoch: number }[] }>(
        server,
        '/api/v1/pool/instances',
      );
      return body.instances.map(({ id, runtime, epoch }) => ({ id, runtime, epoch }));
    };
    const known = await owners(first);
    expect(known).toHaveLength(40);
    expect(new Set(known.map(({ epoch }) => epoch))).toEqual(new Set([1]));
    expect(await owners(second)).toEqual(known);
  });
});

describe('what retention has dropped', () => {
  beforeEach(() => begin('  checkpoint: {retention: {resultsPerProjectMax: 3}}\n'));

  it('runs again, what it has kept does not', async () => {
    for (let i = 1; i <= 5; i += 1) await overHttp(first)(`r-${i}`);
    expect(await overGrpc(second)('r-5')).toEqual({ output: { count: 5 }, replayed: true });
    expect(await overGrpc(second)('r-3')).toEqual({ output: { count: 3 }, replayed: true });
    expect(await overGrpc(second)('r-1')).toEqual({ output: { count: 6 }, replayed: false });
    expect(await overHttp(first)('r-1')).toMatchObject({ output: { count: 6 }, replayed: true });
  });
});
