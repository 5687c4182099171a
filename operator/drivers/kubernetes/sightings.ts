/** When this operator first saw a pod, saw it run, saw it bound: on its own clock, as those of the cluster's machines differ. */
import type { Clock } from '../../../platform/clock.ts';
import type { Stored } from '../../../platform/kube/kube.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import type { CachedObjects } from './cached-objects.ts';
import { bindingOfPod, poolOfPod } from './own-pod.ts';
import { phaseOf } from './phase-of.ts';

/** Monotonic ms. Of pods older than this operator: its start, so that time-outs count only what it has watched. */
export interface Sighting {
  readonly seenMs: number;
  readonly startedMs?: number;
  readonly boundMs?: number;
}

/** Bounded by the pods of the cache. */
export class Sightings {
  readonly #clock: Clock;
  readonly #byUid = new Map<string, Sighting>();

  constructor(pods: CachedObjects<Pod>, clock: Clock) {
    this.#clock = clock;
    for (const pod of pods.list()) this.of(pod);
    pods.onChange(({ before, after }) => {
      if (after !== undefined && poolOfPod(after) !== undefined) this.of(after);
      if (before !== undefined && before.metadata.uid !== after?.metadata.uid)
        this.#byUid.delete(before.metadata.uid);
    });
  }

  of(pod: Stored<Pod>): Sighting {
    const { uid } = pod.metadata;
    const nowMs = this.#clock.nowMs();
    const before = this.#byUid.get(uid) ?? { seenMs: nowMs };
    const isNew = before.startedMs === undefined && phaseOf(pod).at !== 'pending';
    const isBound = before.boundMs === undefined && bindingOfPod(pod) !== undefined;
    const sighting: Sighting = {
      ...before,
      ...(isNew ? { startedMs: nowMs } : {}),
      ...(isBound ? { boundMs: nowMs } : {}),
    };
    this.#byUid.set(uid, sighting);
    return sighting;
  }
}
