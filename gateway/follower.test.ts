import { expect, it } from '@jest/globals';
import { FakeClock, settle } from '../test/fakes/fake-clock.ts';
import { silentLog } from '../platform/log.ts';
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
