/** Which pods are runtimes, and of which pool: by their controller, not by labels that anybody can write. Pure. */
import { createHash } from 'node:crypto';
import { API_GROUP, KIND } from '../../../api/agent-pool.ts';
import { LABELS, MANAGED_BY, type Role, ROLES } from '../../../api/names.ts';
import { type PoolKey, poolKeyOf, type ProjectKey } from '../../../core/identifiers.ts';
import type { KubeObject, ObjectMeta, Pod } from '../../../platform/kube/resources.ts';
import type { ResourceClass } from '../../pool/driver.ts';
import { classOfAnnotations } from './pod-resources.ts';
import { isOrdinalName } from './runtime-names.ts';

/** The project that a pod is bound to. */
export const BOUND_PROJECT = `${API_GROUP}/bound-project`;

/** Of caches: pods by the pool that controls them. */
export const BY_POOL = 'pool';

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

/** Labels can be copied to anything: it also has the name that only such a runtime gets. */
export function isRuntime({ metadata }: Pod): boolean {
  const { name = '', labels = {} } = metadata ?? {};
  const role = ROLES.find((one) => one === labels[LABELS.role]);
  const { [LABELS.pool]: pool, [LABELS.revision]: revision } = labels;
  if (role === undefined || pool === undefined || revision === undefined) return false;
  return isOrdinalName(name, pool, role, revision);
}

export function resourcesOfPod({ metadata }: Pod): ResourceClass {
  return classOfAnnotations(metadata?.annotations ?? {});
}

export function bindingOfPod({ metadata }: Pod): ProjectKey | undefined {
  return metadata?.annotations?.[BOUND_PROJECT];
}

const HASH_CHARACTERS = 16;

/** What a mark is: a label to find the project's pod by (a hash, as keys are longer than labels may be), and all of it beside. */
export function bindingMetadata(project: ProjectKey) {
  const hash = createHash('sha256').update(project).digest('hex').slice(0, HASH_CHARACTERS);
  return {
    labels: { [LABELS.project]: hash },
    annotations: { [BOUND_PROJECT]: project },
  };
}

/** Of all that the operator makes. */
export const MANAGED = { [MANAGED_BY]: 'agentpool-operator' } as const;

export type Ownership =
  | 'own'
  /** It bears our marks, and who controlled it was an earlier pool of this name: a name has one uid at a time. */
  | 'left'
  | 'foreign';

export function ownershipOf(
  { name, uid }: { readonly name: string; readonly uid: string },
  { metadata }: KubeObject,
): Ownership {
  const pool = controllerOf(metadata);
  if (pool?.uid === uid) return 'own';
  const isUncontrolled = !hasController(metadata) || pool?.name === name;
  return isUncontrolled && isMarked(metadata, name) ? 'left' : 'foreign';
}

function hasController(metadata: ObjectMeta | undefined): boolean {
  return metadata?.ownerReferences?.some(({ controller }) => controller === true) === true;
}

function isMarked(metadata: ObjectMeta | undefined, pool: string): boolean {
  const { labels = {} } = metadata ?? {};
  return labels[MANAGED_BY] === MANAGED[MANAGED_BY] && labels[LABELS.pool] === pool;
}

/** Of caches, under `BY_POOL`: by the pool that controls them. Those that bear our marks and that nobody controls: by `leftBy` of it. */
export function indexByPool(object: KubeObject): readonly string[] {
  const pool = poolOfPod(object);
  if (pool !== undefined) return [pool];
  const left = poolThatLeft(object);
  return left === undefined ? [] : [leftBy(left)];
}

export function leftBy(pool: PoolKey): string {
  return `left ${pool}`;
}

/** Undefined: it is somebody's, or not one of ours. */
export function poolThatLeft({ metadata }: KubeObject): PoolKey | undefined {
  const name = metadata?.labels?.[LABELS.pool];
  if (name === undefined || hasController(metadata) || !isMarked(metadata, name)) return undefined;
  return poolKeyOf({ namespace: metadata?.namespace ?? '', name });
}
