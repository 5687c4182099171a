/** Answers as large as limits let them be, several at once, on a Redis with its own defaults: all come, nobody else waits or loses a connection, and neither side holds more than it must. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { systemClock as clock } from '../../platform/clock.ts';
import { silentLog as log } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import type { StateWrite } from '../../platform/store/store.ts';
import {
  claimed,
  committed,
  join,
  newKey,
  POOL,
  taskCommit,
} from '../conformance/store-builders.ts';
import { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

const MIB = 1024 * 1024;
/** What is asked for at once, and what Redis holds besides. */
const HELD_BYTES_MAX = (64 + 32) * MIB;

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function opened(pool?: string): Promise<{ server: RedisServer; store: RedisStore }> {
  const server = await RedisServer.start();
  ends.push(() => server.stop());
  return { server, store: await open(server, pool) };
}

async function open({ url }: RedisServer, pool?: string): Promise<RedisStore> {
  const scope = pool === undefined ? {} : { pool };
  // A machine with much else to do takes its time for so many bytes.
  const ports = { clock, random, log, timeoutMs: 10_000 };
  const store = await openRedisStore({ access: { url }, ...ports, ...scope });
  ends.push(() => store.close());
  return store;
}

const connectionsMade = (server: RedisServer): Promise<number> =>
  server.admin(async (redis) => {
    const stats = await redis.info('stats');
    return Number(/total_connections_received:(\d+)/.exec(stats)?.[1]);
  });

/** The most that clients had Redis hold for them while this ran, and how often somebody else was refused. */
async function beside<T>(
  server: RedisServer,
  ask: () => Promise<unknown>,
  work: () => Promise<T>,
): Promise<{ readonly answer: T; readonly heldBytes: number; readonly refused: number }> {
  let [heldBytes, refused, isDone] = [0, 0, false];
  const looking = server.admin(async (redis) => {
    while (!isDone) {
      const memory = await redis.info('memory');
      await clock.sleep(10);
      heldBytes = Math.max(heldBytes, Number(/mem_clients_normal:(\d+)/.exec(memory)?.[1]));
    }
  });
  const asking = (async () => {
    while (!isDone) {
      await ask().catch(() => (refused += 1));
      await clock.sleep(5);
    }
  })();
  try {
    const answer = await work();
    return { answer, heldBytes, refused };
  } finally {
    isDone = true;
    await Promise.all([looking, asking]);
  }
}

describe('the largest answers', () => {
  it('of states, results and turns come, and nobody else is in the way', async () => {
    const { server, store } = await opened();
    const { incarnation } = await join(store);
    const key = newKey();
    let { claim } = await claimed(store, key, incarnation);
    const writes = Array.from({ length: 32 }, (_, at): StateWrite => {
      const json = JSON.stringify('s'.repeat(MIB - 100));
      return { agent: 'echo', key: `key ${at}`, json };
    });
    claim = await committed(store, claim, { tasks: [taskCommit({}, { writes })] });
    const output = { arm: 'text' as const, body: Buffer.alloc(48 * MIB, 'r') };
    const large = taskCommit({ requestId: 'large', output }, { turns: [] });
    claim = await committed(store, claim, { tasks: [large] });
    for (const size of [24 * MIB, 4 * MIB, 4 * MIB - 200]) {
      const turn = { role: 'user' as const, timeMs: 1, requestId: 'r' };
      const turns = [{ ...turn, json: JSON.stringify('t'.repeat(size - 200)) }];
      const task = taskCommit({ conversationId: 'long' }, { turns });
      claim = await committed(store, claim, { tasks: [task] });
    }
    const before = await connectionsMade(server);
    const { answer, heldBytes, refused } = await beside(
      server,
      () => store.readProject(key),
      () =>
        Promise.all(
          [
            store.readTurns(key, 'long', { limit: 2 }),
            store.readTurns(key, 'long', { limit: 1_000, before: 1 }),
            ...Array.from({ length: 3 }, () => store.readTurns(key, 'long', { limit: 1_000 })),
            ...Array.from({ length: 2 }, () => store.readResult(key, 'large')),
            ...Array.from({ length: 3 }, () => claimed(store, key, incarnation)),
          ].map((asked: Promise<unknown>) => asked.catch((error: unknown) => error)),
        ),
    );
    expect(answer.slice(0, 5)).toEqual([
      [expect.objectContaining({ index: 1 }), expect.objectContaining({ index: 2 })],
      [expect.objectContaining({ index: 0 })],
      ...Array.from({ length: 3 }, () => [
        expect.objectContaining({ index: 1 }),
        expect.objectContaining({ index: 2 }),
      ]),
    ]);
    expect(answer.slice(5, 7)).toEqual([
      expect.objectContaining({ requestId: 'large' }),
      expect.objectContaining({ requestId: 'large' }),
    ]);
    expect(answer.slice(7).map((one) => (one as { state: unknown[] }).state.length)).toEqual([
      32, 32, 32,
    ]);
    expect(refused).toBe(0);
    expect(heldBytes).toBeLessThan(HELD_BYTES_MAX);
    // The looks at it.
    expect((await connectionsMade(server)) - before).toBeLessThanOrEqual(2);
  }, 120_000);

  it('of many projects activated at once come', async () => {
    const { store } = await opened();
    const { incarnation } = await join(store);
    const keys = Array.from({ length: 48 }, () => newKey());
    for (const key of keys) {
      const { claim } = await claimed(store, key, incarnation);
      const json = JSON.stringify('s'.repeat(MIB - 100));
      const task = taskCommit({}, { writes: [{ agent: 'echo', key: 'key', json }] });
      await store.release(await committed(store, claim, { tasks: [task] }));
    }
    const all = await Promise.all(keys.map((key) => claimed(store, key, incarnation)));
    expect(all.map(({ state, claim }) => [state.length, claim.seq])).toEqual(
      keys.map(() => [1, 1]),
    );
    expect(all.map(({ results }) => results.length)).toEqual(keys.map(() => 1));
  });
});

describe('of the two connections', () => {
  it.each(['normal', 'pubsub'])(
    'one that is lost (%s) costs nothing that the other does',
    async (type) => {
      const { server, store } = await opened();
      const writer = await open(server);
      const record = await join(writer);
      const key = newKey();
      const { claim } = await claimed(writer, key, record.incarnation);
      let heard = 0;
      store.subscribe('pools', () => (heard += 1));
      await store.listPools();
      const answered = async () => {
        try {
          return (await store.readProject(key)) !== undefined;
        } catch {
          return false;
        }
      };
      const id = await server.admin(async (redis) => {
        const list = String(await redis.call('CLIENT', 'LIST', 'TYPE', type));
        const ids = [...list.matchAll(/^id=(\d+) .* name=agentpool/gm)].map(([, one]) => one);
        // Those of the store come first.
        await redis.call('CLIENT', 'KILL', 'ID', String(ids[0]));
        return ids.length;
      });
      expect(id).toBe(2);
      if (type === 'pubsub') expect(await answered()).toBe(true);
      await until('it may have missed something', () => heard > 0);
      await until('it is served', answered);
      const before = heard;
      await writer.putPool({ key: POOL, generation: 1, spec: {}, status: {}, revision: 'r' });
      await until('it is told', () => heard > before);
      expect(await store.readOwner(key)).toMatchObject({ incarnation: record.incarnation });
      await committed(writer, claim);
    },
  );

  it('one does not wait for the other: what changed before it was listened to is read again', async () => {
    const { server, store } = await opened(POOL);
    const key = newKey();
    let told = 0;
    await server.admin((redis) => redis.call('CLIENT', 'PAUSE', 200, 'WRITE'));
    store.subscribe('tiers', () => (told += 1), key);
    expect(await store.readTierOverride(key)).toBeUndefined();
    await until('it is listened to', () => told > 0);
  });
});
