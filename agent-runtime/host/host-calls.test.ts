/** What operators and lease holders ask of a host: pause, resume, remove, discard, leases, views. */
import { describe, expect, it } from '@jest/globals';
import { HostWorld, PROJECT } from '../../test/builders/host-world.ts';
import { settle } from '../../test/fakes/fake-clock.ts';
import { success } from '../../test/fakes/fake-worker.ts';

const call = { project: PROJECT, force: false };

describe('pause', () => {
  it('stops the intake at once, waits for what runs, and is in the record', async () => {
    const world = await new HostWorld().open();
    const running = await world.send('q1');
    const queued = await world.send('q2');
    const paused = world.host.call({ method: 'pause', ...call });
    await settle();
    expect(queued.reason).toBe('PAUSED');
    expect((await world.send('q3')).reason).toBe('PAUSED');
    await world.finish('q1');
    expect(await paused).toMatchObject({ state: 'PAUSED', id: PROJECT });
    expect(running.text).toBe('done');
    expect(await world.truth.readProject(PROJECT)).toMatchObject({ paused: true });
  });

  it('survives hibernation', async () => {
    const world = await new HostWorld().open({ tiers: { warm: { idleSeconds: 10 } } });
    await world.send('q1');
    await world.finish('q1');
    await world.host.call({ method: 'pause', ...call });
    await world.clock.advance(12_000);
    expect(await world.host.call({ method: 'listInstances' })).toEqual([]);
    expect((await world.send('q2')).reason).toBe('PAUSED');
  });

  it('with force cancels what runs', async () => {
    const world = await new HostWorld().open();
    const running = await world.send('q1');
    expect(await world.host.call({ method: 'pause', project: PROJECT, force: true })).toMatchObject(
      { state: 'PAUSED' },
    );
    expect(running.reason).toBe('PAUSED');
  });

  it('cancels what runs for longer than the drain time, and ends what does not heed it', async () => {
    const world = await new HostWorld().open({
      limits: { drainSeconds: 10, cancelGraceSeconds: 5 },
    });
    world.workers.heedsCancel = false;
    const running = await world.send('q1');
    const paused = world.host.call({ method: 'pause', ...call });
    await settle();
    await world.clock.advance(10_000);
    await world.clock.advance(5_000);
    expect(running.reason).toBe('PAUSED');
    await world.clock.advance(1_000);
    expect(await paused).toMatchObject({ state: 'TERMINATED' });
    expect(await world.truth.readProject(PROJECT)).toMatchObject({ paused: true });
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
  });

  it('ends with resume', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    await world.finish('q1');
    await world.host.call({ method: 'pause', ...call });
    expect(await world.host.call({ method: 'resume', project: PROJECT })).toMatchObject({
      state: 'READY',
    });
    await world.send('q2');
    expect(world.workers.has('q2')).toBe(true);
    expect(await world.truth.readProject(PROJECT)).toMatchObject({ paused: false });
  });

  it.each(['pause', 'resume', 'remove', 'getInstance'] as const)(
    '%s of a project without a live instance is UNKNOWN_INSTANCE',
    async (method) => {
      const world = await new HostWorld().open();
      await expect(world.host.call({ method, ...call })).rejects.toMatchObject({
        reason: 'UNKNOWN_INSTANCE',
      });
    },
  );
});

describe('remove', () => {
  it('ends the instance and keeps the state', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    await world.finish('q1');
    await world.host.call({ method: 'remove', ...call });
    expect(await world.host.call({ method: 'listInstances' })).toEqual([]);
    expect(await world.truth.readProject(PROJECT)).toMatchObject({ seq: 1 });
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
  });

  it('waits for what runs; tasks that come meanwhile start the next incarnation', async () => {
    const world = await new HostWorld().open();
    const running = await world.send('q1');
    const removed = world.host.call({ method: 'remove', ...call });
    const late = await world.send('q2', { conversationId: 'c2' });
    await world.finish('q1');
    await removed;
    await settle();
    await world.finish('q2');
    expect([running.text, late.text]).toEqual(['done', 'done']);
    expect((await world.truth.readProject(PROJECT))?.epoch).toBe(2);
  });

  it('with force fails what runs', async () => {
    const world = await new HostWorld().open();
    world.workers.heedsCancel = false;
    const running = await world.send('q1');
    const removed = world.host.call({ method: 'remove', project: PROJECT, force: true });
    await world.clock.advance(6_000);
    await removed;
    expect(running.reason).toBe('CANCELLED');
    expect(await world.host.call({ method: 'listInstances' })).toEqual([]);
  });

  it('ends leases too', async () => {
    const world = await new HostWorld().open();
    await world.host.call({ method: 'acquire', project: PROJECT, ttlMs: 60_000 });
    await world.host.call({ method: 'remove', ...call });
    expect(await world.truth.readProject(PROJECT)).toMatchObject({ leases: [] });
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
  });

  it('of an instance that is still initializing ends it, and what waited starts anew', async () => {
    const world = new HostWorld();
    world.workers.onOpen = () => undefined;
    await world.open();
    const task = await world.send('q1');
    world.workers.onOpen = (session) => ({ type: 'opened', session });
    await world.host.call({ method: 'remove', ...call });
    await settle();
    await world.finish('q1');
    expect(task.text).toBe('done');
    expect((await world.truth.readProject(PROJECT))?.epoch).toBe(2);
  });
});

describe('discard', () => {
  it('drops instance and claim whatever runs', async () => {
    const world = await new HostWorld().open();
    const running = await world.send('q1');
    await world.host.call({ method: 'discard', project: PROJECT });
    expect(running.reason).toBe('CANCELLED');
    expect((await world.truth.readProject(PROJECT))?.owner).toBeUndefined();
  });
});

describe('leases', () => {
  it('are acquired, renewed, used and released', async () => {
    const world = await new HostWorld().open();
    world.workers.onRun = () => success();
    const lease = (await world.host.call({
      method: 'acquire',
      project: PROJECT,
      ttlMs: 10_000,
    })) as { leaseId: string };
    expect(lease).toMatchObject({ instanceId: PROJECT, tier: 'WARM', created: true });
    const { leaseId } = lease;
    expect((await world.send('q1', { leaseId })).text).toBe('done');
    await world.clock.advance(9_000);
    await world.host.call({ method: 'renew', project: PROJECT, leaseId, ttlMs: 10_000 });
    await world.clock.advance(9_000);
    expect((await world.send('q2', { leaseId })).text).toBe('done');
    await world.host.call({ method: 'releaseLease', project: PROJECT, leaseId });
    expect((await world.send('q3', { leaseId })).reason).toBe('LEASE_UNKNOWN');
    expect(await world.truth.readProject(PROJECT)).toMatchObject({ leases: [] });
  });

  it('that nobody has are unknown, and asking for them starts nothing', async () => {
    const world = await new HostWorld().open();
    for (const method of ['renew', 'releaseLease'] as const) {
      const asked = world.host.call({ method, project: PROJECT, leaseId: 'x', ttlMs: 1 });
      await expect(asked).rejects.toMatchObject({ reason: 'LEASE_UNKNOWN' });
    }
    expect(await world.host.call({ method: 'listInstances' })).toEqual([]);
  });

  it('survive the loss of the runtime', async () => {
    const world = await new HostWorld().open();
    const { leaseId } = (await world.host.call({
      method: 'acquire',
      project: PROJECT,
      ttlMs: 60_000,
    })) as { leaseId: string };
    world.host.stop();
    await world.truth.deregister('r1');
    const other = await new HostWorld({ incarnation: 'r2', on: world }).open();
    await other.host.call({ method: 'renew', project: PROJECT, leaseId, ttlMs: 60_000 });
    other.workers.onRun = () => success();
    expect((await other.send('q1', { leaseId })).text).toBe('done');
    other.host.stop();
  });
});

describe('activate', () => {
  it('brings an instance to life and says whether it was new', async () => {
    const world = await new HostWorld().open();
    expect(await world.host.call({ method: 'activate', project: PROJECT })).toMatchObject({
      created: true,
      state: 'READY',
      tier: 'WARM',
      epoch: 1,
    });
    expect(await world.host.call({ method: 'activate', project: PROJECT })).toMatchObject({
      created: false,
    });
  });

  it('of a paused project makes a paused instance', async () => {
    const world = await new HostWorld().open();
    await world.truth.setPaused(PROJECT, true, 0);
    expect(await world.host.call({ method: 'activate', project: PROJECT })).toMatchObject({
      state: 'PAUSED',
    });
  });

  it('tells where the project lives when that is elsewhere', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    const other = await new HostWorld({ incarnation: 'r2', on: world }).open();
    await expect(other.host.call({ method: 'activate', project: PROJECT })).rejects.toMatchObject({
      reason: 'OWNER_UNREACHABLE',
      metadata: { incarnation: 'r1', address: 'unix:/r1', epoch: '1' },
    });
    other.host.stop();
  });
});

describe('views', () => {
  it('count what the instance did and what waits', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    await world.send('q2');
    expect(await world.host.call({ method: 'getInstance', project: PROJECT })).toMatchObject({
      state: 'BUSY',
      queued: 1,
      requests: 0,
    });
    await world.finish('q1');
    await world.finish('q2');
    await world.clock.advance(1_000);
    expect(await world.host.call({ method: 'getInstance', project: PROJECT })).toMatchObject({
      state: 'READY',
      queued: 0,
      requests: 2,
    });
    expect(await world.host.call({ method: 'listInstances', tenant: 'globex' })).toEqual([]);
  });

  it('carry the metrics of the runtime', async () => {
    const world = await new HostWorld().open();
    await world.send('q1');
    await world.finish('q1');
    const snapshot = JSON.stringify(await world.host.call({ method: 'metrics' }));
    expect(snapshot).toContain('agent_pool_activation_seconds');
    expect(snapshot).toContain('"outcome":"committed"');
  });
});
