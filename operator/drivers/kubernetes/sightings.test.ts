/** When a pod's node has had time enough to take it up, and when its runtime began to run. */
import { describe, expect, it } from '@jest/globals';
import type { Stored } from '../../../platform/kube/kube.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { phaseSince, Sightings } from './sightings.ts';

const NOTHING_CACHED = { get: () => undefined, list: () => [], find: () => [] };

function pod(spec: Partial<Pod['spec']>, status: Pod['status'] = {}): Stored<Pod> {
  const metadata = { name: 'a', namespace: 'default', uid: 'u', resourceVersion: '1' };
  return { metadata, spec: { containers: [], ...spec }, status } as Stored<Pod>;
}

const RUNNING: Pod['status'] = {
  containerStatuses: [
    {
      name: 'runtime',
      image: '',
      imageID: '',
      ready: true,
      restartCount: 0,
      state: { running: {} },
    },
  ],
};
const STARTED = { startTime: new Date(0) as never };

describe('the time a node has to take up a pod', () => {
  it.each([
    ['none while no node has it', {}, {}, { at: 'pending' }],
    [
      'from when it was given to one',
      { nodeName: 'n' },
      {},
      { at: 'pending', takenUpByMs: 1_031_000 },
    ],
    ['none once its kubelet knows it', { nodeName: 'n' }, STARTED, { at: 'pending' }],
    ['none when it runs', { nodeName: 'n' }, RUNNING, { at: 'running' }],
  ])('%s', async (_what, spec, status, phase) => {
    const clock = new FakeClock();
    const sightings = new Sightings({ ...NOTHING_CACHED, onChange: () => () => undefined }, clock);
    sightings.of(pod({}));
    await clock.advance(1_000);
    sightings.of(pod(spec, status));
    await clock.advance(5_000);
    const seen = pod(spec, status);
    expect(phaseSince(seen, sightings.of(seen))).toEqual(phase);
  });
});

describe('the last start of a runtime', () => {
  const running = (restartCount: number): Stored<Pod> => {
    const [one] = RUNNING.containerStatuses ?? [];
    return pod({}, { containerStatuses: one === undefined ? [] : [{ ...one, restartCount }] });
  };

  it.each([
    ['was when it was first seen to run', [running(0), running(0)], 1_001_000],
    ['is that in place', [running(0), running(1)], 1_002_000],
    ['before this operator counts for nothing', [running(3), running(3)], 1_001_000],
  ])('%s', async (_what, seen, startedMs) => {
    const clock = new FakeClock();
    const sightings = new Sightings({ ...NOTHING_CACHED, onChange: () => () => undefined }, clock);
    for (const one of seen) {
      await clock.advance(1_000);
      sightings.of(one);
    }
    expect(sightings.of(seen[1] ?? pod({})).startedMs).toBe(startedMs);
  });
});
