/** Echo tasks over a real link (Unix socket, two processes) beside grpc-js unary and one grpc-js bidirectional stream of the same payload. */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, credentials } from '@grpc/grpc-js';
import { systemClock as clock } from '../../platform/clock.ts';
import { singleUseChannelOptions } from '../../platform/grpc/grpc-options.ts';
import type { TaskHeader } from '../../platform/link/frames.ts';
import { createGrpcDial } from '../../platform/link/grpc-link-dial.ts';
import { createRuntimeLink } from '../../platform/link/link-client.ts';
import { LINK_TIMES } from '../../platform/link/link-limits.ts';
import type { RuntimeLink } from '../../platform/link/task-link.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { ECHO_PATH, ECHO_STREAM_PATH, identity } from '../client/echo-method.ts';
import { cells, type Figures, figuresOf } from '../measure/figures.ts';
import { inRounds } from '../measure/rounds.ts';
import type { BenchProgram } from '../program.ts';

const KEY = 'bench';
const INCARNATION = 'bench';
const BODY = Buffer.from(JSON.stringify({ question: 'How are you?', history: 'x'.repeat(200) }));
const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;

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

export const link: BenchProgram = {
  name: 'link',
  id: '',
  about:
    'echo tasks over the link alone, beside grpc-js unary and one bare grpc-js stream with the same payload; no gateway, no agent',
  async run(size) {
    const [rounds, forMs] = size === 'full' ? [3, 2_000] : [1, 50];
    const folder = mkdtempSync(join(tmpdir(), 'agentpool-bench-'));
    const address = `unix:${join(folder, 'link.sock')}`;
    const child = fork(fileURLToPath(new URL('../baseline/link-echo.ts', import.meta.url)), [
      address,
    ]);
    await new Promise((resolve) => child.once('message', resolve));
    const opened = await openLink(address);
    const client = new Client(
      address,
      credentials.createInsecure(),
      singleUseChannelOptions(MESSAGE_BYTES_MAX),
    );
    const ways = {
      'grpc-js unary': overUnary(client),
      'grpc-js stream': overStream(client),
      link: overLink(opened),
    };
    for (const ask of Object.values(ways)) await measure(ask, 50, forMs);
    const rows: Record<string, string>[] = [];
    const data: unknown[] = [];
    for (const inFlight of [1, 10, 50]) {
      const compared = await inRounds(rounds, {
        'grpc-js unary': () => measure(ways['grpc-js unary'], inFlight, forMs),
        'grpc-js stream': () => measure(ways['grpc-js stream'], inFlight, forMs),
        link: () => measure(ways.link, inFlight, forMs),
      });
      for (const [way, figures] of Object.entries(compared.figures))
        rows.push({ 'in flight': String(inFlight), way, ...cells(figures) });
      data.push({ inFlight, rounds: compared.rounds });
    }
    opened.close();
    client.close();
    child.kill();
    rmSync(folder, { recursive: true });
    return { manifests: [], rows, goals: [], data };
  },
};

async function openLink(address: string): Promise<RuntimeLink> {
  const ready = Promise.withResolvers<undefined>();
  const opened = createRuntimeLink(
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
  return opened;
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
      client.makeUnaryRequest(ECHO_PATH, identity, identity, BODY, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
}

function overStream(client: Client): Ask {
  const stream = client.makeBidiStreamRequest(ECHO_STREAM_PATH, identity, identity);
  const waiting: (() => void)[] = [];
  stream.on('data', () => waiting.shift()?.());
  stream.on('error', () => undefined);
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      stream.write(BODY);
    });
}

async function measure(ask: Ask, inFlight: number, forMs: number): Promise<Figures> {
  const times: number[] = [];
  const startMs = performance.now();
  const slot = async (): Promise<void> => {
    for (let beforeMs = startMs; beforeMs - startMs < forMs;) {
      await ask();
      const afterMs = performance.now();
      times.push(afterMs - beforeMs);
      beforeMs = afterMs;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, slot));
  return figuresOf(times, performance.now() - startMs);
}
