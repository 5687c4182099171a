/** Marks a pod as bound to its one project, for life, once its runtime has taken it: for whoever looks at the cluster, and for the operators to come. */
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import { type Kube, refOf, type Stored } from '../../../platform/kube/kube.ts';
import { type Pod, PODS } from '../../../platform/kube/resources.ts';
import { bindingMetadata, bindingOfPod } from './own-pod.ts';
import type { ProjectKey } from '../../../core/identifiers.ts';

const TRIES_MAX = 3;

/**
 * The kubelet writes to the pod, too: a conflict is looked at, not believed. A pod that is gone needs no mark.
 *
 * @param known as a cache has it.
 */
export async function markBound(
  kube: Kube,
  known: Stored<Pod>,
  project: ProjectKey,
  signal: AbortSignal,
): Promise<void> {
  let pod: Stored<Pod> | undefined = known;
  for (let tries = 1; pod !== undefined; tries++) {
    const before = bindingOfPod(pod);
    if (before === project) return;
    if (before !== undefined)
      throw new Error(`${pod.metadata.name} is marked as bound to another project, ${before}`);
    const { uid, resourceVersion } = pod.metadata;
    const patch = { metadata: { uid, resourceVersion, ...bindingMetadata(project) } };
    try {
      await kube.patch(PODS, refOf(pod), patch, { uid, resourceVersion, signal });
      return;
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return;
      if (tries === TRIES_MAX || !isKubeError(error, 'Conflict', 'OutcomeUnknown')) throw error;
    }
    pod = await readAgain(kube, pod, signal);
  }
}

async function readAgain(
  kube: Kube,
  pod: Stored<Pod>,
  signal: AbortSignal,
): Promise<Stored<Pod> | undefined> {
  try {
    const now = await kube.get(PODS, refOf(pod), { signal });
    const isSame = now.metadata.uid === pod.metadata.uid;
    return isSame && now.metadata.deletionTimestamp === undefined ? now : undefined;
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return undefined;
    throw error;
  }
}
