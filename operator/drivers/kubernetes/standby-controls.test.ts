/** For which pods a connection is there before it is needed, and when it goes. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../../api/agent-pool.ts';
import { LABELS } from '../../../api/names.ts';
import type { Stored } from '../../../platform/kube/kube.ts';
import type { CacheChange } from '../../../platform/kube/resource-cache.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import type { CachedObjects } from './cached-objects.ts';
import { BOUND_PROJECT } from './own-pod.ts';
import { StandbyControls } from './standby-controls.ts';

class Pods implements CachedObjects<Pod> {
  readonly #pods = new Map<string, Stored<Pod>>();
  readonly listeners = new Set<(change: CacheChange<Pod>) => void>();

  list = (): readonly Stored<Pod>[] => [...this.#pods.values()];
  get = (): undefined => undefined;
  find = (): readonly Stored<Pod>[] => [];
  onChange(listener: (change: CacheChange<Pod>) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  put(after: Stored<Pod>): void {
    this.#tell(after.metadata.name, after);
  }
  delete(name: string): void {
    this.#tell(name, undefined);
  }
  #tell(name: string, after: Stored<Pod> | undefined): void {
    const before = this.#pods.get(name);
    if (after === undefined) this.#pods.delete(name);
    else this.#pods.set(name, after);
    for (const listener of this.listeners) listener({ key: `default/${name}`, before, after });
  }
}

interface PodOptions {
  readonly role?: string;
  readonly ready?: string;
  readonly project?: string;
  readonly podIP?: string;
  readonly deletionTimestamp?: string;
}

function pod(name: string, options: PodOptions = {}): Stored<Pod> {
  const { role = 'dedicated', ready = 'True', project, podIP = `10.0.0.${name}` } = options;
  const { deletionTimestamp } = options;
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: {
      ...{ name, namespace: 'default', uid: `uid-${name}` },
      ...{ resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
      labels: { [LABELS.pool]: 'main', [LABELS.role]: role },
      annotations: project === undefined ? {} : { [BOUND_PROJECT]: project },
      ownerReferences: [
        { apiVersion: API_VERSION, kind: KIND, name: 'main', uid: 'pool', controller: true },
      ],
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    status: {
      phase: 'Running',
      ...(podIP === '' ? {} : { podIP }),
      conditions: [{ type: 'Ready', status: ready }],
      containerStatuses: [
        {
          ...{ name: 'runtime', image: '', imageID: '', ready: true, restartCount: 0 },
          state: { running: {} },
        },
      ],
    },
  };
}

let pods: Pods;
let steps: string[];
let controls: StandbyControls;

beforeEach(() => {
  pods = new Pods();
  steps = [];
  controls = standbyControls();
});

function standbyControls(): StandbyControls {
  return new StandbyControls(pods, (_pool, address) => {
    const [ip] = address.split(':');
    steps.push(`connect ${ip}`);
    return {
      ping: async () => 'alive',
      bind: async () => undefined,
      close: () => void steps.push(`close ${ip}`),
    };
  });
}

const use = (found: Stored<Pod>): Promise<void> =>
  controls.use({ pool: 'default~main', pod: found }, async () => void steps.push('use'));

describe('a connection is kept', () => {
  const rows: readonly [string, PodOptions, boolean][] = [
    ['to a standby that is ready', {}, true],
    ['not to one that is not ready yet', { ready: 'False' }, false],
    ['not to one without an address', { podIP: '' }, false],
    ['not to one that is bound', { project: 'p' }, false],
    ['not to one that ends', { deletionTimestamp: 'now' }, false],
    ['not to a shared runtime', { role: 'shared' }, false],
  ];
  it.each(rows)('%s', (_title, options, isKept) => {
    pods.put(pod('1', options));
    expect(steps).toEqual(isKept ? ['connect 10.0.0.1'] : []);
  });

  it('to those that were there before', () => {
    pods.put(pod('1'));
    controls.close();
    steps = [];
    controls = standbyControls();
    expect(steps).toEqual(['connect 10.0.0.1']);
  });

  it('once, however often the pod changes, until it is no standby any more', () => {
    pods.put(pod('1'));
    pods.put(pod('1'));
    pods.put(pod('1', { ready: 'False' }));
    pods.put(pod('2'));
    pods.delete('2');
    expect(steps).toEqual([
      'connect 10.0.0.1',
      'close 10.0.0.1',
      'connect 10.0.0.2',
      'close 10.0.0.2',
    ]);
  });

  it('to no more than sixty-four', () => {
    for (let next = 1; next <= 70; next += 1) pods.put(pod(String(next)));
    expect(steps).toHaveLength(64);
    pods.delete('1');
    pods.put(pod('70'));
    expect(steps.slice(64)).toEqual(['close 10.0.0.1', 'connect 10.0.0.70']);
  });

  it('no longer than it is wanted', () => {
    pods.put(pod('1'));
    controls.close();
    pods.put(pod('2'));
    controls.renew();
    expect(steps).toEqual(['connect 10.0.0.1', 'close 10.0.0.1']);
    expect(pods.listeners.size).toBe(0);
  });
});

it('is used once, and not made again for a pod that was told', async () => {
  pods.put(pod('1'));
  await use(pod('1'));
  pods.put(pod('1'));
  expect(steps).toEqual(['connect 10.0.0.1', 'use', 'close 10.0.0.1']);
});

it('is made for a pod that has none', async () => {
  await use(pod('1', { ready: 'False' }));
  expect(steps).toEqual(['connect 10.0.0.1', 'use', 'close 10.0.0.1']);
});

it('is closed where what it was used for fails', async () => {
  const failing = controls.use({ pool: 'default~main', pod: pod('1') }, () =>
    Promise.reject(new Error('no answer')),
  );
  await expect(failing).rejects.toThrow('no answer');
  expect(steps).toEqual(['connect 10.0.0.1', 'close 10.0.0.1']);
});

it('is made anew where runtimes are reached in another way', () => {
  pods.put(pod('1'));
  controls.renew();
  expect(steps).toEqual(['connect 10.0.0.1', 'close 10.0.0.1', 'connect 10.0.0.1']);
});
