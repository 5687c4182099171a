/**
 * Takes over what an earlier pool of the same name has left in the cluster (`kubectl delete --cascade=orphan`, a backup), where it bears the
 * operator's marks. What somebody else has under a name that the pool needs is never touched.
 */
import { type Kube, refOf, type Stored } from '../../../platform/kube/kube.ts';
import type { KubeObject, Resource } from '../../../platform/kube/resources.ts';
import { Hindered } from '../../pool/hindered.ts';
import { controllerOf, ownershipOf } from './own-pod.ts';
import { ownerReference, type PoolOwner } from './pod-of.ts';

/** @returns the object as the pool's own. @throws {Hindered} ObjectNotOwned: it is somebody else's. */
export async function adopted<T extends KubeObject>(
  kube: Kube,
  resource: Resource<T>,
  { found, owner }: { readonly found: Stored<T>; readonly owner: PoolOwner },
  signal: AbortSignal,
): Promise<Stored<T>> {
  const { metadata } = found;
  const { namespace, name } = refOf(found);
  switch (ownershipOf(owner, found)) {
    case 'own':
      return found;
    case 'foreign':
      throw notOwned(resource.kind, found);
    case 'left': {
      if (metadata.deletionTimestamp !== undefined)
        throw new Error(`the ${resource.kind} ${namespace}/${name} is still being deleted`);
      const { uid, resourceVersion, ownerReferences = [] } = metadata;
      const left = controllerOf(metadata)?.uid;
      const others = ownerReferences.filter((one) => one.uid !== left);
      const owners = [...others, ownerReference(owner)];
      const patch = { metadata: { uid, resourceVersion, ownerReferences: owners } };
      return kube.patch(resource, refOf(found), patch, { uid, resourceVersion, signal });
    }
  }
}

export function notOwned(kind: string, { metadata }: Stored<KubeObject>): Hindered {
  const name = `${metadata.namespace ?? ''}/${metadata.name}`;
  return new Hindered(
    'ObjectNotOwned',
    `the ${kind} ${name} is not this pool's: delete it or rename the pool`,
  );
}
