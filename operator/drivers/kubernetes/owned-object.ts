/** One object that a pool needs, by name: made as it should be, and left alone where it is that already or is somebody else's. */
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import { type Kube, refOf, type Stored } from '../../../platform/kube/kube.ts';
import type { KubeObject, Resource } from '../../../platform/kube/resources.ts';
import { adopted } from './adopt.ts';
import { isContained } from './is-contained.ts';
import { ownershipOf } from './own-pod.ts';
import type { PoolOwner } from './pod-of.ts';

export interface Hands {
  readonly kube: Kube;
  readonly owner: PoolOwner;
  readonly signal: AbortSignal;
}

/** Undefined: there is none. */
export async function readObject<T extends KubeObject>(
  { kube, signal }: Pick<Hands, 'kube' | 'signal'>,
  resource: Resource<T>,
  named: T,
): Promise<Stored<T> | undefined> {
  try {
    return await kube.get(resource, refOf(named), { signal });
  } catch (error) {
    if (isKubeError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** What there is of it, as the pool's own. @throws {Hindered} ObjectNotOwned: it is somebody else's. */
export async function ownObject<T extends KubeObject>(
  hands: Hands,
  resource: Resource<T>,
  named: T,
): Promise<Stored<T> | undefined> {
  const { kube, owner, signal } = hands;
  const found = await readObject(hands, resource, named);
  return found && (await adopted(kube, resource, { found, owner }, signal));
}

/**
 * @param before what there is of it, as `ownObject` told.
 * @returns what there is now.
 */
export async function writeObject<T extends KubeObject>(
  { kube, signal }: Pick<Hands, 'kube' | 'signal'>,
  resource: Resource<T>,
  { wanted, before }: { readonly wanted: T; readonly before: Stored<T> | undefined },
): Promise<Stored<T>> {
  if (before !== undefined && isContained(wanted, before) && !hasMoreData(before, wanted))
    return before;
  const now = await kube.apply(resource, wanted, { signal });
  if (!hasMoreData(now, wanted)) return now;
  // Of keys that another manager has written, as one that has restored a backup, an apply takes none away.
  const patch = { data: Object.fromEntries(spareKeys(now, wanted).map((key) => [key, null])) };
  return kube.patch(resource, refOf(wanted), patch, { uid: now.metadata.uid, signal });
}

export async function removeObject<T extends KubeObject>(
  hands: Hands,
  resource: Resource<T>,
  named: T,
): Promise<void> {
  const { kube, owner, signal } = hands;
  const before = await readObject(hands, resource, named);
  if (before === undefined || ownershipOf(owner, before) === 'foreign') return;
  await kube.delete(resource, refOf(named), { uid: before.metadata.uid, signal });
}

/** Keys that a Secret of ours must not hold any more, as that of a tenant that left. */
function hasMoreData(before: object, wanted: object): boolean {
  return spareKeys(before, wanted).length > 0;
}

function spareKeys(before: object, wanted: object): readonly string[] {
  const allowed = new Set(dataKeysOf(wanted));
  return dataKeysOf(before).filter((key) => !allowed.has(key));
}

function dataKeysOf(object: object): readonly string[] {
  if (!('data' in object) || typeof object.data !== 'object' || object.data === null) return [];
  return Object.keys(object.data);
}
