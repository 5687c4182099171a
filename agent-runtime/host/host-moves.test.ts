/** How projects come to a runtime and leave it: single flight, takeover, eviction, tiers, binding, drain, and what gateways are told. */
import { describe, expect, it, jest } from '@jest/globals';
import { LEASE_RENEW_MS } from '../../platform/store/store.ts';
import { HostWorld, POOL, PROJECT } from '../../test/builders/host-world.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import { success } from '../../test/fakes/fake-worker.ts';

const keyOf = (project: string): string => `${POOL}~acme~${project}`;

async function instances(
  world: HostWorld,
): Promise<readonly { id: string; tier: string; state: string }[]> {
  return (await world.host.call({ method: 'listInstances' })) as never;
}

async function names(world: HostWorld): Promise<readonly string[]> {
  return (await instances(world)).map(({ id }) => id.split('~').at(-1) ?? '').sort();
}

describe('an activation', () => {
  it('is one for all tasks that wait', async () => {
    const world = await new HostWorld().open();
    world.workers.onOpen = () => undefined;
    const tasks = [await world.send('q1'), await world.send('q2', { conversationId: 'c2' })];
    const opens = world.workers.all.flatMap(({ received }) =>
      received.filter(({ type }) => type === 'open'),
    );
    expect(opens).toHaveLength(1);
    world.workers.all[0]?.say({ type: 'opened', session: 1 });
    await settle();
    await world.finish('q1');
    await world.finish('q2');
    expect(tasks.map(({ text }) => text)).toEqual(['done', 'done']);
    expect((await world.truth.readProject(PROJECT))?.epoch).toBe(1);
  });

  it('sends tasks to the owner where there is one', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const other = await new HostWorld({ incarnation: 'r2', on: world }).open();
    expect((await other.send('q2')).end).toEqual({
      type: 'elsewhere',
      owner: { incarnation: 'r1', address: 'unix:/r1', epoch: 1 },
      epoch: 1,
    });
    expect(await instances(other)).toEqual([]);
    other.host.stop();
  });

  it('of a paused project gives the claim back and starts nothing', async () => {
    const world = await new HostWorld().open();
    await world.truth.setPaused(PROJECT, true, 0);
    expect((await world.send('q1')).reason).toBe('PAUSED');
    expect(await instances(world)).toEqual([]);
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
  });

  it('takes COLD workers of its own and leaves the blanks alone', async () => {
    const world = await new HostWorld().open();
    await world.clock.advance(1_000);
    const before = world.workers.all.length;
    await world.publish({ projects: [{ tenant: 'acme', project: 'one', tier: 'COLD' }] });
    await world.send('q1');
    expect(world.workers.run('q1').worker.id).toBe(before + 1);
    expect(world.workers.run('q1').worker.heapMb).toBe(256);
  });

  it('uses a blank for WARM and makes another in the background', async () => {
    const world = await new HostWorld().open({ tiers: { warm: { blankWorkers: 2 } } });
    await world.clock.advance(1_000);
    expect(world.workers.all).toHaveLength(2);
    await world.send('q1');
    expect(world.workers.run('q1').worker.id).toBe(1);
    await world.clock.advance(1_000);
    expect(world.workers.all).toHaveLength(3);
  });
});

describe('a takeover', () => {
  const takeover = { incarnation: 'r1', epoch: 1, refused: false };

  it.each(['refused', 'silent'] as const)('happens when the owner is %s', async (answer) => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const other = await new HostWorld({ incarnation: 'r2', on: world }).open();
    other.peers.answer = answer;
    other.workers.onRun = () => success('mine now');
    expect((await other.send('q2', { takeover })).text).toBe('mine now');
    expect(other.peers.asked).toEqual(['ping unix:/r1']);
    other.host.stop();
  });

  it('asks an owner that lives to let go, and takes what it released', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const other = await new HostWorld({ incarnation: 'r2', on: world }).open();
    Object.assign(other.peers, { answer: 'alive', released: true });
    other.workers.onRun = () => success('mine now');
    expect((await other.send('q2', { takeover })).text).toBe('mine now');
    expect(other.peers.asked).toEqual(['ping unix:/r1', 'yield unix:/r1']);
    other.host.stop();
  });

  it('does not happen to an owner that lives and is busy', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const other = await new HostWorld({ incarnation: 'r2', on: world }).open();
    other.peers.answer = 'alive';
    expect((await other.send('q2', { takeover })).end).toMatchObject({
      type: 'elsewhere',
      owner: { incarnation: 'r1' },
    });
    other.host.stop();
  });

  it('does not happen to a later owner than the one that the gateway meant', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const other = await new HostWorld({ incarnation: 'r2', on: world }).open();
    const stale = { ...takeover, epoch: 0 };
    expect((await other.send('q2', { takeover: stale })).end).toMatchObject({ type: 'elsewhere' });
    expect(other.peers.asked).toEqual([]);
    other.host.stop();
  });

  it('that came too soon after another waits within the queue time of its task', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const second = await new HostWorld({ incarnation: 'r2', on: world }).open();
    await second.send('q2', { takeover });
    const third = await new HostWorld({ incarnation: 'r3', on: world }).open();
    third.workers.onRun = () => success('third');
    const next = { incarnation: 'r2', epoch: 2, refused: false };
    const patient = await third.send('q3', { takeover: next });
    expect(patient.end).toBeUndefined();
    await world.clock.advance(5_000);
    expect(patient.text).toBe('third');
    second.host.stop();
    third.host.stop();
  });
});

describe('yielding', () => {
  it('releases at quiescence and tells the gateways', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const yielded = world.host.yieldProject(PROJECT, 2_000);
    await settle();
    await world.finish('q1');
    expect(await yielded).toBe(true);
    expect(world.moved).toEqual([{ project: PROJECT, epoch: 1, to: undefined }]);
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
  });

  it('goes on serving when it was busy for too long', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const yielded = world.host.yieldProject(PROJECT, 2_000);
    const held = await world.send('q2', { conversationId: 'c2' });
    expect(world.workers.has('q2')).toBe(false);
    await world.clock.advance(2_000);
    expect(await yielded).toBe(false);
    await world.finish('q2');
    expect(held.text).toBe('done');
  });

  it('gives up what only the store believes to be here', async () => {
    const world = await new HostWorld().open();
    await world.truth.claim({ key: PROJECT, incarnation: 'r1', claimId: 'forgotten' });
    expect(await world.host.yieldProject(PROJECT, 100)).toBe(true);
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
  });
});

describe('room', () => {
  it('is made by the idlest, COLD first, and never by a leased or busy one', async () => {
    const world = await new HostWorld().open({
      tiers: { warm: { maxInstancesPerReplica: 4 }, cold: { idleSeconds: 300 } },
      projects: [{ tenant: 'acme', project: 'cold', tier: 'COLD' }],
    });
    world.workers.onRun = ({ task }) => (task.requestId === 'busy' ? undefined : success());
    await world.host.call({ method: 'acquire', project: keyOf('leased'), ttlMs: 600_000 });
    await world.send('busy', { project: keyOf('busy') });
    await world.clock.advance(100);
    await world.send('a', { project: keyOf('a') });
    await world.clock.advance(100);
    await world.send('cold', { project: keyOf('cold') });
    await world.clock.advance(100);
    await world.send('b', { project: keyOf('b') });
    expect(await names(world)).toEqual(['a', 'b', 'busy', 'leased']);
    await world.clock.advance(100);
    await world.send('c', { project: keyOf('c') });
    expect(await names(world)).toEqual(['b', 'busy', 'c', 'leased']);
  });

  it('that is full of busy ones is waited for', async () => {
    const world = await new HostWorld().open({ tiers: { warm: { maxInstancesPerReplica: 1 } } });
    await world.send('q1');
    const waiting = await world.send('q2', { project: keyOf('b') });
    expect(waiting.end).toBeUndefined();
    await world.finish('q1');
    await world.finish('q2');
    expect(waiting.text).toBe('done');
    expect(await names(world)).toEqual(['b']);
  });

  it('is not waited for longer than the task may', async () => {
    const world = await new HostWorld().open({ tiers: { warm: { maxInstancesPerReplica: 1 } } });
    await world.send('q1');
    const waiting = await world.send('q2', { project: keyOf('b'), queueMs: 3_000 });
    await world.clock.advance(3_000);
    expect(waiting.reason).toBe('QUEUE_TIMEOUT');
    await world.finish('q1');
    expect(await names(world)).toEqual(['one']);
  });

  it('of one tenant does not take that of another', async () => {
    const world = await new HostWorld().open({ tenantLimits: { maxInstances: 1 } });
    world.workers.onRun = () => success();
    await world.send('q1');
    await world.send('q2', { project: `${POOL}~globex~x` });
    await world.send('q3', { project: keyOf('two') });
    expect(await names(world)).toEqual(['two', 'x']);
  });
});

describe('idle instances', () => {
  it('hibernate after the time of their tier; the state stays and they come back', async () => {
    const world = await new HostWorld().open({
      tiers: { warm: { idleSeconds: 20 }, cold: { idleSeconds: 5 } },
      projects: [{ tenant: 'acme', project: 'cold', tier: 'COLD' }],
    });
    world.workers.onRun = () => success('x', { writes: [{ agent: 'echo', key: 'k', json: '1' }] });
    await world.send('q1');
    await world.send('q2', { project: keyOf('cold') });
    await world.clock.advance(7_000);
    expect(await names(world)).toEqual(['one']);
    await world.clock.advance(15_000);
    expect(await names(world)).toEqual([]);
    expect(world.moved).toEqual([]);
    await world.send('q3');
    const restores = world.workers
      .run('q3')
      .worker.received.filter(({ type }) => type === 'restore');
    expect(restores.at(-1)).toMatchObject({ state: [{ agent: 'echo', key: 'k', json: '1' }] });
  });

  it('stay while somebody holds a lease on them', async () => {
    const world = await new HostWorld().open({ tiers: { warm: { idleSeconds: 20 } } });
    await world.host.call({ method: 'acquire', project: PROJECT, ttlMs: 60_000 });
    await world.clock.advance(50_000);
    expect(await names(world)).toEqual(['one']);
    await world.clock.advance(15_000);
    expect(await names(world)).toEqual([]);
  });

  it('go when the process is short of memory', async () => {
    const world = await new HostWorld({ limitBytes: 1_000 }).open();
    world.workers.onRun = () => success();
    await world.send('q1');
    world.rssBytes = 950;
    await world.clock.advance(1_000);
    expect(await names(world)).toEqual([]);
  });
});

describe('tiers', () => {
  const HOT_ONE = { projects: [{ tenant: 'acme', project: 'one', tier: 'HOT' as const }] };

  it('a HOT project is served as WARM until its own runtime is ready, then moves at quiescence', async () => {
    const world = await new HostWorld().open(HOT_ONE);
    const first = await world.send('q1');
    const dedicated = await new HostWorld({ incarnation: 'd1', role: 'dedicated', on: world }).open(
      HOT_ONE,
    );
    await dedicated.host.bind(PROJECT);
    await world.clock.advance(2_000);
    expect(world.moved).toEqual([]);
    await world.finish('q1');
    expect(first.end).toMatchObject({ header: { tier: 'WARM' } });
    expect(world.moved).toEqual([
      {
        project: PROJECT,
        epoch: 1,
        to: expect.objectContaining({ incarnation: 'd1', address: 'unix:/d1' }),
      },
    ]);
    dedicated.workers.onRun = () => success();
    expect((await dedicated.send('q2')).end).toMatchObject({ header: { tier: 'HOT' } });
    dedicated.host.stop();
  });

  it('a task that comes late is sent on to it once, and taken where that did not help', async () => {
    const world = await new HostWorld().open(HOT_ONE);
    const dedicated = await new HostWorld({ incarnation: 'd1', role: 'dedicated', on: world }).open(
      HOT_ONE,
    );
    await dedicated.host.bind(PROJECT);
    await settle();
    world.workers.onRun = () => success();
    expect((await world.send('q1')).end).toEqual({
      type: 'elsewhere',
      owner: { incarnation: 'd1', address: 'unix:/d1', epoch: 0 },
      epoch: 0,
    });
    expect(await instances(world)).toEqual([]);
    const again = await world.send('q1', { sentOn: true });
    expect(again.end).toMatchObject({ header: { tier: 'WARM' } });
    dedicated.host.stop();
  });

  it('a dedicated runtime lets go of a project that is not HOT any more', async () => {
    const world = await new HostWorld({ role: 'dedicated' }).open(HOT_ONE);
    await world.host.bind(PROJECT);
    world.workers.onRun = () => success();
    await world.send('q1');
    expect(world.moved).toEqual([]);
    await world.publish({});
    await settle();
    expect(world.moved).toEqual([{ project: PROJECT, epoch: 1, to: undefined }]);
    expect(await instances(world)).toEqual([]);
  });

  it('a change between WARM and COLD takes effect at quiescence', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    await world.truth.setTierOverride(PROJECT, { tier: 'COLD', sinceMs: 0 }, 0);
    await settle();
    expect(await names(world)).toEqual(['one']);
    await world.finish('q1');
    expect(await names(world)).toEqual([]);
    world.workers.onRun = () => success();
    expect((await world.send('q2')).end).toMatchObject({ header: { tier: 'COLD' } });
  });
});

describe('binding', () => {
  it('is once for life; the same again is the same answer', async () => {
    const world = await new HostWorld({ role: 'dedicated' }).open();
    await world.host.bind(PROJECT);
    await world.host.bind(PROJECT);
    await expect(world.host.bind(keyOf('two'))).rejects.toMatchObject({ reason: 'INTERNAL' });
    expect((await world.send('q1', { project: keyOf('two') })).end).toMatchObject({
      type: 'elsewhere',
    });
  });

  it('shows in the record: standby ready, bound not ready, bound ready', async () => {
    const world = new HostWorld({ role: 'dedicated' });
    world.workers.onOpen = () => undefined;
    await world.open();
    const record = async (): Promise<unknown> => (await world.truth.listRuntimes())[0];
    expect(await record()).toMatchObject({ ready: true });
    await world.host.bind(PROJECT);
    await world.clock.advance(LEASE_RENEW_MS);
    expect(await record()).toMatchObject({ ready: false, bound: PROJECT });
    world.workers.all[0]?.say({ type: 'opened', session: 1 });
    await settle();
    expect(await record()).toMatchObject({ ready: true, bound: PROJECT });
  });

  it('says why its agents are not initialised, and no more once they are', async () => {
    const world = new HostWorld({ role: 'dedicated' });
    const failed = { type: 'openFailed', session: 1, agent: 'guide', message: 'no key' } as const;
    world.workers.onOpen = (session) => ({ ...failed, session, message: 'no key'.padEnd(999) });
    await world.open();
    const record = async () => (await world.truth.listRuntimes())[0];
    await world.host.bind(PROJECT);
    await settle();
    const { ready, bindProblem } = (await record()) ?? {};
    expect([ready, bindProblem?.length]).toEqual([false, 500]);
    expect(bindProblem).toMatch(/^initialize of agent guide failed: no key/);
    world.workers.onOpen = (session) => ({ type: 'opened', session });
    await world.clock.advance(5_000);
    expect(await record()).toMatchObject({ ready: true, bound: PROJECT });
    expect(await record()).not.toHaveProperty('bindProblem');
  });

  it('is told once, when it can be used', async () => {
    const world = await new HostWorld({ role: 'dedicated' }).open();
    await settle();
    const heard = jest.fn();
    world.truth.subscribe('runtimes', heard);
    await world.host.bind(PROJECT);
    await settle();
    expect(heard).toHaveBeenCalledTimes(1);
    const [record] = await world.truth.listRuntimes();
    expect(record).toMatchObject({ ready: true, bound: PROJECT });
  });

  it('has the agents initialised before the project comes', async () => {
    const world = await new HostWorld({ role: 'dedicated' }).open({ tiers: { default: 'HOT' } });
    await world.host.bind(PROJECT);
    await settle();
    await world.send('q1');
    const { received } = world.workers.run('q1').worker;
    expect(received.map(({ type }) => type)).toEqual(['open', 'restore', 'run']);
    expect(world.workers.run('q1').worker.id).toBe(1);
  });
});

describe('a drain', () => {
  it('tells everybody, finishes what runs, releases all and says goodbye', async () => {
    const world = await new HostWorld().open();
    const task = await world.send('q1');
    await world.send('q2', { project: keyOf('idle') });
    await world.finish('q2');
    let isDrained = false;
    const drained = world.host.drain().then(() => {
      isDrained = true;
    });
    await settle();
    expect(world.draining).toBe(true);
    expect(world.moved).toEqual([{ project: keyOf('idle'), epoch: 1, to: undefined }]);
    expect((await world.send('q3', { project: keyOf('new') })).end).toMatchObject({
      type: 'elsewhere',
      owner: undefined,
    });
    const late = await world.send('q4');
    await world.clock.advance(1_000);
    expect(isDrained).toBe(false);
    await world.finish('q1');
    await world.finish('q4');
    await drained;
    expect([task.text, late.text]).toEqual(['done', 'done']);
    expect(await world.truth.listRuntimes()).toEqual([]);
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
  });

  it('holds a project that is never idle and sends its tasks elsewhere', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const drained = world.host.drain();
    await world.clock.advance(2_000);
    const held = await world.send('q2', { conversationId: 'c2' });
    expect(held.end).toBeUndefined();
    await world.finish('q1');
    expect(held.end).toMatchObject({ type: 'elsewhere' });
    await drained;
  });

  it('does not wait for ever', async () => {
    const world = await new HostWorld().open({ limits: { taskTimeoutSeconds: 20 } });
    const task = await world.send('q1');
    const drained = world.host.drain();
    await world.clock.advance(2_000);
    await world.clock.advance(20_000);
    await drained;
    expect(task.reason).toBe('DRAINING');
  });

  it('is over before its pod is ended, though tasks may run for longer by now', async () => {
    const limits = { taskTimeoutSeconds: 600 };
    const world = await new HostWorld({ graceMs: 35_000 }).open({ limits });
    const task = await world.send('q1');
    const drained = world.host.drain();
    await world.clock.advance(2_000);
    await world.clock.advance(24_000);
    expect(task.end).toBeUndefined();
    await world.clock.advance(8_000);
    await drained;
    expect(task.reason).toBe('DRAINING');
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
  });
});
