/** A runtime's own view of its lease: held, lost, compared, held again; judged by the clock at each look. */
import { describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { silentLog } from '../../platform/log.ts';
import { ChangeTopics } from '../../platform/store/change-topics.ts';
import {
  LEASE_FENCE_MS,
  LEASE_RENEW_MS,
  LEASE_TTL_MS,
  type RuntimeRecord,
} from '../../platform/store/store.ts';
import { Lease } from './lease.ts';

class World {
  readonly clock = new FakeClock();
  readonly told: string[] = [];
  readonly topics = new ChangeTopics();
  readonly sent: { readonly held: boolean; readonly ttlMs: number }[] = [];
  /** How long the store takes to answer; Infinity: it does not. */
  answerMs = 0;
  reachable = true;
  verifies: 'well' | 'fails' | 'never' = 'well';
  readonly lease: Lease;

  constructor() {
    this.lease = new Lease({
      clock: this.clock,
      log: silentLog,
      store: {
        heartbeat: async (record, ttlMs) => {
          this.sent.push({ held: record.ready, ttlMs });
          if (this.answerMs > 0) await this.clock.sleep(this.answerMs);
          if (!this.reachable) throw new Error('away');
        },
        deregister: async () => undefined,
        subscribe: (topic, onChange) => this.topics.subscribe(topic, onChange),
      },
      record: ({ held }) => ({ ready: held }) as RuntimeRecord,
      onFenced: () => this.told.push('fenced'),
      verify: async () => {
        this.told.push('verify');
        if (this.verifies === 'fails') throw new Error('away');
        if (this.verifies === 'never') await new Promise(() => undefined);
      },
      onRestored: () => this.told.push('restored'),
    });
  }
}

async function started(): Promise<World> {
  const world = new World();
  await world.lease.start();
  await settle();
  return world;
}

describe('a lease', () => {
  it('is not held before the store has answered', async () => {
    const world = new World();
    world.answerMs = 50;
    const starting = world.lease.start();
    expect(world.lease.held).toBe(false);
    await world.clock.advance(50);
    await starting;
    expect(world.lease.held).toBe(true);
  });

  it('is renewed every two seconds with the time to live of the design', async () => {
    const world = await started();
    world.sent.length = 0;
    await world.clock.advance(3 * LEASE_RENEW_MS);
    expect(world.sent).toEqual([1, 2, 3].map(() => ({ held: true, ttlMs: LEASE_TTL_MS })));
  });

  it('is renewed at once when the store is back, and for no change of any pool', async () => {
    const world = await started();
    world.sent.length = 0;
    world.topics.notify('pools', 'default~demo');
    await settle();
    expect(world.sent).toHaveLength(0);
    world.topics.notify('pools');
    await settle();
    expect(world.sent).toEqual([{ held: true, ttlMs: LEASE_TTL_MS }]);
    world.lease.stop();
    world.topics.notify('pools');
    await settle();
    expect(world.sent).toHaveLength(1);
  });

  it('is lost seven seconds after the last renewal that succeeded was sent', async () => {
    const world = await started();
    world.reachable = false;
    await world.clock.advance(LEASE_FENCE_MS - 1);
    expect([world.lease.held, world.told]).toEqual([true, []]);
    await world.clock.advance(1);
    expect([world.lease.held, world.told]).toEqual([false, ['fenced']]);
  });

  it('counts from before a renewal was sent, however late its answer comes', async () => {
    const world = await started();
    world.answerMs = 5_000;
    await world.clock.advance(LEASE_RENEW_MS);
    world.reachable = true;
    await world.clock.advance(5_000 - 1);
    // Sent at 2 s, answered at 7 s: trusted until 9 s, not until 14 s. What was sent at 4 s is answered at 9 s.
    world.reachable = false;
    await world.clock.advance(LEASE_RENEW_MS + 1);
    expect(world.told).toContain('fenced');
  });

  it('does not wait for one renewal to send the next, within a bound', async () => {
    const world = await started();
    world.sent.length = 0;
    world.answerMs = 1_000_000;
    await world.clock.advance(20 * LEASE_RENEW_MS);
    expect(world.sent).toHaveLength(3);
  });

  it('writes a changed record as soon as one of too many renewals has been answered', async () => {
    const world = await started();
    world.answerMs = 100;
    for (let n = 0; n < 3; n += 1) world.lease.publish();
    world.sent.length = 0;
    world.lease.publish();
    world.lease.publish();
    expect(world.sent).toHaveLength(0);
    await world.clock.advance(100);
    expect(world.sent).toHaveLength(1);
  });

  it('is noticed as lost by a look at it, when no timer could fire', async () => {
    const world = await started();
    world.clock.freeze(LEASE_FENCE_MS);
    expect(world.told).toEqual([]);
    expect(world.lease.held).toBe(false);
    expect(world.told).toEqual(['fenced']);
  });

  it('is told as lost before an answer that comes after the thaw can hide it', async () => {
    const world = await started();
    world.answerMs = 10;
    world.clock.freeze(LEASE_FENCE_MS);
    await world.clock.advance(100);
    expect(world.told.slice(0, 2)).toEqual(['fenced', 'verify']);
  });

  it('comes back when what is owned was compared with the store', async () => {
    const world = await started();
    world.reachable = false;
    await world.clock.advance(LEASE_FENCE_MS);
    world.reachable = true;
    await world.clock.advance(LEASE_RENEW_MS);
    expect([world.lease.held, world.told]).toEqual([true, ['fenced', 'verify', 'restored']]);
    expect(world.sent.at(-1)?.held).toBe(true);
  });

  it('stays lost while the comparison fails, and asks again', async () => {
    const world = await started();
    world.reachable = false;
    await world.clock.advance(LEASE_FENCE_MS);
    Object.assign(world, { reachable: true, verifies: 'fails' });
    await world.clock.advance(2 * LEASE_RENEW_MS);
    expect([world.lease.held, world.told]).toEqual([false, ['fenced', 'verify', 'verify']]);
    world.verifies = 'well';
    await world.clock.advance(LEASE_RENEW_MS);
    expect(world.lease.held).toBe(true);
  });

  it('lets those who wait for it go on when it is held, or never will be again', async () => {
    const world = await started();
    world.reachable = false;
    await world.clock.advance(LEASE_FENCE_MS);
    let woken = 0;
    void world.lease.whenHeld().then(() => (woken += 1));
    await settle();
    expect(woken).toBe(0);
    world.lease.stop();
    await settle();
    expect([woken, world.lease.held, world.lease.stopped]).toEqual([1, false, true]);
  });
});
