import { createServer, type AddressInfo, type Server } from 'node:net';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { agentPoolSpecSchema } from '../api/agent-pool.ts';
import { AppError } from '../core/errors.ts';
import { systemClock } from '../platform/clock.ts';
import { startGrpcServer, type GrpcServer } from '../platform/grpc/grpc-server.ts';
import { addRuntimeService } from '../platform/link/grpc-link-listen.ts';
import { createLinkServer, type LinkServer } from '../platform/link/link-server.ts';
import type { IncomingTask } from '../platform/link/task-link.ts';
import { silentLog } from '../platform/log.ts';
import { createMetrics } from '../platform/metrics/registry.ts';
import { systemRandom } from '../platform/random.ts';
import { MemoryStore } from '../platform/store/memory-store.ts';
import type { ExecuteResponse } from '../proto/generated/messages.ts';
import { agentPoolService } from '../proto/load.ts';
import { runtimeRecord } from '../test/builders/gateway.ts';
import { LOCAL_ACCESS } from './access/access.ts';
import { startGateway, type Gateway } from './main.ts';

const KEY = 'the-key-of-the-pool';

let store: MemoryStore;
let links: LinkServer;
let runtime: GrpcServer;
let tasks: IncomingTask[];
let arrived: PromiseWithResolvers<IncomingTask>;

beforeEach(async () => {
  store = new MemoryStore(systemClock);
  tasks = [];
  arrived = Promise.withResolvers();
  const handler = {
    task: (task: IncomingTask) => {
      tasks.push(task);
      arrived.resolve(task);
    },
    call: async () => ({}),
  };
  links = createLinkServer(
    { incarnation: 'a', revision: 'r1', maxConcurrentTasks: 10 },
    handler,
    systemClock,
  );
  const service = {
    key: KEY,
    incarnation: 'a',
    accept: links.accept.bind(links),
    bind: async () => undefined,
    yieldProject: async () => false,
  };
  runtime = await startGrpcServer(
    {
      listen: '127.0.0.1:0',
      options: {},
      register: (server) => addRuntimeService(server, service, systemClock),
    },
    systemClock,
  );
  await store.putPool({
    key: 'default~main',
    generation: 1,
    spec: agentPoolSpecSchema.parse({}),
    status: {},
    revision: 'r1',
  });
  await store.heartbeat(runtimeRecord('a', { address: runtime.address }), 60_000);
});

afterEach(async () => {
  links.close('the test is over');
  await runtime.stop(0);
  await store.close();
});

function start(grpcListen = '127.0.0.1:0', drainMsMax = 5_000): Promise<Gateway> {
  return startGateway({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    metrics: createMetrics(false),
    store,
    access: LOCAL_ACCESS,
    name: 'g',
    grpcListen,
    defaultNamespace: 'default',
    runtimeAccess: () => ({ key: KEY }),
    drainMsMax,
  });
}

function execute(client: Client): Promise<ExecuteResponse> {
  const { path, requestSerialize, responseDeserialize } = agentPoolService['Execute']!;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest<object, object>(
      path,
      requestSerialize,
      responseDeserialize,
      { tenant: 't', project: 'p', text: 'hi' },
      new Metadata(),
      (error, answer) => {
        if (error === null) resolve(answer as ExecuteResponse);
        else reject(error);
      },
    );
  });
}

const [SERVING, NOT_SERVING] = [1, 2];

/** The one field of the answer. */
function healthOf(client: Client): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest<Buffer, Buffer>(
      '/grpc.health.v1.Health/Check',
      (bytes) => bytes,
      (bytes) => bytes,
      Buffer.alloc(0),
      new Metadata(),
      (error, answer) => {
        if (error === null) resolve(answer?.[1]);
        else reject(error);
      },
    );
  });
}

function finish(task: IncomingTask): void {
  const { conversationId, project, agent } = task.header;
  task.finish(
    {
      conversationId,
      instanceId: project,
      agent,
      tier: 'WARM',
      arm: 'text',
      timings: { queueMs: 0, activateMs: 0, runMs: 0 },
      replayed: false,
      hit: true,
    },
    task.input.body,
  );
}

describe('a gateway process', () => {
  it('carries a task over real links, and ends it before it stops', async () => {
    const gateway = await start();
    const client = new Client(gateway.grpcAddress, credentials.createInsecure());
    const answer = execute(client);
    const task = await arrived.promise;
    const stopped = gateway.stop();
    finish(task);
    expect(await answer).toMatchObject({ text: 'hi', agent: 'echo', tier: 'TIER_WARM' });
    await stopped;
    await expect(execute(client)).rejects.toMatchObject({ code: 14 });
    client.close();
  });

  it('serves on when it is about to leave, and says that it is not ready', async () => {
    const gateway = await start();
    const client = new Client(gateway.grpcAddress, credentials.createInsecure());
    const warm = execute(client);
    finish(await arrived.promise);
    await warm;
    expect(await healthOf(client)).toBe(SERVING);
    gateway.leave();
    expect([await healthOf(client), gateway.service.pools.isReady]).toEqual([NOT_SERVING, false]);
    arrived = Promise.withResolvers();
    const answer = execute(client);
    finish(await arrived.promise);
    expect(await answer).toMatchObject({ text: 'hi' });
    await gateway.stop();
    client.close();
  });

  it('cancels what has not ended in time', async () => {
    const gateway = await start('127.0.0.1:0', 200);
    const client = new Client(gateway.grpcAddress, credentials.createInsecure());
    const answer = execute(client).catch((error: unknown) => error);
    const task = await arrived.promise;
    task.signal.addEventListener('abort', () => {
      task.fail(AppError.from(task.signal.reason));
    });
    await gateway.stop();
    expect(await answer).toMatchObject({ code: 14 });
    client.close();
  });

  it('does not wait for streams that never end', async () => {
    const gateway = await start('127.0.0.1:0', 60_000);
    const client = new Client(gateway.grpcAddress, credentials.createInsecure());
    const same = (bytes: Buffer): Buffer => bytes;
    const watch = client.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      same,
      same,
      Buffer.alloc(0),
    );
    watch.on('error', () => undefined);
    await new Promise((resolve) => watch.once('data', resolve));
    await gateway.stop();
    client.close();
  });

  it('says that its port is taken, and leaves nothing behind', async () => {
    const other: Server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    await expect(start(`127.0.0.1:${port}`)).rejects.toThrow(/taken by another process/);
    other.close();
  });
});
