import { expect, it } from '@jest/globals';
import { FakeClock, settle } from '../test/fakes/fake-clock.ts';
import { type Log, silentLog } from '../platform/log.ts';
import type { OnChange } from '../platform/store/store.ts';
import { Follower, type Scope } from './follower.ts';

it('reads a pool of which something was told that cannot be used', async () => {
  let tell: OnChange = () => undefined;
  const read: Scope[] = [];
  const follower = new Follower({
    store: {
      subscribe: (_topic, onChange) => {
        tell = onChange;
        return () => undefined;
      },
    },
    clock: new FakeClock(),
    log: silentLog,
    topics: ['runtimes'],
    read: async (scope) => void read.push(scope),
    take: () => {
      throw new TypeError('Channel target must be a string');
    },
  });
  await follower.start();
  tell('default~main', [{ type: 'gone', incarnation: 'a' }]);
  await settle();
  expect(read).toEqual(['all', new Set(['default~main'])]);
  follower.stop();
});

it('says once that the store is away, and again when it was back', async () => {
  const clock = new FakeClock();
  const said: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: () => said.push('warn'),
    debug: () => said.push('debug'),
  };
  let isAway = true;
  const follower = new Follower({
    ...{ store: { subscribe: () => () => undefined }, clock, log, topics: ['pools'] },
    read: async () => {
      if (isAway) throw new Error('away');
    },
  });
  await follower.start();
  await clock.advance(1_000);
  isAway = false;
  await clock.advance(500);
  isAway = true;
  await follower.refresh();
  expect(said).toEqual(['warn', 'debug', 'debug', 'warn']);
  follower.stop();
});
