/** Which pools the operator passes over, and when. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { OperatorWorld } from '../test/fakes/operator-world.ts';

describe('a change in the store', () => {
  let world: OperatorWorld;
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.stop());

  it.each([
    [
      'a runtime',
      async () => {
        const [record] = await world.store.listRuntimes('default~one');
        await world.store.heartbeat({ ...record!, draining: true }, 10_000);
      },
    ],
    [
      'a tier',
      () => world.store.setTierOverride('default~one~a~p', { tier: 'COLD', sinceMs: 1 }, 0),
    ],
  ])('of %s is a pass over its pool, and asks nothing of the others', async (_what, change) => {
    const pools = ['one', 'two', 'three'].map((name) => world.source.put(name, { replicas: 1 }));
    await world.start();
    await world.pass(10_000);
    expect((await world.store.listRuntimes()).map(({ pool }) => pool).sort()).toEqual(pools.sort());
    const asked = new Set<unknown>();
    world.onCall = (method, args) => {
      if (method === 'listRuntimes') asked.add(args[0]);
    };
    await change();
    await world.pass(1);
    expect([...asked]).toEqual(['default~one']);
  });
});
