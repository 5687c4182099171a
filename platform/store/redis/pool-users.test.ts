/** What is believed of users in Redis when its answers come late. */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { silentLog as log } from '../../log.ts';
import { PoolUsers } from './pool-users.ts';
import type { Call, Caller } from './redis-call.ts';
import { KEY_PREFIX, RedisKeys } from './redis-keys.ts';

const [POOL, OTHER] = ['default~main', 'default~other'];
const keys = new RedisKeys(KEY_PREFIX);

/** Answers, in order, when it is told to; takes what is sent at once. */
class SlowRedis implements Caller {
  readonly isReady = true;
  readonly users = new Set<string>();
  isFull = false;
  readonly #answers: (() => void)[] = [];

  call(call: Call): Promise<unknown> {
    if (this.isFull) return Promise.reject(new Error('too many calls'));
    const [subcommand, user] = call.args.map(String);
    if (subcommand === 'SETUSER') this.users.add(String(user));
    if (subcommand === 'DELUSER') this.users.delete(String(user));
    return new Promise((resolve) => this.#answers.push(() => resolve('OK')));
  }

  callAll(calls: readonly Call[]): Promise<readonly unknown[]> {
    return Promise.all(calls.map((call) => this.call(call)));
  }

  answer(): void {
    for (const answer of this.#answers.splice(0)) answer();
  }
}

let redis: SlowRedis;
let users: PoolUsers;
beforeEach(() => {
  redis = new SlowRedis();
  users = new PoolUsers({ keys, passwordOf: (pool) => pool, clock: new FakeClock(), log });
});
afterEach(() => {
  users.close();
});

/** Resolves with who is there when all was answered. */
async function answered(...sent: readonly Promise<void>[]): Promise<readonly string[]> {
  redis.answer();
  await Promise.all(sent);
  return [...redis.users];
}

it('sends nothing for a pool whose user is made', async () => {
  await users.ensure([POOL]);
  await answered(users.connected(redis));
  redis.users.clear();
  expect(await answered(users.ensure([POOL]))).toEqual([]);
});

it('makes the user of a pool again that was removed while Redis made it', async () => {
  await users.ensure([POOL, OTHER]);
  await answered(users.connected(redis), users.remove(POOL));
  expect([...redis.users]).toEqual([keys.userOf(OTHER)]);
  const all = [keys.userOf(OTHER), keys.userOf(POOL)];
  expect(await answered(users.ensure([POOL, OTHER]))).toEqual(all);
});

it.each<[string, () => Promise<void>]>([
  ['before its removal', () => users.remove(POOL)],
  ['on the connection before', () => users.connected(redis)],
])('believes no answer to what was sent %s', async (_when, forget) => {
  await users.ensure([POOL]);
  const first = users.connected(redis);
  redis.isFull = true;
  const forgotten = forget().catch(() => undefined);
  await expect(users.ensure([POOL])).rejects.toThrow('too many calls');
  await answered(first, forgotten);
  redis.isFull = false;
  redis.users.clear();
  expect(await answered(users.ensure([POOL]))).toEqual([keys.userOf(POOL)]);
});
