/** Makes a runtime's pod, or finds that it is there already; a refusal says in whose words it was refused. */
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import { type Kube, refOf, type Stored } from '../../../platform/kube/kube.ts';
import { type Pod, PODS } from '../../../platform/kube/resources.ts';
import { CreateRefused, NameTaken } from '../../pool/create-refused.ts';
import type { RuntimeRequest } from '../../pool/driver.ts';
import { isForbiddenByRole } from '../../pool/hindered-by.ts';
import { controllerOf, poolOfPod } from './own-pod.ts';
import { type PodDefaults, podOf, type PoolOwner } from './pod-of.ts';

/** Throws `CreateRefused` when what is asked for makes no pod. */
export function podFor(request: RuntimeRequest, owner: PoolOwner, defaults: PodDefaults): Pod {
  try {
    return podOf(request, owner, defaults);
  } catch (error) {
    throw new CreateRefused('PodRejected', error instanceof Error ? error.message : String(error));
  }
}

/** Resolves when there is a pod of this name, and it is the pool's. */
export async function makePod(
  kube: Kube,
  pod: Pod,
  owner: PoolOwner,
  signal: AbortSignal,
): Promise<void> {
  try {
    await kube.createUnread(PODS, pod, { signal });
  } catch (error) {
    if (!isKubeError(error, 'AlreadyExists')) throw refusalOf(error);
    await checkPresent(kube, pod, owner, signal);
  }
}

/** Somebody made it: another operator, or we ourselves with an answer that got lost. */
async function checkPresent(
  kube: Kube,
  { metadata }: Pod,
  { namespace, uid }: PoolOwner,
  signal: AbortSignal,
): Promise<void> {
  const name = metadata?.name ?? '';
  const pod = await kube.get(PODS, { namespace, name }, { signal });
  if (controllerOf(pod.metadata)?.uid !== uid)
    throw new NameTaken(`the name ${name} is taken by a pod that is not this pool's`);
  if (pod.metadata.deletionTimestamp !== undefined)
    throw new NameTaken(`the pod ${name} is being deleted: its name is not free yet`);
  if (poolOfPod(pod) === undefined) await putBack(kube, pod, metadata?.labels ?? {}, signal);
}

/** For a pod of a pool that a cache has lost without seeing it end: it may be there still, without the label by which caches find it. */
export async function reclaimPod(kube: Kube, lost: Stored<Pod>): Promise<void> {
  // Anybody's pod may bear our labels, and may be rid of them.
  if (poolOfPod(lost) === undefined) return;
  const pod = await kube.get(PODS, refOf(lost)).catch((error: unknown) => {
    if (isKubeError(error, 'NotFound')) return undefined;
    throw error;
  });
  if (pod === undefined || !hasLostItsLabels(pod, lost)) return;
  await putBack(kube, pod, lost.metadata.labels ?? {});
}

/** The same pod, with the same owner; one whose owner was changed, too, was meant to go. */
function hasLostItsLabels(now: Stored<Pod>, before: Stored<Pod>): boolean {
  const { uid, deletionTimestamp } = now.metadata;
  if (uid !== before.metadata.uid || deletionTimestamp !== undefined) return false;
  const owner = controllerOf(now.metadata)?.uid;
  return owner === controllerOf(before.metadata)?.uid && poolOfPod(now) === undefined;
}

/** Somebody has taken its labels off: without that of its pool no cache shows it, and its name would be taken for ever. */
async function putBack(
  kube: Kube,
  pod: Stored<Pod>,
  labels: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<void> {
  const { uid, resourceVersion } = pod.metadata;
  const patch = { metadata: { uid, resourceVersion, labels } };
  const options = signal === undefined ? {} : { signal };
  await kube.patch(PODS, refOf(pod), patch, { uid, resourceVersion, ...options });
}

function refusalOf(error: unknown): unknown {
  if (isForbiddenByRole(error)) return error;
  if (isKubeError(error, 'QuotaExceeded'))
    return new CreateRefused('QuotaExceeded', error.message, error);
  if (isKubeError(error, 'Invalid', 'Forbidden', 'Refused'))
    return new CreateRefused('PodRejected', error.message, error);
  return error;
}
