/** Projects that nobody uses any more, under the operator's loop, over a fake driver and a real memory store. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { claimed, committed, join, POOL } from '../../test/conformance/store-builders.ts';
import { StoreError } from '../../platform/store/store.ts';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';

const IDLE = { checkpoint: { retention: { projectIdleSeconds: 60 } } };

describe('idle projects', () => {
  let world: OperatorWorld;
  beforeEach(() => {
    world = new OperatorWorld();
  });
  afterEach(() => world.stop());

  const keyOf = (name: string): string => `default~pool~acme~${name}`;

  /** A project whose last task is committed now. */
  const used = async (name: string, incarnation: string, released = true): Promise<void> => {
    const { claim } = await claimed(world.store, keyOf(name), incarnation);
    const next = await committed(world.store, claim, { wallMs: world.clock.wallMs() });
    if (released) await world.store.release(next);
  };
  const left = async (): Promise<readonly string[]> => {
    const page = await world.store.listProjects('default~pool', { limit: 1_000 });
    return page.map(({ key }) => key.split('~').at(-1) ?? '');
  };

  it('are erased, and it is told; others of the pool and of other pools stay', async () => {
    world.put({ replicas: 1, ...IDLE });
    await world.start();
    const { incarnation } = await join(world.store, { pool: 'default~pool' });
    await used('old', incarnation);
    const foreign = `${POOL}~acme~old`;
    const { claim } = await claimed(world.store, foreign, incarnation);
    await world.store.release(await committed(world.store, claim, { wallMs: 1 }));
    await world.pass(50_000);
    await used('new', incarnation);
    expect(await left()).toEqual(['new', 'old']);
    await world.pass(25_000);
    expect(await left()).toEqual(['new']);
    expect(world.told).toContain('IdleProjectsErased');
    expect(await world.store.readProject(foreign)).toBeDefined();
    await world.pass(75_000);
    expect(await left()).toEqual([]);
  });

  it('that are due while the store is away make no pass come sooner', async () => {
    world.put({ replicas: 1, ...IDLE });
    await world.start();
    await world.pass(1_000);
    world.link.reachable = false;
    let looks = 0;
    const list = world.driver.list.bind(world.driver);
    world.driver.list = async (pool) => {
      looks += 1;
      return list(pool);
    };
    await world.pass(60_000);
    expect(looks).toBeGreaterThan(5);
    expect(looks).toBeLessThan(200);
  });

  it('that somebody began to erase are erased to the end, also where idle ones stay', async () => {
    world.put({ replicas: 1 });
    const { store } = world;
    const asked: number[] = [];
    let fails = false;
    store.endErasures = async () => {
      asked.push(world.clock.nowMs());
      if (fails) throw new StoreError('endErasures: no', 'not-applied');
      return asked.length === 1;
    };
    const gaps = (): readonly number[] =>
      asked.slice(1).map((atMs, before) => Math.round((atMs - asked[before]!) / 1_000));
    await world.start();
    await world.pass(3_000_000);
    expect(gaps()).toEqual([1]);
    fails = true;
    await world.pass(700_000);
    // Again after a minute and not with every pass.
    expect(asked.length).toBeLessThan(6);
    expect(asked.length).toBeGreaterThan(2);
  });

  it('stay while a live runtime owns them, and go when its lease has ended', async () => {
    world.put({ replicas: 1, ...IDLE });
    await world.start();
    const record = await join(world.store, { pool: 'default~pool' });
    await used('live', record.incarnation, false);
    for (let beat = 0; beat < 30; beat += 1) {
      await world.store.heartbeat(record, 10_000);
      await world.pass(5_000);
    }
    expect(await left()).toEqual(['live']);
    await world.pass(60_000);
    expect(await left()).toEqual([]);
  });

  it('stay where a task of theirs is committed while the operator looks', async () => {
    world.put({ replicas: 1, ...IDLE });
    await world.start();
    const { incarnation } = await join(world.store, { pool: 'default~pool' });
    await used('old', incarnation);
    let late: Promise<void> | undefined;
    world.onCall = (method) => {
      if (method === 'eraseProject') late ??= used('old', incarnation);
    };
    await world.pass(75_000);
    expect(late).toBeDefined();
    expect(await left()).toEqual(['old']);
  });

  it('are erased however many there are, a bounded number with each pass', async () => {
    world.put({ replicas: 1, ...IDLE });
    await world.start();
    const { incarnation } = await join(world.store, { pool: 'default~pool' });
    for (let at = 0; at < 450; at += 1) await used(`p${at}`, incarnation);
    await world.pass(61_000);
    const erased = new Map<number, number>();
    world.onCall = (method) => {
      const nowMs = world.clock.nowMs();
      if (method === 'eraseProject') erased.set(nowMs, (erased.get(nowMs) ?? 0) + 1);
    };
    await world.pass(20_000);
    expect([...erased.values()]).toEqual([200, 200, 50]);
    expect(await left()).toEqual([]);
  });

  it('stay for ever where the pool does not say', async () => {
    world.put({ replicas: 1 });
    await world.start();
    const { incarnation } = await join(world.store, { pool: 'default~pool' });
    await used('old', incarnation);
    await world.pass(3_600_000);
    expect(await left()).toEqual(['old']);
  });
});
