/** The runtime's end of the link benchmark in a process of its own: a link server that echoes, and the same echo as plain grpc-js methods. */
import type { Server, ServiceDefinition } from '@grpc/grpc-js';
import { systemClock as clock } from '../../platform/clock.ts';
import { serverOptions } from '../../platform/grpc/grpc-options.ts';
import { startGrpcServer } from '../../platform/grpc/grpc-server.ts';
import type { ResultHeader } from '../../platform/link/frames.ts';
import { addRuntimeService } from '../../platform/link/grpc-link-listen.ts';
import { createLinkServer } from '../../platform/link/link-server.ts';
import { ECHO_PATH, ECHO_STREAM_PATH, identity } from '../client/echo-method.ts';

/** What the two ends agree on. */
const KEY = 'bench';
const INCARNATION = 'bench';

const shape = {
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
};
const ECHO = {
  Unary: { path: ECHO_PATH, requestStream: false, responseStream: false, ...shape },
  Stream: { path: ECHO_STREAM_PATH, requestStream: true, responseStream: true, ...shape },
} as const satisfies ServiceDefinition;

const RESULT: ResultHeader = {
  conversationId: 'c',
  instanceId: 'i',
  agent: 'echo',
  tier: 'HOT',
  arm: 'json_utf8',
  timings: { queueMs: 0, activateMs: 0, runMs: 0 },
  replayed: false,
  hit: true,
};
async function serve(listen: string): Promise<void> {
  const links = createLinkServer(
    { incarnation: INCARNATION, revision: 'bench', maxConcurrentTasks: 1000 },
    {
      task(task) {
        task.started({ conversationId: 'c', instanceId: 'i', agent: 'echo', tier: 'HOT' });
        task.finish(RESULT, task.input.body);
      },
      call: async () => ({}),
    },
    clock,
  );
  const register = (server: Server): void => {
    addRuntimeService(
      server,
      {
        key: KEY,
        incarnation: INCARNATION,
        accept: links.accept,
        bind: async () => undefined,
        yieldProject: async () => false,
      },
      clock,
    );
    server.addService(ECHO, {
      Unary: (call: { request: Buffer }, callback: (error: null, answer: Buffer) => void) =>
        callback(null, call.request),
      Stream: (call: NodeJS.ReadWriteStream) => {
        call.on('data', (message: Buffer) => call.write(message));
        call.on('error', () => undefined);
      },
    });
  };
  await startGrpcServer(
    { listen, options: serverOptions({ messageBytesMax: 32 * 1024 * 1024 }), register },
    clock,
  );
  process.send?.('ready');
  process.on('disconnect', () => process.exit());
}

const listen = process.argv[2];
if (listen === undefined) throw new Error('which socket?');
await serve(listen);
