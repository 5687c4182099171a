import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../test/fakes/fake-cluster.ts';
import type { FakeKube } from '../../test/fakes/cluster/fake-kube.ts';
import { NO_FAULTS } from '../../test/fakes/cluster/kube-faults.ts';
import { silentLog } from '../log.ts';
import { EventRecorder, type NewKubeEvent } from './event-recorder.ts';
import { EVENTS } from './resources.ts';

describe('the event recorder', () => {
  let clock: FakeClock;
  let cluster: FakeCluster;
  let kube: FakeKube;
  let recorder: EventRecorder;
  beforeEach(() => {
    clock = new FakeClock();
    cluster = new FakeCluster({ clock });
    kube = cluster.connect('agentpool-operator');
    recorder = new EventRecorder({
      kube,
      clock,
      log: silentLog,
      controller: 'agentpool.dev/operator',
      instance: 'operator-0',
    });
  });

  const event = (note: string, reason = 'Scaled'): NewKubeEvent => ({
    regarding: {
      apiVersion: 'agentpool.dev/v1alpha1',
      kind: 'AgentPool',
      metadata: { name: 'tutors', namespace: 'default', uid: 'u1' },
    },
    type: 'Normal',
    reason,
    action: 'Reconcile',
    note,
  });
  const told = async () => (await cluster.admin.list(EVENTS, { namespace: 'default' })).items;

  it('tells once what happened once', async () => {
    recorder.record(event('from 1 to 2'));
    await clock.advance(0);
    expect(await told()).toMatchObject([
      {
        involvedObject: { kind: 'AgentPool', name: 'tutors', uid: 'u1' },
        message: 'from 1 to 2',
        count: 1,
        reportingComponent: 'agentpool.dev/operator',
      },
    ]);
    await clock.advance(1_000_000);
    expect(kube.writes).toBe(1);
  });

  it('counts repeats on one event, written seldom', async () => {
    for (let time = 0; time < 100; time++) {
      recorder.record(event('again'));
      await clock.advance(1_000);
    }
    await clock.advance(10_000);
    const events = await told();
    expect(events).toHaveLength(1);
    expect(events[0]?.count).toBe(100);
    expect(kube.writes).toBeLessThanOrEqual(12);
  });

  it('begins a new event when the last repeat was long ago', async () => {
    recorder.record(event('again'));
    await clock.advance(7 * 60_000);
    recorder.record(event('again'));
    await clock.advance(0);
    expect(await told()).toHaveLength(2);
  });

  it('drops what one object has too much to say, and goes on later', async () => {
    for (let number = 0; number < 100; number++) recorder.record(event(`number ${number}`));
    await clock.advance(0);
    expect(await told()).toHaveLength(25);
    expect(recorder.dropped).toBe(75);
    await clock.advance(31_000);
    recorder.record(event('one more'));
    await clock.advance(0);
    expect(await told()).toHaveLength(26);
  });

  it('tries again while the API server is away, but not for ever', async () => {
    kube.isConnected = false;
    recorder.record(event('late'));
    await clock.advance(5_000);
    kube.isConnected = true;
    await clock.advance(10_000);
    expect(await told()).toHaveLength(1);
    kube.isConnected = false;
    recorder.record(event('never'));
    await clock.advance(100_000);
    expect(recorder.dropped).toBe(1);
    expect(kube.calls.get('create events')).toBe(5);
  });

  it('makes an event anew that the cluster has forgotten', async () => {
    recorder.record(event('again'));
    await clock.advance(0);
    const [first] = await told();
    await cluster.admin.delete(EVENTS, { namespace: 'default', name: first?.metadata.name ?? '' });
    recorder.record(event('again'));
    await clock.advance(30_000);
    expect((await told())[0]?.count).toBe(2);
  });

  it('does not stand in the way where it may not tell', async () => {
    kube.mayCall = () => false;
    recorder.record(event('secret'));
    await clock.advance(100_000);
    expect(kube.calls.get('create events')).toBe(1);
  });

  it('cuts long notes at a character', async () => {
    recorder.record(event('ü'.repeat(2_000)));
    await clock.advance(0);
    const note = (await told())[0]?.message ?? '';
    expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1_024);
    expect(note).toMatch(/^ü+…$/);
  });

  it('tells what waits when it stops', async () => {
    recorder.record(event('again'));
    await clock.advance(0);
    recorder.record(event('again'));
    recorder.record(event('last words'));
    await recorder.stop();
    expect((await told()).map(({ message, count }) => [message, count]).toSorted()).toEqual([
      ['again', 2],
      ['last words', 1],
    ]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('holds no memory of what is long over', async () => {
    kube.faults = NO_FAULTS;
    const small = new EventRecorder({
      kube,
      clock,
      log: silentLog,
      controller: 'c',
      instance: 'i',
      limits: { seriesMax: 2, burstPerObject: 100 },
    });
    for (const note of ['a', 'b', 'c']) small.record(event(note));
    expect(small.dropped).toBe(1);
    await clock.advance(0);
    await clock.advance(7 * 60_000);
    small.record(event('d'));
    expect(small.dropped).toBe(1);
    await small.stop();
  });
});
