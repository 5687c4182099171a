/** Blanks, the watchdog and what becomes of workers that misbehave. */
import { describe, expect, it } from '@jest/globals';
import { HostWorld, POOL, PROJECT } from '../../test/builders/host-world.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import { success, type FakeWorker } from '../../test/fakes/fake-worker.ts';

const alive = (world: HostWorld): readonly FakeWorker[] =>
  world.workers.all.filter(({ terminated }) => !terminated);

describe('limits', () => {
  it('of the pool that change reach the workers that live, blanks too, and once', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    await world.clock.advance(1_000);
    await world.publish({ limits: { stateBytesMax: 5_000 } });
    await world.publish({ limits: { stateBytesMax: 5_000 }, replicas: 2 });
    const told = alive(world).map(({ received }) =>
      received.flatMap((message) =>
        message.type === 'limits' ? [message.limits.stateBytesMax] : [],
      ),
    );
    expect(told).toEqual([[5_000], [5_000], [5_000]]);
  });
});

describe('blanks', () => {
  it('are kept for each heap class in use, one being made at a time', async () => {
    const world = await new HostWorld().open({
      tiers: { warm: { blankWorkers: 2, quota: { memoryMb: 512 } } },
      projects: [{ tenant: 'acme', project: 'small', quota: { memoryMb: 100 } }],
    });
    await world.clock.advance(1_000);
    expect(alive(world).map(({ heapMb }) => heapMb)).toEqual([512, 512]);
    await world.send('q1', { project: `${POOL}~acme~small` });
    await world.clock.advance(1_000);
    expect(
      alive(world)
        .map(({ heapMb }) => heapMb)
        .sort(),
    ).toEqual([128, 128, 128, 512, 512]);
  });

  it('that are ready, and instances by their tier, are told in the record of the runtime', async () => {
    const world = await new HostWorld().open({
      projects: [{ tenant: 'acme', project: 'rare', tier: 'COLD' }],
    });
    world.workers.onRun = () => success();
    await world.send('q1');
    await world.send('q2', { project: `${POOL}~acme~rare` });
    await world.clock.advance(3_000);
    const [record] = await world.truth.listRuntimes();
    expect(record).toMatchObject({ instances: { HOT: 0, WARM: 1, COLD: 1 }, blanks: 2 });
  });

  it('of a class that nobody uses any more go', async () => {
    const world = await new HostWorld().open({ tiers: { warm: { idleSeconds: 10 } } });
    await world.clock.advance(1_000);
    expect(alive(world)).toHaveLength(2);
    await world.clock.advance(620_000);
    expect(alive(world)).toHaveLength(0);
    await world.send('q1');
    expect(world.workers.has('q1')).toBe(true);
  });

  it('that end are made again after a while, not in a loop', async () => {
    const world = await new HostWorld().open();
    await world.clock.advance(1_000);
    const before = world.workers.all.length;
    for (const worker of alive(world)) worker.die('exit', 'why');
    await world.send('q1');
    await world.clock.advance(5_000);
    expect(world.workers.all.length - before).toBeLessThanOrEqual(4);
    expect(alive(world)).toHaveLength(3);
  });

  it('that never import their module are given up', async () => {
    const world = await new HostWorld().open({ health: { initializeTimeoutSeconds: 10 } });
    await world.clock.advance(1_000);
    world.workers.autoReady = false;
    for (const worker of alive(world)) worker.die('exit', 'why');
    const task = await world.send('q1');
    await world.clock.advance(10_000);
    expect(task.reason).toBe('RUNTIME_LOST');
  });

  it('are there in a standby, however long it waits', async () => {
    const world = await new HostWorld({ role: 'dedicated' }).open({ tiers: { default: 'HOT' } });
    await world.clock.advance(3_600_000);
    expect(alive(world)).toHaveLength(1);
    expect(world.workers.all).toHaveLength(1);
  });

  it('are none in a dedicated runtime once it is bound', async () => {
    const world = await new HostWorld({ role: 'dedicated' }).open({ tiers: { default: 'HOT' } });
    await world.clock.advance(1_000);
    expect(alive(world)).toHaveLength(1);
    await world.host.bind(PROJECT);
    await world.clock.advance(2_000);
    expect(alive(world)).toHaveLength(1);
  });
});

describe('the watchdog', () => {
  const MIB = 1_048_576;

  it('ends a worker over its memory quota, and says so to its task', async () => {
    const world = await new HostWorld().open({ tiers: { warm: { quota: { memoryMb: 128 } } } });
    const task = await world.send('q1');
    world.workers.memoryBytes = 200 * MIB;
    await world.clock.advance(2_000);
    expect(task.end).toMatchObject({ error: { reason: 'MEMORY_LIMIT' } });
    expect(task.end).toMatchObject({
      error: { message: expect.stringContaining('200 MiB used of 128 MiB') },
    });
  });

  it('leaves one alone that is within its heap class', async () => {
    const world = await new HostWorld().open({ tiers: { warm: { quota: { memoryMb: 200 } } } });
    const task = await world.send('q1');
    world.workers.memoryBytes = 250 * MIB;
    await world.clock.advance(5_000);
    expect(task.end).toBeUndefined();
  });

  it('weighs nobody in a shared worker', async () => {
    const world = await new HostWorld().open({ runtime: { isolation: 'Shared' } });
    const task = await world.send('q1');
    world.workers.memoryBytes = 3_000 * MIB;
    await world.clock.advance(5_000);
    expect(task.end).toBeUndefined();
  });

  it('ends an idle worker that answers nothing, and the project is free', async () => {
    const world = await new HostWorld().open();
    world.workers.onRun = () => success();
    await world.send('q1');
    world.workers.answersProbes = false;
    await world.clock.advance(20_000);
    expect(world.workers.run('q1').worker.terminated).toBe(true);
    await settle();
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
  });

  it('leaves a busy one to the deadline of its task', async () => {
    const world = await new HostWorld().open();
    const task = await world.send('q1');
    world.workers.answersProbes = false;
    await world.clock.advance(30_000);
    expect(task.end).toBeUndefined();
    await world.finish('q1');
    expect(task.text).toBe('done');
  });

  it('keeps the bytes of all instances within the limit of the runtime', async () => {
    const world = await new HostWorld().open({
      tiers: { warm: { maxMemoryMbPerReplica: 300, blankWorkers: 0 } },
    });
    world.workers.onRun = () => success();
    world.workers.memoryBytes = 120 * MIB;
    for (const name of ['a', 'b', 'c']) {
      await world.send(name, { project: `${POOL}~acme~${name}` });
      await world.clock.advance(100);
    }
    await world.clock.advance(3_000);
    const left = (await world.host.call({ method: 'listInstances' })) as readonly { id: string }[];
    expect(left.map(({ id }) => id.at(-1))).toEqual(['b', 'c']);
  });

  it('shows what workers use', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    world.workers.memoryBytes = 7 * MIB;
    await world.clock.advance(2_000);
    expect(await world.host.call({ method: 'getInstance', project: PROJECT })).toMatchObject({
      memoryBytes: 7 * MIB,
    });
  });
});
