/** When a pod's node has had time enough to take it up. */
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
