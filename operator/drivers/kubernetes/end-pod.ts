/** Tells the API server to end a pod, as decided on a view that may be old: only this very pod, and once. */
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import { type Kube, refOf, type Stored } from '../../../platform/kube/kube.ts';
import { type Pod, PODS } from '../../../platform/kube/resources.ts';

/** @param how `mayBeLeft`: only if nobody has written to it since, as who took its owner away wants it to stay. */
export async function endPod(
  kube: Kube,
  pod: Stored<Pod>,
  how: { readonly gracePeriodSeconds: number; readonly mayBeLeft: boolean },
): Promise<void> {
  const { gracePeriodSeconds, mayBeLeft } = how;
  if (isGoing(pod, gracePeriodSeconds)) return;
  const { uid, resourceVersion } = pod.metadata;
  const only = mayBeLeft ? { uid, resourceVersion } : { uid };
  try {
    await kube.delete(PODS, refOf(pod), { ...only, gracePeriodSeconds });
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return;
    // Another pod has this name by now, and that one is not meant; or the answer got lost; or it is none of that, and is to be tried again.
    const isInDoubt = isKubeError(error, 'Conflict', 'OutcomeUnknown');
    if (isInDoubt && (await hasHeard(kube, pod, gracePeriodSeconds))) return;
    throw error;
  }
}

/** False also where nobody can say: then it counts what became of the order. */
async function hasHeard(kube: Kube, pod: Stored<Pod>, graceSeconds: number): Promise<boolean> {
  try {
    const now = await kube.get(PODS, refOf(pod));
    return now.metadata.uid !== pod.metadata.uid || isGoing(now, graceSeconds);
  } catch (error) {
    return isKubeError(error, 'NotFound');
  }
}

/** Told already, and as soon as asked for. */
function isGoing({ metadata }: Stored<Pod>, graceSeconds: number): boolean {
  if (metadata.deletionTimestamp === undefined) return false;
  return (metadata.deletionGracePeriodSeconds ?? 0) <= graceSeconds;
}
