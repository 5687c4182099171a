/** What fails in a live host: workers, initialize, commits, the store, the lease; and what callers are told. */
import { describe, expect, it } from '@jest/globals';
import { HostWorld, POOL, PROJECT } from '../../test/builders/host-world.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import { success } from '../../test/fakes/fake-worker.ts';
import { LEASE_FENCE_MS, LEASE_TTL_MS } from '../../platform/store/store.ts';

const OTHER = `${POOL}~acme~two`;

async function view(
  world: HostWorld,
  project = PROJECT,
): Promise<{ state: string; message: string; epoch: number }> {
  return (await world.host.call({ method: 'getInstance', project })) as never;
}

describe('a worker that ends', () => {
  it.each([
    { how: 'exit' as const, reason: 'AGENT_EXITED' },
    { how: 'memory' as const, reason: 'MEMORY_LIMIT' },
    { how: 'error' as const, reason: 'AGENT_EXITED' },
  ])('by $how fails its own task with $reason and nobody else', async ({ how, reason }) => {
    const world = await new HostWorld().open();
    const task = await world.send('q1');
    const bystander = await world.send('q2', { project: OTHER });
    world.workers.run('q1').worker.die(how, 'why');
    await settle();
    expect(task.reason).toBe(reason);
    expect((await view(world)).state).toBe('ERROR');
    await world.finish('q2');
    expect(bystander.text).toBe('done');
  });

  it('is replaced with the next task, and what was queued runs then', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const queued = await world.send('q2');
    world.workers.run('q1').worker.die('exit', 'why');
    await settle();
    await world.finish('q2');
    expect(queued.text).toBe('done');
    expect(await view(world)).toMatchObject({ state: 'READY', epoch: 1 });
  });

  it('loses nothing that was staged before', async () => {
    const world = await new HostWorld().open();
    world.plan = (method) => (method === 'commit' ? { answerDelayMs: 100 } : undefined);
    const task = await world.send('q1');
    await world.finish('q1', success('safe'));
    world.workers.run('q1').worker.die('exit', 'why');
    const next = await world.send('q2');
    await world.clock.advance(100);
    expect(task.text).toBe('safe');
    await world.finish('q2');
    await world.clock.advance(100);
    expect(next.text).toBe('done');
    expect((await world.truth.readProject(PROJECT))?.seq).toBe(2);
  });

  it('idle: the instance is gone, and the project free', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    await world.finish('q1');
    world.workers.run('q1').worker.die('exit', 'why');
    await settle();
    await expect(view(world)).rejects.toMatchObject({ reason: 'UNKNOWN_INSTANCE' });
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
  });

  it('too often opens the circuit until an hour has passed since the first failure', async () => {
    const world = await new HostWorld().open({ recovery: { maxFailuresPerHour: 2 } });
    for (const id of ['q1', 'q2']) {
      await world.send(id);
      world.workers.run(id).worker.die('exit', 'why');
      await world.clock.advance(1_000);
    }
    expect((await world.send('q3')).end).toMatchObject({
      error: { reason: 'CIRCUIT_OPEN', retryAfterMs: 3_598_000 },
    });
    await world.clock.advance(3_598_001);
    await world.send('q4');
    expect(world.workers.has('q4')).toBe(true);
  });

  it('of a shared isolation blames nobody when several had tasks', async () => {
    const world = await new HostWorld().open({ runtime: { isolation: 'Shared' } });
    const one = await world.send('q1');
    const two = await world.send('q2', { project: OTHER });
    expect(world.workers.all).toHaveLength(1);
    world.workers.run('q1').worker.die('exit', 'why');
    await settle();
    expect([one.reason, two.reason]).toEqual(['RUNTIME_LOST', 'RUNTIME_LOST']);
    await world.send('q3');
    expect(world.workers.all).toHaveLength(2);
  });
});

describe('initialize', () => {
  it('that fails is told to the tasks that waited, and tried again with the next one', async () => {
    const world = await new HostWorld().open();
    world.workers.onOpen = (session) => ({
      type: 'openFailed',
      session,
      agent: 'echo',
      message: 'no tools',
    });
    const task = await world.send('q1');
    expect(task.end).toMatchObject({
      error: { reason: 'AGENT_ERROR', message: 'initialize of agent echo failed: no tools' },
    });
    expect(await view(world)).toMatchObject({ state: 'ERROR', epoch: 1 });
    world.workers.onOpen = (session) => ({ type: 'opened', session });
    await world.send('q2');
    await world.finish('q2');
    expect(await view(world)).toMatchObject({ state: 'READY', epoch: 1 });
  });

  it('that hangs is ended', async () => {
    const world = await new HostWorld().open({ health: { initializeTimeoutSeconds: 10 } });
    world.workers.onOpen = () => undefined;
    const task = await world.send('q1');
    await world.clock.advance(10_000);
    expect(task.end).toMatchObject({
      error: { reason: 'AGENT_ERROR', message: expect.stringContaining('within 10 s (health.') },
    });
    expect(world.workers.all[0]?.terminated).toBe(true);
  });
});

describe('a commit', () => {
  it.each(['after', 'lost', 'before'] as const)(
    'with fault "%s" is resolved, applied once and acknowledged',
    async (fault) => {
      const world = await new HostWorld().open();
      let faults = 1;
      world.plan = (method) => (method === 'commit' && faults-- > 0 ? { fault } : undefined);
      const task = await world.send('q1');
      await world.finish('q1');
      const next = await world.send('q2', { conversationId: 'c2' });
      await world.clock.advance(2_500);
      expect(task.text).toBe('done');
      await world.finish('q2');
      expect(next.text).toBe('done');
      expect(await world.truth.readProject(PROJECT)).toMatchObject({ requests: 2 });
    },
  );

  it('with an unknown outcome holds back everything else of the project', async () => {
    const world = await new HostWorld().open();
    world.plan = (method) =>
      method === 'commit' || method === 'readProject' ? { fault: 'after' } : undefined;
    await world.send('q1');
    await world.finish('q1');
    await world.send('q2', { conversationId: 'c2' });
    await world.clock.advance(1_000);
    expect(world.workers.has('q2')).toBe(false);
    world.plan = () => undefined;
    await world.clock.advance(200);
    expect(world.workers.has('q2')).toBe(true);
  });

  it('with an unknown outcome for long tells its callers, and is still finished', async () => {
    const world = await new HostWorld().open();
    world.plan = (method) => (method === 'commit' ? { fault: 'lost' } : undefined);
    const task = await world.send('q1');
    await world.finish('q1');
    await world.clock.advance(7_500);
    expect(task.reason).toBe('STORE_UNAVAILABLE');
    world.plan = () => undefined;
    await world.clock.advance(2_500);
    expect((await world.send('q1')).end).toMatchObject({ header: { replayed: true } });
  });

  it('that never gets an answer is given up, and the next task has the project claimed anew', async () => {
    const world = await new HostWorld().open();
    world.plan = (method) => (method === 'commit' ? { fault: 'lost' } : undefined);
    const task = await world.send('q1');
    await world.finish('q1');
    await world.clock.advance(20_000);
    expect(task.reason).toBe('STORE_UNAVAILABLE');
    world.plan = () => undefined;
    const again = await world.send('q1');
    await world.finish('q1');
    expect(again.end).toMatchObject({ type: 'finished', header: { replayed: false } });
    expect(await world.truth.readProject(PROJECT)).toMatchObject({ epoch: 2, requests: 1 });
  });

  it('that is refused discards the instance; the next task asks who has the project', async () => {
    const world = await new HostWorld().open();
    const other = await new HostWorld({ incarnation: 'r2', on: world }).open();
    const task = await world.send('q1');
    const started = await world.send('q2');
    const queued = await world.send('q3');
    const epoch = 1;
    await world.truth.claim({
      key: PROJECT,
      incarnation: 'r2',
      claimId: 'stolen',
      takeover: { incarnation: 'r1', epoch, refused: true },
    });
    await world.finish('q1');
    expect([task.reason, started.reason]).toEqual(['RUNTIME_LOST', 'RUNTIME_LOST']);
    expect(queued.end).toMatchObject({ type: 'elsewhere', owner: { incarnation: 'r2', epoch: 2 } });
    expect(world.workers.run('q1').worker.terminated).toBe(true);
    other.host.stop();
  });
});

describe('a lost lease', () => {
  it('fails what runs and waits, acknowledges nothing, and keeps the instance for when the store is back', async () => {
    const world = await new HostWorld().open();
    await world.send('q0', { project: OTHER });
    await world.finish('q0');
    const running = await world.send('q1');
    const queued = await world.send('q2');
    world.flaky.reachable = false;
    await world.clock.advance(LEASE_FENCE_MS);
    expect([running.reason, queued.reason]).toEqual(['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE']);
    expect((await world.send('q3')).reason).toBe('STORE_UNAVAILABLE');
    world.flaky.reachable = true;
    await world.clock.advance(2_000);
    world.workers.onRun = () => success('back');
    expect((await world.send('q4')).end).toMatchObject({ text: 'back', header: { hit: true } });
    expect((await world.send('q5', { project: OTHER })).end).toMatchObject({
      header: { hit: true },
    });
  });

  it('discards on return what somebody else has claimed, and only that', async () => {
    const world = await new HostWorld().open();
    world.workers.onRun = () => success();
    await world.send('q1');
    await world.send('q2', { project: OTHER });
    world.flaky.reachable = false;
    await world.clock.advance(LEASE_TTL_MS + 1_000);
    const other = await new HostWorld({ incarnation: 'r2', on: world }).open();
    other.workers.onRun = () => success();
    await other.send('q3');
    world.flaky.reachable = true;
    await world.clock.advance(2_000);
    await expect(view(world)).rejects.toMatchObject({ reason: 'UNKNOWN_INSTANCE' });
    expect((await world.send('q4')).end).toMatchObject({
      type: 'elsewhere',
      owner: { incarnation: 'r2' },
    });
    expect((await world.send('q5', { project: OTHER })).end).toMatchObject({
      header: { hit: true },
    });
    other.host.stop();
  });

  it('is noticed by a process that was frozen before it answers anything', async () => {
    const world = await new HostWorld().open();
    const task = await world.send('q1');
    // Frozen: time goes on, no timer fires. What it finds first when it thaws is its worker's message.
    world.clock.freeze(LEASE_FENCE_MS + 1);
    await world.finish('q1');
    expect(task.reason).toBe('STORE_UNAVAILABLE');
  });

  it('is noticed when the answer of a commit comes after it', async () => {
    const world = await new HostWorld().open();
    world.plan = (method) => (method === 'commit' ? { answerDelayMs: 1 } : undefined);
    const task = await world.send('q1');
    await world.finish('q1');
    world.clock.freeze(LEASE_FENCE_MS + 1);
    await world.clock.advance(0);
    expect(task.reason).toBe('STORE_UNAVAILABLE');
    expect((await world.truth.readProject(PROJECT))?.seq).toBe(1);
  });
});

describe('a store that is away', () => {
  it('during an activation is asked again with the same claim', async () => {
    const world = await new HostWorld().open();
    let faults = 2;
    world.plan = (method) => (method === 'claim' && faults-- > 0 ? { fault: 'after' } : undefined);
    const task = await world.send('q1');
    await world.clock.advance(500);
    await world.finish('q1');
    expect(task.text).toBe('done');
    expect((await world.truth.readProject(PROJECT))?.epoch).toBe(1);
  });

  it('for too long fails the tasks that wait', async () => {
    const world = await new HostWorld().open();
    world.plan = (method) => (method === 'claim' ? { fault: 'before' } : undefined);
    const task = await world.send('q1');
    await world.clock.advance(6_000);
    expect(task.reason).toBe('STORE_UNAVAILABLE');
  });
});

describe("a tenant's secrets that have not come yet", () => {
  const spec = { tenants: [{ name: 'acme', secretRef: { name: 'acme' } }] };

  it('are waited for by the caller, blame nobody, and hold nothing', async () => {
    const world = new HostWorld();
    world.secretsOf = () => undefined;
    await world.open(spec);
    const error = { reason: 'SECRETS_PENDING', retryAfterMs: 5_000 };
    for (const id of ['q1', 'q2', 'q3', 'q4', 'q5', 'q6'])
      expect((await world.send(id)).end).toMatchObject({ error });
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
    world.secretsOf = () => ({ token: 'one' });
    const task = await world.send('q1');
    await world.finish('q1');
    expect(task.text).toBe('done');
  });

  it('keep no other tenant waiting', async () => {
    const world = new HostWorld();
    world.secretsOf = () => undefined;
    await world.open(spec);
    const task = await world.send('q1', { project: `${POOL}~other~one` });
    await world.finish('q1');
    expect(task.text).toBe('done');
  });
});
