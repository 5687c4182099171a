/**
 * `node bench/link.ts`: echo tasks over a real link (Unix socket, two processes) beside grpc-js unary and one grpc-js bidirectional stream of
 * the same payload, 1, 10 and 50 in flight. Prints a table; gateway and agents are not part of it.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, credentials, type Server, type ServiceDefinition } from '@grpc/grpc-js';
import { systemClock as clock } from '../platform/clock.ts';
import { serverOptions, singleUseChannelOptions } from '../platform/grpc/grpc-options.ts';
import { startGrpcServer } from '../platform/grpc/grpc-server.ts';
import type { ResultHeader, TaskHeader } from '../platform/link/frames.ts';
import { createGrpcDial } from '../platform/link/grpc-link-dial.ts';
import { addRuntimeService } from '../platform/link/grpc-link-listen.ts';
import { createRuntimeLink } from '../platform/link/link-client.ts';
import { LINK_TIMES } from '../platform/link/link-limits.ts';
import { createLinkServer } from '../platform/link/link-server.ts';
import type { RuntimeLink } from '../platform/link/task-link.ts';
import { systemRandom as random } from '../platform/random.ts';

const KEY = 'bench';
const INCARNATION = 'bench';
const BODY = Buffer.from(JSON.stringify({ question: 'How are you?', history: 'x'.repeat(200) }));
const ROUND_MS = 2_000;
const ROUNDS = 3;

const identity = (bytes: Buffer): Buffer => bytes;
const shape = {
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
};
const ECHO = {
  Unary: { path: '/bench.Echo/Unary', requestStream: false, responseStream: false, ...shape },
  Stream: { path: '/bench.Echo/Stream', requestStream: true, responseStream: true, ...shape },
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
const HEADER: TaskHeader = {
  project: 'default~bench~tenant~project',
  requestId: 'request-0000000000000000',
  agent: 'echo',
  conversationId: 'conversation',
  newConversation: false,
  attempt: 1,
  priority: 'NORMAL',
  remainingMs: 60_000,
  queueMs: 30_000,
  queuedMs: 0,
  metadata: {},
  principal: { subject: 'bench', role: 'caller' },
  arm: 'json_utf8',
  digest: 'digest',
  stream: true,
  onDisconnect: 'CANCEL',
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
}

type Ask = () => Promise<void>;

function overLink(link: RuntimeLink): Ask {
  return () =>
    new Promise((resolve, reject) => {
      const failed = (cause: unknown): void => reject(new Error('a task failed', { cause }));
      link.run(HEADER, BODY, {
        parked: () => undefined,
        started: () => undefined,
        chunk: () => undefined,
        finished: () => resolve(),
        failed,
        elsewhere: failed,
        lost: failed,
      });
    });
}

function overUnary(client: Client): Ask {
  return () =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(ECHO.Unary.path, identity, identity, BODY, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
}

function overStream(client: Client): Ask {
  const stream = client.makeBidiStreamRequest(ECHO.Stream.path, identity, identity);
  const waiting: (() => void)[] = [];
  stream.on('data', () => waiting.shift()?.());
  stream.on('error', () => undefined);
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      stream.write(BODY);
    });
}

interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function measure(ask: Ask, inFlight: number): Promise<Figures> {
  const times: number[] = [];
  const startMs = clock.nowMs();
  const worker = async (): Promise<void> => {
    for (let beforeMs = clock.nowMs(); beforeMs - startMs < ROUND_MS;) {
      await ask();
      const afterMs = clock.nowMs();
      times.push(afterMs - beforeMs);
      beforeMs = afterMs;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? NaN;
  return {
    perSecond: (times.length * 1000) / (clock.nowMs() - startMs),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  };
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'agentpool-bench-'));
  const address = `unix:${join(folder, 'link.sock')}`;
  const child = fork(fileURLToPath(import.meta.url), [address]);
  await new Promise((resolve) => child.once('message', resolve));
  const ready = Promise.withResolvers<undefined>();
  const link = createRuntimeLink(
    { gateway: 'bench', incarnation: INCARNATION, address, times: LINK_TIMES },
    {
      dial: createGrpcDial({ key: KEY }, random),
      clock,
      random,
      events: {
        stateChanged: () => undefined,
        creditChanged: () => ready.resolve(undefined),
        moved: () => undefined,
        draining: () => undefined,
      },
    },
  );
  await ready.promise;
  const client = new Client(
    address,
    credentials.createInsecure(),
    singleUseChannelOptions(32 * 1024 * 1024),
  );
  const rows: Record<string, string | number>[] = [];
  const ways: readonly (readonly [string, Ask])[] = [
    ['link', overLink(link)],
    ['grpc-js unary', overUnary(client)],
    ['grpc-js stream', overStream(client)],
  ];
  for (const [, ask] of ways) await measure(ask, 50);
  for (const inFlight of [1, 10, 50]) {
    const rounds = new Map(ways.map(([name]) => [name, [] as Figures[]]));
    for (let round = 0; round < ROUNDS; round += 1)
      for (const [name, ask] of ways) rounds.get(name)?.push(await measure(ask, inFlight));
    for (const [name, figures] of rounds) {
      const median = figures.toSorted((a, b) => a.perSecond - b.perSecond)[Math.floor(ROUNDS / 2)];
      if (median !== undefined)
        rows.push({
          inFlight,
          way: name,
          'per second': Math.round(median.perSecond),
          'p50 ms': median.p50Ms.toFixed(3),
          'p99 ms': median.p99Ms.toFixed(3),
        });
    }
  }
  console.table(rows);
  link.close();
  client.close();
  child.kill();
  rmSync(folder, { recursive: true });
}

const listen = process.argv[2];
await (listen === undefined ? main() : serve(listen));
