/** Which pods are runtimes, and of which pool: by their controller, not by labels that anybody can write. Pure. */
import { createHash } from 'node:crypto';
import { API_GROUP, KIND } from '../../../api/agent-pool.ts';
import { LABELS, type Role, ROLES } from '../../../api/names.ts';
import { type PoolKey, poolKeyOf, type ProjectKey } from '../../../core/identifiers.ts';
import type { Stored } from '../../../platform/kube/kube.ts';
import type { KubeObject, ObjectMeta, Pod } from '../../../platform/kube/resources.ts';
import type { ResourceClass } from '../../pool/driver.ts';
import { Hindered } from '../../pool/hindered.ts';
import { classOfAnnotations } from './pod-resources.ts';

export const BINDING_ANNOTATIONS = {
  project: `${API_GROUP}/bound-project`,
  id: `${API_GROUP}/binding-id`,
} as const;

/** Of caches: pods by the pool that controls them. */
export const BY_POOL = 'pool';

export interface PodBinding {
  readonly project: ProjectKey;
  readonly id: string;
}

export function controllerOf(
  metadata: ObjectMeta | undefined,
): { readonly name: string; readonly uid: string } | undefined {
  return metadata?.ownerReferences?.find(
    ({ controller, kind, apiVersion }) =>
      controller === true && kind === KIND && apiVersion.startsWith(`${API_GROUP}/`),
  );
}

/** Undefined: it is no pool's. */
export function poolOfPod({ metadata }: KubeObject): PoolKey | undefined {
  const controller = controllerOf(metadata);
  const pool = metadata?.labels?.[LABELS.pool];
  if (controller === undefined || pool !== controller.name) return undefined;
  return poolKeyOf({ namespace: metadata?.namespace ?? '', name: pool });
}

export function roleOfPod({ metadata }: Pod): Role {
  const label = metadata?.labels?.[LABELS.role];
  return ROLES.find((role) => role === label) ?? 'shared';
}

export function resourcesOfPod({ metadata }: Pod): ResourceClass {
  return classOfAnnotations(metadata?.annotations ?? {});
}

export function bindingOfPod({ metadata }: Pod): PodBinding | undefined {
  const project = metadata?.annotations?.[BINDING_ANNOTATIONS.project];
  if (project === undefined) return undefined;
  return { project, id: metadata?.annotations?.[BINDING_ANNOTATIONS.id] ?? '' };
}

const HASH_CHARACTERS = 16;

/** What a bind writes: a label to find the project's pod by (a hash, as keys are longer than labels may be), and all of it beside. */
export function bindingMetadata({ project, id }: PodBinding) {
  const hash = createHash('sha256').update(project).digest('hex').slice(0, HASH_CHARACTERS);
  return {
    labels: { [LABELS.project]: hash },
    annotations: { [BINDING_ANNOTATIONS.project]: project, [BINDING_ANNOTATIONS.id]: id },
  };
}

/** Of all that the operator makes. */
export const MANAGED = { 'app.kubernetes.io/managed-by': 'agentpool-operator' } as const;

/** Throws where an object that has the name of one of ours is somebody else's. @param uid of the pool. */
export function checkOwner(kind: string, uid: string, { metadata }: Stored<KubeObject>): void {
  if (controllerOf(metadata)?.uid === uid) return;
  throw new Hindered(
    'ObjectNotOwned',
    `the ${kind} ${metadata.namespace ?? ''}/${metadata.name} is not this pool's: delete it or rename the pool`,
  );
}
