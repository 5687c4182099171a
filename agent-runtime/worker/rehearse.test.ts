import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { LIMITS } from '../../test/fakes/worker-harness.ts';
import { systemRandom as random } from '../../platform/random.ts';
import type { FromWorker } from './protocol.ts';
import { rehearse } from './rehearse.ts';

describe('the rehearsal of a blank worker', () => {
  it('goes the whole way of a first task, succeeds and leaves no timer behind', async () => {
    const clock = new FakeClock();
    const messages: FromWorker[] = [];
    let isOver = false;
    void rehearse({
      clock,
      random,
      limits: LIMITS,
      post: (message) => messages.push(message),
    }).then(() => (isOver = true));
    await settle();
    expect(messages.map(({ type }) => type)).toEqual([
      'ready',
      'opened',
      'needTurns',
      'finished',
      'closed',
    ]);
    expect(messages.find(({ type }) => type === 'finished')).toMatchObject({
      outcome: { type: 'success', writes: [{ key: 'count' }] },
    });
    expect(isOver).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });
});
