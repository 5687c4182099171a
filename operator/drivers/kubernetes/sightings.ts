/** When this operator first saw a pod, saw it given to a node, run, bound: on its own clock, as those of the cluster's machines differ. */
import type { Clock } from '../../../platform/clock.ts';
import type { Stored } from '../../../platform/kube/kube.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import type { CachedObjects } from './cached-objects.ts';
import type { RuntimePhase } from '../../pool/driver.ts';
import { bindingOfPod, poolOfPod } from './own-pod.ts';
import { phaseOf, restartsOf } from './phase-of.ts';

/** Monotonic ms. Of pods older than this operator: its start, so that time-outs count only what it has watched. */
export interface Sighting {
  readonly seenMs: number;
  /** Given to a node, and not known to its kubelet yet. */
  readonly placedMs?: number;
  /** The last time. */
  readonly startedMs?: number;
  readonly restarts?: number;
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
    const restarts = restartsOf(pod);
    const isNew = before.startedMs === undefined && phaseOf(pod).at !== 'pending';
    const isAgain = restarts > (before.restarts ?? restarts);
    const isBound = before.boundMs === undefined && bindingOfPod(pod) !== undefined;
    const { placedMs = nowMs, ...others } = before;
    const sighting: Sighting = {
      ...others,
      ...(isOnlyPlaced(pod) ? { placedMs } : {}),
      ...(isNew || isAgain ? { startedMs: nowMs } : {}),
      restarts,
      ...(isBound ? { boundMs: nowMs } : {}),
    };
    this.#byUid.set(uid, sighting);
    return sighting;
  }
}

/**
 * A node that just fell silent is given pods for a moment longer. A kubelet writes the start time as soon as it has heard of a pod, in
 * well under a second: this is for one that has hundreds to begin with.
 */
const TAKE_UP_MS = 30_000;

/** With the time by which its node must have taken it up. */
export function phaseSince(pod: Stored<Pod>, { placedMs }: Sighting): RuntimePhase {
  const phase = phaseOf(pod);
  if (phase.at !== 'pending' || placedMs === undefined) return phase;
  return { ...phase, takenUpByMs: placedMs + TAKE_UP_MS };
}

function isOnlyPlaced({ spec, status }: Pod): boolean {
  return spec?.nodeName !== undefined && status?.startTime === undefined;
}
