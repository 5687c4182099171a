import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../test/fakes/fake-cluster.ts';
import type { FakeKube } from '../../test/fakes/cluster/fake-kube.ts';
import { MANY_FAULTS, NO_FAULTS } from '../../test/fakes/cluster/kube-faults.ts';
import { SeededRandom } from '../../test/simulation/seeded-random.ts';
import { silentLog } from '../log.ts';
import { LeaderElection } from './leader-election.ts';
import { leaderOnly } from './leader-only.ts';
import { CONFIG_MAPS, LEASES } from './resources.ts';

const LEASE = { namespace: 'agentpool', name: 'agentpool-operator' };

interface Candidate {
  readonly kube: FakeKube;
  readonly election: LeaderElection;
  readonly story: string[];
}

describe('leader election', () => {
  let clock: FakeClock;
  let cluster: FakeCluster;
  beforeEach(() => {
    clock = new FakeClock();
    cluster = new FakeCluster({ clock });
  });

  const candidate = (identity: string, itsClock = clock, seed = 1): Candidate => {
    const kube = cluster.connect('agentpool-operator');
    const story: string[] = [];
    const election = new LeaderElection({
      kube,
      lease: LEASE,
      identity,
      clock: itsClock,
      random: new SeededRandom(seed),
      log: silentLog,
      onLeading: () => story.push('leads'),
      onLost: () => story.push('lost'),
    });
    election.start();
    return { kube, election, story };
  };
  const holder = async () => (await cluster.admin.get(LEASES, LEASE)).spec;

  it('the first one leads, and renews', async () => {
    const a = candidate('a');
    await clock.advance(0);
    expect(a.story).toEqual(['leads']);
    expect(a.election.isLeader()).toBe(true);
    await clock.advance(60_000);
    expect(a.election.isLeader()).toBe(true);
    expect(await holder()).toMatchObject({
      holderIdentity: 'a',
      leaseTransitions: 0,
      leaseDurationSeconds: 15,
    });
    expect((await holder())?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.]\d{6}Z$/);
    await a.election.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('the next one leads within a second or so after the leader has given the Lease back', async () => {
    const [a, b] = [candidate('a'), candidate('b')];
    await clock.advance(5_000);
    expect(b.election.isLeader()).toBe(false);
    await a.election.stop();
    expect((await holder())?.holderIdentity).toBe('');
    expect(a.story).toEqual(['leads']);
    await clock.advance(2_400);
    expect(b.election.isLeader()).toBe(true);
    expect(await holder()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  it('a leader that cannot reach the API server stops before another begins', async () => {
    const [a, b] = [candidate('a'), candidate('b')];
    await clock.advance(5_000);
    a.kube.isConnected = false;
    let lastOfAMs = 0;
    let firstOfBMs = 0;
    for (let step = 0; step < 300; step++) {
      await clock.advance(100);
      if (a.election.isLeader()) lastOfAMs = clock.nowMs();
      if (b.election.isLeader() && firstOfBMs === 0) firstOfBMs = clock.nowMs();
    }
    expect(a.story).toEqual(['leads', 'lost']);
    expect(b.story).toEqual(['leads']);
    expect(firstOfBMs - lastOfAMs).toBeGreaterThan(2_000);
  });

  it('one whose API server is frozen stops in time, too', async () => {
    const a = candidate('a');
    await clock.advance(5_000);
    a.kube.faults = { ...NO_FAULTS, latencyMaxMs: 10_000_000 };
    await clock.advance(10_500);
    expect(a.election.isLeader()).toBe(false);
    expect(a.story).toEqual(['leads', 'lost']);
  });

  it('one that was frozen itself writes nothing when it thaws, and learns that it is over', async () => {
    const frozen = new FakeClock();
    const a = candidate('a', frozen);
    await frozen.advance(0);
    const b = candidate('b');
    await clock.advance(0);
    await clock.advance(20_000);
    expect(b.election.isLeader()).toBe(true);
    frozen.freeze(20_000);
    const fenced = leaderOnly(a.kube, () => a.election.isLeader());
    const write = fenced.create(CONFIG_MAPS, { metadata: { name: 'late', namespace: 'default' } });
    await expect(write).rejects.toMatchObject({ reason: 'NotLeader' });
    await frozen.advance(0);
    expect(a.story).toEqual(['leads', 'lost']);
    expect((await holder())?.holderIdentity).toBe('b');
  });

  it('one that was frozen while nobody else was there goes on leading', async () => {
    const a = candidate('a');
    await clock.advance(1_000);
    clock.freeze(60_000);
    expect(a.election.isLeader()).toBe(false);
    await clock.advance(1);
    expect([a.election.isLeader(), a.story]).toEqual([true, ['leads']]);
  });

  it('a renewal whose answer was lost is found to be its own', async () => {
    const a = candidate('a');
    await clock.advance(1_000);
    a.kube.faults = { ...NO_FAULTS, unknownApplied: 1, timeoutMs: 1_000 };
    await clock.advance(3_000);
    a.kube.faults = NO_FAULTS;
    await clock.advance(30_000);
    expect([a.election.isLeader(), a.story]).toEqual([true, ['leads']]);
  });

  it('a Lease that somebody deleted is made again by whoever leads next', async () => {
    const a = candidate('a');
    await clock.advance(1_000);
    await cluster.admin.delete(LEASES, LEASE);
    await clock.advance(3_000);
    expect(a.story).toEqual(['leads', 'lost']);
    const b = candidate('b');
    await clock.advance(0);
    expect(b.election.isLeader()).toBe(true);
  });

  it('believes no clock but its own', async () => {
    const ahead = new FakeClock(5, 1_900_000_000_000);
    const a = candidate('a', ahead);
    await ahead.advance(0);
    const b = candidate('b');
    for (let step = 0; step < 30; step++) {
      await ahead.advance(1_000);
      await clock.advance(1_000);
    }
    expect([a.election.isLeader(), b.election.isLeader()]).toEqual([true, false]);
    await clock.advance(15_000 + 2_400);
    expect(b.election.isLeader()).toBe(true);
  });

  it.each([1, 2, 3, 4, 5, 6])('never two at once, whatever goes wrong (seed %d)', async (seed) => {
    cluster = new FakeCluster({ clock, seed });
    const random = new SeededRandom(seed);
    let candidates = ['a', 'b', 'c'].map((identity, index) =>
      candidate(identity, clock, seed * 10 + index),
    );
    let leaders = 0;
    for (let step = 0; step < 3_000; step++) {
      for (const { kube } of candidates) {
        kube.faults = random.chance(0.5) ? { ...MANY_FAULTS, unavailable: 0.3 } : NO_FAULTS;
        kube.isConnected = random.chance(0.02) ? !kube.isConnected : kube.isConnected;
      }
      candidates = candidates.map((one, index) => {
        if (!one.story.includes('lost')) return one;
        return candidate(`${index}-${step}`, clock, seed + step);
      });
      await clock.advance(100);
      const leading = candidates.filter(({ election }) => election.isLeader());
      expect(leading.length).toBeLessThanOrEqual(1);
      leaders += leading.length;
    }
    expect(leaders).toBeGreaterThan(500);
  });
});
