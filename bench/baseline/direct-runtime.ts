/**
 * A runtime without gateway and link: the public unary Execute mounted on a RuntimeHost, with the same modules, worker bundle and store
 * socket as the product's. What P1 compares the gateway with.
 */
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import { createHash } from 'node:crypto';
import { RuntimeHost } from '../../agent-runtime/host/runtime-host.ts';
import { createStartWorker } from '../../agent-runtime/worker/thread-channel.ts';
import type { AppError } from '../../core/errors.ts';
import { withCaller, statusOfThrown } from '../../gateway/edges/grpc-caller.ts';
import { executeResponseOf, taskRequestOf } from '../../gateway/edges/grpc-task-messages.ts';
import { LOCAL_ACCESS } from '../../gateway/access/access.ts';
import { LOCAL_ADMIN } from '../../gateway/access/principal.ts';
import type { TaskRequest } from '../../gateway/task/call.ts';
import { systemClock as clock } from '../../platform/clock.ts';
import { serverOptions } from '../../platform/grpc/grpc-options.ts';
import { startGrpcServer } from '../../platform/grpc/grpc-server.ts';
import type { ResultHeader, TaskHeader } from '../../platform/link/frames.ts';
import type { IncomingTask } from '../../platform/link/task-link.ts';
import { createLog } from '../../platform/log.ts';
import { createMetrics } from '../../platform/metrics/registry.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { StoreClient } from '../../platform/store/store-client.ts';
import type { ExecuteRequest, ExecuteResponse, Init } from '../../proto/generated/messages.ts';
import { agentPoolService } from '../../proto/load.ts';

export interface DirectRuntimeOptions {
  readonly storePath: string;
  readonly storeToken: string;
  readonly modulePath: string;
  readonly workerPath: string;
  /** `default~bench`. */
  readonly pool: string;
  /** The one project, HOT. */
  readonly project: string;
}

type ExecuteCall = ServerUnaryCall<ExecuteRequest, Init<ExecuteResponse>>;
type ExecuteDone = sendUnaryData<Init<ExecuteResponse>>;

const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;
const TASK_MS = 300_000;

/** Resolves with `host:port`. */
async function serveDirectly(options: DirectRuntimeOptions): Promise<string> {
  const log = createLog('error', 'direct');
  const store = await StoreClient.connect({
    path: options.storePath,
    token: options.storeToken,
    clock,
    random,
    log,
  });
  const host = new RuntimeHost(
    {
      clock,
      random,
      store,
      log,
      metrics: createMetrics(false),
      startWorker: createStartWorker({ entryPath: options.workerPath, env: {} }),
      hub: { moved: () => undefined, draining: () => undefined, links: 0 },
      peers: { ping: async () => 'refused', yieldProject: async () => false },
      processMemory: () => ({ rssBytes: process.memoryUsage.rss(), limitBytes: undefined }),
    },
    {
      incarnation: 'direct',
      name: 'direct',
      revision: 'bench',
      role: 'dedicated',
      modulePath: options.modulePath,
      address: 'unix:/nowhere',
      pool: options.pool,
    },
  );
  const ready = await host.start();
  if (ready.type !== 'ready') throw new Error('the agent module is broken');
  host.open();
  await host.bind(options.project);
  const server = await startGrpcServer(
    {
      listen: '127.0.0.1:0',
      options: serverOptions({ messageBytesMax: MESSAGE_BYTES_MAX }),
      register: (grpc) =>
        grpc.addService(agentPoolService, { Execute: executeOn(host, options.project) }),
    },
    clock,
  );
  return server.address;
}

function executeOn(host: RuntimeHost, project: string) {
  return (call: ExecuteCall, done: ExecuteDone): void => {
    const fail = (error: unknown): void => done(statusOfThrown(error));
    const serve = ({ remainingMs }: { readonly remainingMs: number }): void =>
      host.task(new DirectTask(project, taskRequestOf(call.request, undefined), remainingMs, done));
    withCaller(call, { access: LOCAL_ACCESS, clock }, serve, fail);
  };
}

/** What the link's end makes of its frames, made of the call itself. */
class DirectTask implements IncomingTask {
  readonly header: TaskHeader;
  readonly input: IncomingTask['input'];
  readonly deadlineMs: number;
  readonly signal = new AbortController().signal;
  readonly #done: ExecuteDone;

  constructor(project: string, request: TaskRequest, remainingMs: number, done: ExecuteDone) {
    const { agent, conversationId, input = { arm: 'text', body: new Uint8Array() } } = request;
    const limitedMs = Math.min(remainingMs, TASK_MS);
    this.#done = done;
    this.deadlineMs = clock.nowMs() + limitedMs;
    this.input = { arm: input.arm, body: new Uint8Array(input.body) };
    this.header = {
      project,
      requestId: request.requestId === '' ? random.id() : request.requestId,
      agent,
      conversationId: conversationId === '' ? random.id() : conversationId,
      newConversation: conversationId === '',
      attempt: 1,
      priority: request.priority,
      remainingMs: limitedMs,
      queueMs: 30_000,
      queuedMs: 0,
      metadata: request.metadata,
      principal: LOCAL_ADMIN.frame,
      arm: input.arm,
      digest: createHash('sha256')
        .update(`${agent}\0${conversationId}\0${input.arm}\0`)
        .update(input.body)
        .digest('base64url'),
      stream: false,
      onDisconnect: request.onDisconnect,
    };
  }

  parked(): void {
    // Nobody counts credit here.
  }

  started(): void {
    // A unary answer has no start.
  }

  chunk(): boolean {
    return true;
  }

  onWindow(): void {
    // No chunk is ever held up.
  }

  finish(header: ResultHeader, body: Uint8Array): void {
    const { requestId } = this.header;
    this.#done(null, executeResponseOf({ requestId, header, body, connectionReused: true }));
  }

  fail(error: AppError): void {
    this.#done(statusOfThrown(error));
  }

  elsewhere(): void {
    this.#done(statusOfThrown(new Error('the project is elsewhere')));
  }
}

process.once('message', (options: DirectRuntimeOptions) => {
  void serveDirectly(options).then(
    (address) => process.send?.({ address }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
