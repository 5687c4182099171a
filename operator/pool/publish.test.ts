/** The record of a pool in the store, of which others make what they like: deleted, lost with a failover, restored from a backup. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { agentPoolSpecSchema } from '../../api/agent-pool.ts';
import type { PoolRecord } from '../../platform/store/store.ts';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';

const KEY = 'default~pool';

describe('what the store has of a pool', () => {
  let world: OperatorWorld;
  let calls: string[];
  const record = async (): Promise<PoolRecord | undefined> => (await world.store.listPools(KEY))[0];

  beforeEach(async () => {
    world = new OperatorWorld();
    world.put({ replicas: 2 });
    await world.start();
    await world.pass(60_000);
    calls = [];
    world.onCall = (method, args) =>
      calls.push(method === 'listPools' ? `read ${String(args[0])}` : method);
  });
  afterEach(() => world.stop());

  const others: [string, (now: PoolRecord) => Promise<void>][] = [
    ['deleted', () => world.store.deletePool(KEY)],
    [
      'an older one',
      (now) => {
        const spec = agentPoolSpecSchema.parse({ operatingMode: 'Suspended' });
        return world.store.putPool({ ...now, generation: 0, spec });
      },
    ],
    ['that of another status', (now) => world.store.putPool({ ...now, status: {} })],
  ];

  it.each(others)('is put right again within half a minute: %s', async (_, change) => {
    const before = await record();
    if (before === undefined) throw new Error('it was not published');
    await change(before);
    await world.pass(31_000);
    expect(await record()).toEqual(before);
  });

  it.each(others)(
    'is put right at once when notices of the store were lost: %s',
    async (_, change) => {
      const before = await record();
      if (before === undefined) throw new Error('it was not published');
      world.link.reachable = false;
      await change(before);
      await world.pass(100);
      world.link.reachable = true;
      await world.pass(1_000);
      expect(await record()).toEqual(before);
    },
  );

  it('is read twice a minute and not written while nothing changes', async () => {
    await world.pass(600_000);
    expect(calls).not.toContain('putPool');
    expect(calls.filter((call) => call === `read ${KEY}`).length).toBeLessThanOrEqual(20);
    expect(calls).toContain(`read ${KEY}`);
  });
});
