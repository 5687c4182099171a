/** Which pools the operator passes over, and when. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spec } from '../test/builders/pool-builders.ts';
import { claimed, join } from '../test/conformance/store-builders.ts';
import { OperatorWorld } from '../test/fakes/operator-world.ts';

describe('a pool that only the store knows', () => {
  const KEY = 'default~left';
  const PROJECT = `${KEY}~a~p`;
  let world: OperatorWorld;
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.stop());

  it.each([
    ['of this installation is forgotten', 'ours', true, false],
    ['of another installation stays, as it may be served', 'theirs', true, true],
    ['of nobody that is known stays', undefined, true, true],
    ['of a namespace that is not watched any more stays', 'ours', false, true],
  ])('%s', async (_what, installation, isCovered, stays) => {
    if (!isCovered) world.source.uncovered.add(KEY);
    const runtime = await join(world.store, { pool: KEY });
    await claimed(world.store, PROJECT, runtime.incarnation);
    await world.store.putPool({
      ...{ key: KEY, generation: 1, revision: 'r', spec: spec({ deletionPolicy: 'Delete' }) },
      ...{ status: {}, deleting: true },
      ...(installation === undefined ? {} : { installation }),
    });
    await world.start('ours');
    await world.pass(60_000);
    expect((await world.store.listPools()).length === 1).toBe(stays);
    expect((await world.store.readProject(PROJECT)) !== undefined).toBe(stays);
  });

  it('is looked up without reading those of all others', async () => {
    const asked: (string | undefined)[] = [];
    const listPools = world.store.listPools.bind(world.store);
    await join(world.store, { pool: KEY });
    await world.store.putPool({
      ...{ key: KEY, generation: 1, revision: 'r', spec: spec(), status: {}, installation: 'ours' },
    });
    world.store.listPools = (pool) => {
      asked.push(pool);
      return listPools(pool);
    };
    await world.start('ours');
    await world.pass(1);
    const [first, ...others] = asked;
    // That is how it is found.
    expect(first).toBeUndefined();
    expect(new Set(others)).toEqual(new Set([KEY]));
  });

  it('is told by the records of an operator whose it is', async () => {
    const key = world.put({ replicas: 0 });
    await world.start('ours');
    await world.pass(1);
    expect(await world.store.listPools()).toMatchObject([{ key, installation: 'ours' }]);
  });
});

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

describe('pools that cannot be seen', () => {
  let world: OperatorWorld;
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.stop());

  it('are left as they are until they can, and are looked at then, those of the store, too', async () => {
    const kept = world.source.put('kept', { replicas: 1 });
    const gone = world.source.put('gone', { replicas: 1 });
    await world.start('ours');
    await world.pass(10_000);
    world.source.lose();
    world.source.take(gone);
    await world.store.putPool({
      ...{ key: 'default~left', generation: 1, revision: 'r', spec: spec(), status: {} },
      installation: 'ours',
    });
    const before = world.running();
    await world.pass(3_600_000);
    expect(before).toHaveLength(2);
    expect(world.running()).toEqual(before);
    expect(await world.store.listPools()).toHaveLength(3);
    world.source.regain();
    await world.pass(60_000);
    expect(world.running()).toHaveLength(1);
    expect((await world.store.listPools()).map(({ key }) => key)).toEqual([kept]);
  });
});
