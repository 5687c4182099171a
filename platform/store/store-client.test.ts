import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  claimed,
  claimRequest,
  commitOf,
  join as joinStore,
  newKey,
  POOL,
  runtimeRecord,
  taskCommit,
} from '../../test/conformance/store-builders.ts';
import { systemClock } from '../clock.ts';
import { silentLog } from '../log.ts';
import { systemRandom } from '../random.ts';
import { MemoryStore } from './memory-store.ts';
import { LISTED_MAX } from './reads.ts';
import { StoreClient } from './store-client.ts';
import { encodeFrame, FRAME_BYTES_MAX, FrameReader } from './store-frames.ts';
import { StoreServer } from './store-server.ts';
import type { Store } from './store.ts';

const OTHER_POOL = `${POOL}-2`;
const TOKENS: Readonly<Record<string, string>> = { all: '*', one: POOL };
const RECORD = { key: POOL, generation: 1, spec: {}, status: {}, revision: 'r' };

let folder: string;
let path: string;
let inner: MemoryStore;
let closers: (() => Promise<unknown>)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agentpool-client-'));
  path = join(folder, 'sockets', 's');
  inner = new MemoryStore(systemClock);
  closers = [() => inner.close()];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
  rmSync(folder, { recursive: true });
});

async function serve(): Promise<StoreServer> {
  const context = {
    store: inner,
    access: (token: string) => TOKENS[token],
    clock: systemClock,
    log: silentLog,
  };
  const server = await StoreServer.listen(path, context);
  closers.push(() => server.close());
  return server;
}

async function open(token = 'all', timeoutMs = 2_000): Promise<StoreClient> {
  const options = {
    path,
    token,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    timeoutMs,
  };
  const client = await StoreClient.connect(options);
  closers.push(() => client.close());
  return client;
}

/** A server that greets and then does what the test says with each call. */
async function serveFake(
  onCall: (call: readonly [number, string, unknown[]], socket: Socket) => void,
): Promise<Server> {
  const server = createServer((socket) => {
    const reader = new FrameReader();
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      for (const message of reader.read(chunk)) {
        const call = message as [number | string, string, unknown[]];
        if (call[0] === 'hello') socket.write(encodeFrame(['welcome', 'memory']));
        else onCall(call as [number, string, unknown[]], socket);
      }
    });
    closers.push(async () => socket.destroy());
  });
  path = join(folder, 'fake');
  server.listen(path);
  await once(server, 'listening');
  closers.push(async () => server.close());
  return server;
}

describe('access', () => {
  it('makes folder and socket for this user only', async () => {
    await serve();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
  });

  it('refuses a token that nobody has: nothing is answered', async () => {
    await serve();
    const socket = connect(path);
    socket.write(encodeFrame(['hello', 1, 'wrong']));
    socket.write(encodeFrame([0, 'listPools', []]));
    const messages: unknown[] = [];
    const reader = new FrameReader();
    socket.on('data', (chunk: Buffer) => messages.push(...reader.read(chunk)));
    await once(socket, 'close');
    expect(messages).toEqual([['denied', expect.stringContaining('token')]]);
  });

  it('refuses calls before the greeting, and another protocol', async () => {
    await serve();
    for (const greeting of [
      [0, 'listPools', []],
      ['hello', 99, 'all'],
    ]) {
      const socket = connect(path);
      socket.write(encodeFrame(greeting));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect([...new FrameReader().read(answer)]).toEqual([['denied', expect.any(String)]]);
      await once(socket, 'close');
    }
  });

  const foreign = `${OTHER_POOL}~acme~x`;
  const claim = { key: foreign, incarnation: 'i', claimId: 'c', epoch: 1, seq: 0 };
  const denied: readonly [string, (store: Store) => Promise<unknown>][] = [
    ['heartbeat', (store) => store.heartbeat(runtimeRecord({ pool: OTHER_POOL }), 1_000)],
    ['claim', (store) => store.claim(claimRequest(foreign, 'i'))],
    ['commit', (store) => store.commit(commitOf(claim))],
    ['release', (store) => store.release(claim)],
    ['readProject', (store) => store.readProject(foreign)],
    ['readProjects', (store) => store.readProjects([`${POOL}~acme~x`, foreign])],
    ['readOwner', (store) => store.readOwner(foreign)],
    ['setPaused', (store) => store.setPaused(foreign, true, 0)],
    ['listProjects', (store) => store.listProjects(OTHER_POOL, { limit: 1 })],
    ['eraseProject', (store) => store.eraseProject(foreign)],
    ['readResult', (store) => store.readResult(foreign, 'r')],
    ['readTurns', (store) => store.readTurns(foreign, 'c', { limit: 1 })],
    ['readConversation', (store) => store.readConversation(foreign, 'c')],
    ['listConversations', (store) => store.listConversations(foreign, { limit: 1 })],
    ['setTierOverride', (store) => store.setTierOverride(foreign, { tier: 'HOT', sinceMs: 1 }, 0)],
    ['readTierOverride', (store) => store.readTierOverride(foreign)],
    ['listTierOverrides', (store) => store.listTierOverrides(OTHER_POOL)],
    ['putPool', (store) => store.putPool({ ...RECORD, key: OTHER_POOL })],
    ['putPool of its own pool', (store) => store.putPool(RECORD)],
    ['deletePool', (store) => store.deletePool(POOL)],
  ];
  it.each(denied)('keeps a pool’s token from other keys: %s', async (_, ask) => {
    await serve();
    const client = await open('one');
    await expect(ask(client)).rejects.toMatchObject({ reason: 'FORBIDDEN' });
    expect(await inner.listProjects(OTHER_POOL, { limit: 1 })).toEqual([]);
    expect(await inner.listPools()).toEqual([]);
  });

  it('shows a pool’s token the runtimes and the record of its own pool only', async () => {
    await serve();
    const client = await open('one');
    const mine = await joinStore(client);
    await joinStore(inner, { pool: OTHER_POOL });
    await inner.putPool(RECORD);
    await inner.putPool({ ...RECORD, key: OTHER_POOL });
    expect(await client.listRuntimes()).toEqual([mine]);
    expect(await client.listPools()).toEqual([RECORD]);
    expect((await claimed(client, newKey(), mine.incarnation)).claim.epoch).toBe(1);
  });
});

describe('what a client says of calls that went wrong', () => {
  it.each([
    ['a write', (store: Store) => store.putPool(RECORD), 'unknown'],
    ['a read', (store: Store) => store.listPools(), 'not-applied'],
  ] as const)('%s that nobody answers in time', async (_, ask, outcome) => {
    await serveFake(() => undefined);
    await expect(ask(await open('all', 100))).rejects.toMatchObject({
      reason: 'STORE_UNAVAILABLE',
      outcome,
    });
  });

  it.each([
    ['a write', (store: Store) => store.putPool(RECORD), 'unknown'],
    ['a read', (store: Store) => store.listPools(), 'not-applied'],
  ] as const)('%s whose connection breaks', async (_, ask, outcome) => {
    await serveFake((_call, socket) => socket.destroy());
    await expect(ask(await open())).rejects.toMatchObject({ reason: 'STORE_UNAVAILABLE', outcome });
  });

  it('a write that was never sent was not applied', async () => {
    const server = await serve();
    const client = await open('all', 200);
    await server.close();
    await expect(client.listPools()).rejects.toMatchObject({ outcome: 'not-applied' });
    await expect(client.putPool(RECORD)).rejects.toMatchObject({ outcome: 'not-applied' });
  });

  it('never sends a call twice, whatever happens to it', async () => {
    const seen: string[] = [];
    await serveFake(([, method], socket) => {
      seen.push(method);
      if (method === 'putPool') socket.destroy();
    });
    const client = await open('all', 300);
    await expect(client.putPool(RECORD)).rejects.toMatchObject({ outcome: 'unknown' });
    await expect(client.listRuntimes()).rejects.toMatchObject({ outcome: 'not-applied' });
    expect(seen).toEqual(['putPool', 'listRuntimes']);
  });

  it('ignores an answer that comes after the time-out', async () => {
    let late: (() => void) | undefined;
    await serveFake(([id, method], socket) => {
      const answer = (): void => void socket.write(encodeFrame([id, true, [method]]));
      if (late === undefined) late = answer;
      else answer();
    });
    const client = await open('all', 100);
    await expect(client.listPools()).rejects.toThrow('in time');
    late!();
    expect(await client.listRuntimes()).toEqual(['listRuntimes']);
  });

  it('refuses what is too large for one call, unsent', async () => {
    await serve();
    const client = await open();
    const body = new Uint8Array(FRAME_BYTES_MAX);
    const commit = commitOf(
      { key: newKey(), incarnation: 'i', claimId: 'c', epoch: 1, seq: 0 },
      { tasks: [taskCommit({ output: { arm: 'text', body } })] },
    );
    await expect(client.commit(commit)).rejects.toMatchObject({ outcome: 'not-applied' });
    expect(await client.listPools()).toEqual([]);
  });

  it('passes the store’s own outcome on, and hides what is not its error', async () => {
    inner.listPools = () => Promise.reject(new TypeError('secret detail'));
    await serve();
    const client = await open();
    const error = await client.listPools().catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ reason: 'STORE_UNAVAILABLE', outcome: 'unknown' });
    expect((error as Error).message).not.toContain('secret');
    const keys = Array.from({ length: LISTED_MAX + 1 }, () => newKey());
    await expect(client.readProjects(keys)).rejects.toMatchObject({ outcome: 'not-applied' });
  });

  it('gives up connecting with the reason', async () => {
    const clock = {
      ...systemClock,
      after: (ms: number, fn: () => void) => systemClock.after(ms / 100, fn),
    };
    const options = {
      path: join(folder, 'nothing'),
      token: 'all',
      clock,
      random: systemRandom,
      log: silentLog,
    };
    await expect(StoreClient.connect(options)).rejects.toThrow('ENOENT');
  });
});

describe('a connection that comes back', () => {
  it('serves again after the server was away, and tells subscribers of all topics', async () => {
    const server = await serve();
    const client = await open('all', 1_000);
    const heard: string[] = [];
    for (const topic of ['pools', 'runtimes', 'tiers'] as const)
      client.subscribe(topic, () => heard.push(topic));
    await server.close();
    await inner.putPool(RECORD);
    await expect(client.listPools()).rejects.toMatchObject({ outcome: 'not-applied' });
    // Waits, unsent, until it can be sent.
    const waiting = client.listPools();
    await serve();
    expect(await waiting).toEqual([RECORD]);
    expect(heard.sort()).toEqual(['pools', 'runtimes', 'tiers']);
    await inner.deletePool(POOL);
    while (heard.length === 3) await client.listRuntimes();
    expect(heard).toContain('pools');
    expect(await client.listPools()).toEqual([]);
  });

  it('tells several clients of a change that one of them made', async () => {
    await serve();
    const [first, second] = [await open(), await open('one')];
    await second.listPools();
    const told = new Promise<void>((resolve) => second.subscribe('pools', () => resolve()));
    await first.putPool(RECORD);
    await told;
    expect(await second.listPools()).toEqual([RECORD]);
  });
});

describe('bounds', () => {
  it('answers thousands of calls at once, each its own', async () => {
    await serve();
    const client = await open();
    const keys = Array.from({ length: 5_000 }, () => newKey());
    await Promise.all(
      keys.map((key) => client.setTierOverride(key, { tier: 'HOT', sinceMs: 1 }, 0)),
    );
    const overrides = await Promise.all(keys.map((key) => client.readTierOverride(key)));
    expect(overrides.every((override) => override?.tier === 'HOT')).toBe(true);
  });

  it('refuses more calls than may wait', async () => {
    await serveFake(() => undefined);
    const client = await open('all', 400);
    const calls = Array.from({ length: 10_001 }, () =>
      client.listPools().then(undefined, (error: unknown) => (error as Error).message),
    );
    expect(await calls.at(-1)).toContain('too many');
    expect(await calls[0]).toContain('in time');
    await Promise.all(calls);
  });

  it('stops reading from a client that does not read, and still answers the others', async () => {
    await serve();
    const big = await open();
    const { incarnation } = await joinStore(big);
    const { claim } = await claimed(big, newKey(), incarnation);
    const task = taskCommit({ output: { arm: 'text', body: new Uint8Array(4 * 1024 * 1024) } });
    await big.commit(commitOf(claim, { tasks: [task] }));
    const reads: number[] = [];
    const counting = inner.readResult.bind(inner);
    inner.readResult = (key, id) => {
      reads.push(1);
      return counting(key, id);
    };
    const deaf = connect(path);
    deaf.pause();
    deaf.write(encodeFrame(['hello', 1, 'all']));
    for (let id = 0; id < 500; id++)
      deaf.write(encodeFrame([id, 'readResult', [claim.key, task.result.requestId]]));
    const other = await open();
    for (let i = 0; i < 50; i++) await other.listRuntimes();
    expect(reads.length).toBeLessThan(20);
    deaf.destroy();
    expect(await other.listRuntimes()).toHaveLength(1);
  });

  it('ends a connection that sends no frames, and only that', async () => {
    await serve();
    const client = await open();
    const socket = connect(path);
    socket.on('error', () => undefined);
    socket.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await once(socket, 'close');
    expect(await client.listPools()).toEqual([]);
  });
});
