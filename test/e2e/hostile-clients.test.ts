import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { GrpcClient, type Message } from './grpc-calls.ts';
import { GuardedServer, HOSTILE } from './guarded-server.ts';
import { call } from './http-calls.ts';
import { callGrpc, postHttp, type RawClient } from './raw-clients.ts';
import { destroyAll } from './server.ts';
import { until } from './until.ts';

/** Two cores, and other work on them. */
jest.setTimeout(120_000);
const SOON_MS = 30_000;
/** Ten seconds until a stream is too slow, and thirty to take its end. */
const CUT_OFF_MS = 60_000;

let guarded: GuardedServer;
let client: GrpcClient;
/** Readers of a byte a second: they are there while everything else is tried. */
let slow: Record<'execute' | 'grpc' | 'late' | 'connect' | 'sse' | 'unary', RawClient>;

const SSE = 'text/event-stream';
const FLOOD = { ...HOSTILE, agent: 'flood' };
const LONG = { ...HOSTILE, agent: 'slow' };
const INPUT = { chunks: 1_000, everyMs: 50 };
const input = { json_utf8: Buffer.from(JSON.stringify(INPUT)) };
const execute = (n: number, task: Message): Message => ({
  execute: { ...task, request_id: `r-${n}` },
});

beforeAll(async () => {
  guarded = await GuardedServer.start();
  client = new GrpcClient(guarded.server.grpc);
  const { http, grpc } = guarded.server;
  const pace = { bytesPerSecond: 1, windowBytes: 1 };
  const large = { ...HOSTILE, agent: 'large', json_utf8: Buffer.from('262144') };
  slow = {
    execute: callGrpc(grpc, 'Execute', [large], pace),
    grpc: callGrpc(grpc, 'ExecuteStream', [{ ...FLOOD, text: 'x' }], pace),
    late: callGrpc(grpc, 'ExecuteStream', [{ ...FLOOD, text: 'x' }], {
      ...pace,
      deadlineMs: 5_000,
    }),
    connect: callGrpc(grpc, 'Connect', [execute(1, { ...FLOOD, text: 'x' })], pace),
    sse: postHttp(http, { ...FLOOD, input: 1 }, { ...pace, accept: SSE }),
    unary: postHttp(http, { ...HOSTILE, agent: 'large', input: 16 * 1024 * 1024 }, pace),
  };
});
afterEach(() => guarded.noBystanderSawAnything());
afterAll(async () => {
  client.close();
  await guarded.finish();
});
afterAll(destroyAll);

describe('clients that vanish with their socket', () => {
  it.each<[string, () => RawClient]>([
    [
      'ExecuteStream',
      () => callGrpc(guarded.server.grpc, 'ExecuteStream', [{ ...LONG, ...input }]),
    ],
    [
      'Connect',
      () =>
        callGrpc(
          guarded.server.grpc,
          'Connect',
          [1, 2].map((n) => execute(n, { ...LONG, ...input })),
        ),
    ],
    [
      'server-sent events',
      () => postHttp(guarded.server.http, { ...LONG, input: INPUT }, { accept: SSE }),
    ],
  ])('in the middle of %s: their tasks end', async (_what, open) => {
    const clients = Array.from({ length: 5 }, open);
    await until(
      'all of them hear something',
      () => clients.every(({ received }) => received > 500),
      SOON_MS,
    );
    for (const one of clients) one.vanish();
  });

  it.each<[string, () => RawClient]>([
    [
      'Execute',
      () => callGrpc(guarded.server.grpc, 'Execute', [{ ...LONG, ...AWAITED, ...input }]),
    ],
    ['POST execute', () => postHttp(guarded.server.http, { ...LONG, ...AWAITED, input: INPUT })],
  ])('while they wait for %s: their tasks end', async (_what, open) => {
    const clients = Array.from({ length: 5 }, open);
    await until('they are at work', () => stateIs('BUSY'), SOON_MS);
    for (const one of clients) one.vanish();
    await until('they are not any more', () => stateIs('READY'), SOON_MS);
  });
});

/** A project of its own, as nothing is heard of tasks that are not streamed. */
const AWAITED = { project: 'awaited' };

async function stateIs(wanted: string): Promise<boolean> {
  const id = 'default~assistants~hostile~awaited';
  const { body } = await call(guarded.server, `/api/v1/pool/instances/${id}`);
  return body['state'] === wanted;
}

describe('floods', () => {
  it('of calls that are cancelled as soon as they are made', async () => {
    for (let round = 0; round < 4; round += 1) {
      const streams = Array.from({ length: 100 }, () =>
        client.stream('ExecuteStream', { ...LONG, ...input }),
      );
      const ended = streams.map(
        (stream) =>
          new Promise((resolve) =>
            stream
              .on('data', () => undefined)
              .on('error', () => undefined)
              .on('close', resolve),
          ),
      );
      // One half before anything was sent, the other when it is on its way.
      for (const stream of streams.slice(50)) stream.cancel();
      await call(guarded.server, '/healthz');
      for (const stream of streams) stream.cancel();
      await Promise.all(ended);
    }
    const aborted = Array.from({ length: 200 }, async (_, i) => {
      const controller = new AbortController();
      const sent = fetch(`${guarded.server.http}/api/v1/execute`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: i % 2 === 0 ? SSE : '*/*' },
        body: JSON.stringify({ ...LONG, input: INPUT }),
        signal: controller.signal,
      });
      queueMicrotask(() => controller.abort());
      await sent.catch(() => undefined);
    });
    await Promise.all(aborted);
    await guarded.nothingRuns();
  });

  it('of tasks on Connect whose answers nobody reads', async () => {
    const tasks = Array.from({ length: 3_000 }, (_, i) =>
      execute(i, { ...HOSTILE, agent: 'echo', text: 'x'.repeat(1_000) }),
    );
    const unread = callGrpc(guarded.server.grpc, 'Connect', tasks, {
      windowBytes: 0,
      bytesPerSecond: 1,
    });
    const cancels = callGrpc(
      guarded.server.grpc,
      'Connect',
      Array.from({ length: 300 }, (_, i) => [
        execute(i, { ...LONG, ...input }),
        { cancel: { request_id: `r-${i}` } },
      ]).flat(),
    );
    await until('the cancelled ones are told', () => cancels.received > 300 * 50, SOON_MS);
    await guarded.nothingRuns();
    unread.vanish();
    cancels.vanish();
  });

  it('of request_ids and conversations, each another one', async () => {
    const { grpc } = guarded.server;
    const tasks = Array.from({ length: 3_000 }, (_, i) =>
      execute(i, { ...HOSTILE, agent: 'echo', text: 'x', conversation_id: `c-${i}` }),
    );
    const flood = callGrpc(grpc, 'Connect', tasks);
    await until('each was answered', () => flood.received > 3_000 * 100, SOON_MS);
    await guarded.nothingRuns();
    flood.vanish();
  });
});

describe('readers of a byte a second', () => {
  it('cost their own tasks, and nothing of those runs on', async () => {
    await guarded.nothingRuns();
    // The stream of events is told what was wrong as far as it takes it; the others hold an answer that is done.
    for (const [what, one] of Object.entries(slow))
      expect([what, one.received, one.received < 100]).toEqual([what, expect.any(Number), true]);
    const metrics = await (await fetch(`${guarded.server.http}/metrics`)).text();
    const failed = /^agent_pool_requests_total\{[^}]*status="error"[^}]*\} (\d+)/m.exec(
      metrics,
    )?.[1];
    expect(Number(failed)).toBeGreaterThanOrEqual(3);
    // What they have not taken is not held for as long as they like. (A paused socket hears of its end when all before it was read.)
    const overGrpc = [slow.execute, slow.grpc, slow.late, slow.connect];
    await until(
      'those of gRPC are cut off',
      () => overGrpc.every(({ isOver }) => isOver),
      CUT_OFF_MS,
    );
    for (const one of Object.values(slow)) one.vanish();
  });
});
