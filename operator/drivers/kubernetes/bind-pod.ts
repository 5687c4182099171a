/** Marks a standby's pod as bound to its one project, for life, before anybody tells the runtime: so no two operators can bind it twice. */
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import { type Kube, refOf, type Stored } from '../../../platform/kube/kube.ts';
import { type Pod, PODS } from '../../../platform/kube/resources.ts';
import { bindingMetadata, bindingOfPod, type PodBinding } from './own-pod.ts';

const TRIES_MAX = 3;

/**
 * The kubelet writes to the pod, too: a conflict is looked at, not believed.
 *
 * @param known as a cache has it; undefined: there is none.
 * @returns the pod with the mark.
 */
export async function markBound(
  kube: Kube,
  known: Stored<Pod> | undefined,
  binding: PodBinding,
  signal: AbortSignal,
): Promise<Stored<Pod>> {
  let pod = known;
  for (let tries = 1; ; tries++) {
    if (pod === undefined) throw new Error('there is no such runtime to bind');
    const before = bindingOfPod(pod);
    if (before?.project === binding.project && before.id === binding.id) return pod;
    if (before !== undefined)
      throw new Error(`${pod.metadata.name} is bound for life to another project`);
    const { uid, resourceVersion } = pod.metadata;
    const patch = { metadata: { uid, resourceVersion, ...bindingMetadata(binding) } };
    try {
      return await kube.patch(PODS, refOf(pod), patch, { uid, resourceVersion, signal });
    } catch (error) {
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
  const now = await kube.get(PODS, refOf(pod), { signal });
  const isSame = now.metadata.uid === pod.metadata.uid;
  return isSame && now.metadata.deletionTimestamp === undefined ? now : undefined;
}
