import {
  Client,
  credentials,
  Metadata,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { fromJSON, type MessageTypeDefinition } from '@grpc/proto-loader';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AppError, ERROR_TABLE, GRPC_CODES, type Reason } from '../../core/errors.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import type {
  ExecuteEvent,
  ExecuteRequest,
  ExecuteResponse,
  Init,
  Instance,
  Lease,
  ListAgentsResponse,
} from '../../proto/generated/messages.ts';
import { agentPoolService, poolAdminService } from '../../proto/load.ts';
import { appErrorOf } from '../../proto/status.ts';
import { decodeValue } from '../../proto/value-codec.ts';
import { testGateway, type TestGateway } from '../../test/builders/gateway.ts';
import { type Access, accessOf, LOCAL_ACCESS, tableSource } from '../access/access.ts';
import { parseTokens } from '../access/token-file.ts';
import { startGrpcGateway, type GrpcGateway } from './grpc-server.ts';

const TASK: Init<ExecuteRequest> = {
  tenant: 'acme',
  project: 'site',
  agent: 'echo',
  request_id: 'r-1',
  text: 'hello',
};

let gateway: TestGateway;
let server: GrpcGateway;
let client: Client;

async function serve(access: Access = LOCAL_ACCESS, spec = {}): Promise<void> {
  gateway = await testGateway(spec);
  gateway.link('a').onTask = (task) => task.start().finish(Buffer.from(task.body).toString());
  server = await startGrpcGateway(
    { access, clock: systemClock, log: silentLog, service: gateway.service },
    { address: '127.0.0.1:0' },
  );
  client = new Client(server.address, credentials.createInsecure());
}

beforeEach(() => serve());
afterEach(async () => {
  client.close();
  await server.stop(0);
  gateway.core.stop();
});

function methodOf(
  service: ServiceDefinition,
  name: string,
): NonNullable<ServiceDefinition[string]> {
  const method = service[name];
  if (method === undefined) throw new Error(`no method ${name}`);
  return method;
}

interface UnaryOptions {
  readonly service?: ServiceDefinition;
  readonly metadata?: Record<string, string>;
  readonly deadlineMs?: number;
}

function call<Response>(
  name: string,
  request: object,
  { service = agentPoolService, metadata = {}, deadlineMs }: UnaryOptions = {},
): Promise<Response> {
  const { path, requestSerialize, responseDeserialize } = methodOf(service, name);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest<object, object>(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      Metadata.fromHttp2Headers(metadata),
      deadlineMs === undefined ? {} : { deadline: new Date(systemClock.wallMs() + deadlineMs) },
      (error, response) => {
        if (error === null) resolve(response as Response);
        else reject(error);
      },
    );
  });
}

const failure = (promise: Promise<unknown>): Promise<AppError> =>
  promise.then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => appErrorOf(error as ServiceError),
  );

function stream(request: object) {
  const { path, requestSerialize, responseDeserialize } = methodOf(
    agentPoolService,
    'ExecuteStream',
  );
  return client.makeServerStreamRequest<object, ExecuteEvent>(
    path,
    requestSerialize,
    responseDeserialize as (bytes: Buffer) => ExecuteEvent,
    request,
  );
}

async function allOf(events: AsyncIterable<unknown>): Promise<ExecuteEvent[]> {
  const all: ExecuteEvent[] = [];
  for await (const event of events) all.push(event as ExecuteEvent);
  return all;
}

describe('Execute', () => {
  it('answers with text for text', async () => {
    const answer = await call<ExecuteResponse>('Execute', TASK);
    expect(answer).toMatchObject({
      request_id: 'r-1',
      instance_id: 'default~main~acme~site',
      agent: 'echo',
      tier: 'TIER_WARM',
      output: 'text',
      text: 'hello',
      connection_reused: false,
      replayed: false,
    });
  });

  it.each(['json', 'json_utf8', 'parts'] as const)(
    'carries %s as the bytes that they are',
    async (arm) => {
      const body = Buffer.from([0x1a, 2, 0x68, 0x69]);
      gateway.link('a').onTask = (task) =>
        task.start().finish(Buffer.from(task.body).toString('latin1'), { arm });
      const answer = await call<ExecuteResponse>('Execute', {
        ...TASK,
        text: undefined,
        [arm]: body,
      });
      expect([answer.output, answer[arm]]).toEqual([arm, body]);
      expect(gateway.link('a').sent[0]?.header.arm).toBe(arm);
    },
  );

  it.each(Object.keys(ERROR_TABLE) as Reason[])(
    'tells %s with its code, reason and details',
    async (reason) => {
      gateway.link('a').onTask = (task) =>
        task.fail(
          new AppError(reason, 'because', {
            retryAfterMs: 1_500,
            field: 'some.field',
            metadata: { key: 'value' },
          }),
        );
      const error = await failure(call('Execute', { ...TASK, options: { retry: 'RETRY_NEVER' } }));
      expect(error).toMatchObject({
        reason,
        code: ERROR_TABLE[reason].code,
        message: 'because',
        retryAfterMs: 1_500,
        field: 'some.field',
        metadata: { key: 'value' },
      });
    },
  );

  it("keeps the agent's own code", async () => {
    gateway.link('a').onTask = (task) =>
      task.fail(new AppError('AGENT_ERROR', 'no such page', { code: 'NOT_FOUND' }));
    expect(await failure(call('Execute', TASK))).toMatchObject({
      reason: 'AGENT_ERROR',
      code: 'NOT_FOUND',
    });
  });

  it.each<[string, Init<ExecuteRequest> & object, string]>([
    ['an empty tenant', { ...TASK, tenant: '' }, 'tenant'],
    ['an unknown priority', { ...TASK, priority: 9 as never }, 'priority'],
    ['an unknown retry', { ...TASK, options: { retry: 9 as never } }, 'options.retry'],
    [
      'an unknown on_disconnect',
      { ...TASK, options: { on_disconnect: 9 as never } },
      'options.on_disconnect',
    ],
    ['no input', { tenant: 'acme', project: 'site' }, 'input'],
  ])('names the field of %s', async (_name, request, field) => {
    expect(await failure(call('Execute', request))).toMatchObject({
      reason: 'INVALID_FIELD',
      field,
    });
  });

  it('refuses metadata that is ours', async () => {
    expect(
      await failure(call('Execute', TASK, { metadata: { 'agentpool-key': 'x' } })),
    ).toMatchObject({ reason: 'INVALID_FIELD', field: 'metadata' });
  });

  it('passes the deadline on, and cancels when it has passed', async () => {
    const cancelled = Promise.withResolvers<unknown>();
    gateway.link('a').onTask = (task) => {
      const timer = setInterval(() => {
        if (task.cancels.length === 0) return;
        clearInterval(timer);
        cancelled.resolve(task.header.remainingMs);
      }, 5);
    };
    expect(await failure(call('Execute', TASK, { deadlineMs: 300 }))).toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    });
    const remainingMs = await cancelled.promise;
    expect(remainingMs).toBeGreaterThan(0);
    expect(remainingMs).toBeLessThanOrEqual(300);
  });

  it('refuses what is larger than twice the limit unread, and less than that with a reason', async () => {
    server.setRequestBytesMax(1_024);
    expect(await failure(call('Execute', { ...TASK, text: 'x'.repeat(200_000) }))).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    });
    expect(gateway.link('a').sent).toEqual([]);
    expect(await call('Execute', TASK)).toMatchObject({ text: 'hello' });
  });
});

describe('ExecuteStream', () => {
  it('sends start, chunks and result, numbered', async () => {
    gateway.link('a').onTask = (task) => task.start().chunk('one').chunk('two').finish('three');
    const events = await allOf(stream({ ...TASK, request_id: '' }));
    expect(events.map(({ sequence, event, request_id }) => [sequence, event, request_id])).toEqual([
      [1, 'start', 'made-1'],
      [2, 'chunk', 'made-1'],
      [3, 'chunk', 'made-1'],
      [4, 'result', 'made-1'],
    ]);
    expect(events[1]?.chunk).toMatchObject({ text: 'one', kind: 'CHUNK_KIND_TEXT' });
    expect(gateway.link('a').sent[0]?.consumedBytes).toBe(6);
  });

  it('ends with the status of the error', async () => {
    gateway.link('a').onTask = (task) => task.start().fail(new AppError('AGENT_ERROR', 'no'));
    expect(await failure(allOf(stream(TASK)))).toMatchObject({ reason: 'AGENT_ERROR' });
  });

  it('stops taking chunks when its client reads none, and cancels when it leaves', async () => {
    const cancelled = Promise.withResolvers<number>();
    const chunk = 'x'.repeat(64 * 1024);
    gateway.link('a').onTask = (task) => {
      task.start();
      for (let index = 0; index < 500; index += 1) task.chunk(chunk);
      const timer = setInterval(() => {
        if (task.cancels.length === 0) return;
        clearInterval(timer);
        cancelled.resolve(task.consumedBytes);
      }, 5);
    };
    const slow = stream(TASK);
    slow.on('error', () => undefined);
    slow.pause();
    await new Promise((resolve) => slow.once('metadata', resolve));
    const before = gateway.link('a').task.consumedBytes;
    slow.cancel();
    await cancelled.promise;
    expect(before).toBeLessThan(500 * chunk.length);
    expect(gateway.link('a').task.consumedBytes).toBe(500 * chunk.length);
  });
});

describe('the other services', () => {
  it('health says whether it serves', async () => {
    const health = fromJSON({
      nested: {
        grpc: {
          nested: {
            health: {
              nested: {
                v1: {
                  nested: {
                    R: { fields: { service: { type: 'string', id: 1 } } },
                    S: { fields: { status: { type: 'int32', id: 1 } } },
                  },
                },
              },
            },
          },
        },
      },
    });
    const [request, response] = ['R', 'S'].map(
      (name) => health[`grpc.health.v1.${name}`] as MessageTypeDefinition<object, object>,
    );
    const check = (): Promise<{ status: number }> =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          '/grpc.health.v1.Health/Check',
          (message: object) => request!.serialize(message),
          (bytes) => response!.deserialize(bytes) as { status: number },
          {},
          (error, answer) => (error === null ? resolve(answer!) : reject(error)),
        );
      });
    expect((await check()).status).toBe(2);
    server.setServing(true);
    expect((await check()).status).toBe(1);
  });

  it.each([
    ['Submit', agentPoolService],
    ['GetTask', agentPoolService],
    ['ClassifyProject', poolAdminService],
    ['RestartPool', poolAdminService],
    ['Drain', poolAdminService],
  ])('%s is for a later version', async (name, service) => {
    expect(await failure(call(name, {}, { service }))).toMatchObject({ code: 'UNIMPLEMENTED' });
  });

  it('lists agents, acquires and tells instances', async () => {
    const { agents } = await call<ListAgentsResponse>('ListAgents', {});
    expect(agents.map(({ name }) => name)).toEqual(['echo', 'counter']);
    await gateway.memory.claim({ key: 'default~main~acme~site', incarnation: 'a', claimId: 'c' });
    const view = {
      id: 'default~main~acme~site',
      tier: 'WARM',
      state: 'READY',
      createdMs: 1_000,
      lastUsedMs: 0,
      requests: 3,
      memoryBytes: 5,
      cpuPercent: 0.5,
      message: '',
      epoch: 2,
      queued: 0,
    };
    gateway.link('a').onCall = ({ method }) =>
      method === 'acquire'
        ? {
            leaseId: 'default~main~acme~site~x',
            instanceId: view.id,
            tier: 'WARM',
            expiresAtMs: 2_000,
          }
        : view;
    expect(await call<Lease>('Acquire', { tenant: 'acme', project: 'site' })).toMatchObject({
      tier: 'TIER_WARM',
      address: server.address,
      expires: { seconds: 2 },
    });
    expect(
      await call<Instance>('PauseInstance', { id: view.id }, { service: poolAdminService }),
    ).toMatchObject({
      pool: 'main',
      tenant: 'acme',
      state: 'INSTANCE_STATE_READY',
      runtime: 'a',
      created: { seconds: 1 },
      last_used: null,
      epoch: 2,
    });
  });

  it('tells pools with spec and status', async () => {
    const { pools } = await call<{ pools: { name: string; spec: Buffer }[] }>(
      'ListPools',
      {},
      { service: poolAdminService },
    );
    expect(pools[0]?.name).toBe('main');
    expect(decodeValue(pools[0]!.spec)).toMatchObject({ tiers: { default: 'WARM' } });
  });
});

describe('tokens', () => {
  it('let in by role and tenant', async () => {
    await server.stop(0);
    client.close();
    const tokens = parseTokens(
      JSON.stringify([
        { token: 'caller-token', subject: 'ann', tenants: ['acme'], role: 'caller' },
      ]),
    );
    await serve(accessOf([tableSource(() => tokens)]));
    const metadata = { authorization: 'Bearer caller-token' };
    expect(await call('Execute', TASK, { metadata })).toMatchObject({ text: 'hello' });
    expect(gateway.link('a').sent[0]?.header.principal).toEqual({ subject: 'ann', role: 'caller' });
    const refused = [
      call('Execute', TASK),
      call('Execute', { ...TASK, tenant: 'other' }, { metadata }),
      call('ListPools', {}, { metadata, service: poolAdminService }),
    ];
    expect((await Promise.all(refused.map(failure))).map(({ code }) => GRPC_CODES[code])).toEqual([
      16, 7, 7,
    ]);
  });
});

/** Polls what no event tells. */
