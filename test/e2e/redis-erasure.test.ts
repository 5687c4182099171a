/** A pool under deletionPolicy Delete whose erasure is cut at any of its steps, and begun again: nothing is left. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { erasePool } from '../../operator/pool/erase-pool.ts';
import { systemClock as clock } from '../../platform/clock.ts';
import { silentLog as log } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { BEGIN, LEAVE, MARK, SWEEP } from '../../platform/store/redis/erasure-scripts.ts';
import { DELETE_POOL, ENTER } from '../../platform/store/redis/pool-scripts.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';
import {
  claimed,
  claimRequest,
  committed,
  join as joined,
  newKey,
  POOL,
} from '../conformance/store-builders.ts';
import { type Cut, CuttingProxy } from './cutting-proxy.ts';
import { RedisServer } from './redis-server.ts';

const { signal } = new AbortController();
const SCRIPTS = [BEGIN, MARK, LEAVE, SWEEP, DELETE_POOL, ENTER];
const STEPS = [
  ...[BEGIN, MARK, LEAVE, SWEEP].map(({ name, sha }) => [name, sha] as const),
  ['the end of a project', 'SREM'] as const,
  [DELETE_POOL.name, DELETE_POOL.sha] as const,
];
const CUTS = (['before the request', 'before the answer'] as const).flatMap((cut) =>
  STEPS.map(([step, text]) => [step, cut, text] as const),
);

describe('the erasure of a pool on Redis', () => {
  let server: RedisServer;
  let proxy: CuttingProxy;
  let store: RedisStore;
  beforeAll(async () => {
    server = await RedisServer.start();
    // Known to Redis, so that a request carries the digest of its script, and the cut meets the script itself.
    await server.admin((redis) =>
      Promise.all(SCRIPTS.map(({ text }) => redis.script('LOAD', text))),
    );
    proxy = await CuttingProxy.start(join(server.folder, 'proxy'), server.socketPath);
  });
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });
  beforeEach(async () => {
    await server.admin((redis) => redis.flushall());
    store = await openRedisStore({ access: { url: `unix:${proxy.path}` }, clock, random, log });
    await store.putPool({ key: POOL, generation: 1, spec: {}, status: {}, revision: 'r' });
  });
  afterEach(() => store.close());

  const reconnected = async (): Promise<void> => {
    while (
      !(await store.listPools().then(
        () => true,
        () => false,
      ))
    )
      await clock.sleep(5);
  };
  const keysLeft = async (): Promise<readonly string[]> => {
    const found = await server.admin((redis) => redis.keys('*'));
    return found.filter((key) => !key.endsWith(':gone'));
  };

  it.each(CUTS)('is ended after a cut at %s, %s', async (_step, cut: Cut, text) => {
    const { incarnation } = await joined(store);
    for (const key of [newKey(), newKey()])
      await committed(store, (await claimed(store, key, incarnation)).claim);
    await store.deregister(incarnation);
    const cutsBefore = proxy.cuts;
    proxy.cutAt(text, cut);
    await expect(erasePool(store, POOL, 'Delete', signal)).rejects.toThrow();
    expect(proxy.cuts - cutsBefore).toBe(1);
    await reconnected();
    await erasePool(store, POOL, 'Delete', signal);
    expect(await keysLeft()).toEqual([]);
  });

  it('takes the name of a project with it whose first claim never came to its record', async () => {
    const { incarnation } = await joined(store);
    proxy.cutAt(ENTER.sha, 'before the answer');
    const key = newKey();
    await expect(store.claim(claimRequest(key, incarnation))).rejects.toThrow();
    await reconnected();
    await store.deregister(incarnation);
    await erasePool(store, POOL, 'Delete', signal);
    expect(await keysLeft()).toEqual([]);
  });

  it('leaves a project that is claimed for the first time meanwhile on the list', async () => {
    const { incarnation } = await joined(store);
    const key = newKey();
    await server.admin((redis) => redis.zadd(`agentpool:{${POOL}}:projects`, 0, key));
    const [, answer] = await Promise.all([
      store.eraseProject(key),
      store.claim(claimRequest(key, incarnation)),
    ]);
    expect(answer.type).toBe('claimed');
    const record = await store.readProject(key);
    const listed = (await store.listProjects(POOL, { limit: 9 })).map((one) => one.key);
    expect(listed).toEqual(record === undefined ? [] : [key]);
  });

  const ofPool = (name: string): string => `agentpool:{${POOL}}:${name}`;
  /** On the list, and being erased. */
  const named = (): Promise<readonly (readonly string[])[]> =>
    server.admin((redis) =>
      Promise.all([redis.zrange(ofPool('projects'), '0', '-1'), redis.smembers(ofPool('erasing'))]),
    );

  it('whose end is late takes nothing of a project that was made anew', async () => {
    const { incarnation } = await joined(store);
    const key = newKey();
    await server.admin((redis) => redis.sadd(ofPool('erasing'), key));
    await committed(store, (await claimed(store, key, incarnation)).claim);
    const record = await store.readProject(key);
    expect(await store.endErasures(POOL, 'begun')).toBe(false);
    expect(await store.readProject(key)).toEqual(record);
    expect(await named()).toEqual([[key], []]);
  });

  it.each([BEGIN, MARK, LEAVE, SWEEP].map(({ name, sha }) => [name, sha]))(
    'that was cut after %s is ended by the next look at it',
    async (name, sha) => {
      const { incarnation } = await joined(store);
      const key = newKey();
      await committed(store, (await claimed(store, key, incarnation)).claim);
      proxy.cutAt(sha, 'before the answer');
      await expect(store.eraseProject(key)).rejects.toThrow();
      await reconnected();
      expect(await store.endErasures(POOL, 'begun')).toBe(false);
      expect(await named()).toEqual(name === BEGIN.name ? [[key], []] : [[], []]);
    },
  );

  it('that others have ended meanwhile does not take the name of the project off the list', async () => {
    const { incarnation } = await joined(store);
    const key = newKey();
    await claimed(store, key, incarnation);
    const lists: [string, string, string] = [
      ofPool('projects'),
      ofPool('erasing'),
      ofPool('counters'),
    ];
    expect(await server.admin((redis) => redis.eval(LEAVE.text, 3, ...lists, '', key, '1'))).toBe(
      0,
    );
    expect(await named()).toEqual([[key], []]);
  });

  it('leaves no project off the list, whoever claims, erases and ends at once', async () => {
    const { incarnation } = await joined(store);
    const key = newKey();
    const open = (): Promise<RedisStore> =>
      openRedisStore({ access: { url: server.url }, clock, random, log });
    const [a, b, c, d] = await Promise.all([open(), open(), open(), open()]);
    let epoch = -1;
    for (let round = 0; round < 300; round += 1) {
      const before = await a.readProject(key);
      const [{ claim }] = await Promise.all([
        claimed(a, key, incarnation),
        b.eraseProject(key),
        before === undefined ? c.eraseProject(key) : c.eraseProject(key, before),
        d.endErasures(POOL, 'begun'),
      ]);
      expect(claim.epoch).toBeGreaterThan(epoch);
      epoch = claim.epoch;
      const lives = (await a.readProject(key)) !== undefined;
      // A name alone may be left, as by a first claim that was interrupted; never a project alone.
      if (!lives) await d.endErasures(POOL, 'listed');
      expect({ round, named: await named() }).toEqual({ round, named: [lives ? [key] : [], []] });
    }
    await Promise.all([a, b, c, d].map((one) => one.close()));
  });
});
