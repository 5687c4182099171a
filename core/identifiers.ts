/** The names that callers give (tenant, project, agent, conversation, request) and the keys made of them; parses, never invents. */

/** 1 to 253 of `[A-Za-z0-9._:@-]`, never `.` or `..` (they would be path segments in a URL). */
export const IDENTIFIER_PATTERN = /^[A-Za-z0-9._:@-]{1,253}$/;
export const IDENTIFIER_LENGTH_MAX = 253;

/** A Kubernetes object name (RFC 1123 label): pools and namespaces. */
export const POOL_PART_PATTERN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Separates the parts of keys and instance ids: outside both alphabets, and unreserved in URLs (RFC 3986). */
const SEPARATOR = '~';

export interface PoolRef {
  readonly namespace: string;
  readonly name: string;
}

/** One project of one pool: the unit of routing, tier, quota, isolation and state. */
export interface ProjectRef {
  readonly namespace: string;
  readonly pool: string;
  readonly tenant: string;
  readonly project: string;
}

/** `namespace~pool`. */
export type PoolKey = string;

/** `namespace~pool~tenant~project`: the key of a project's records, and the stable id of its instance. */
export type ProjectKey = string;

export function isIdentifier(text: string): boolean {
  return IDENTIFIER_PATTERN.test(text) && text !== '.' && text !== '..';
}

export function poolKeyOf(pool: PoolRef): PoolKey {
  return `${pool.namespace}${SEPARATOR}${pool.name}`;
}

export function poolRefOfKey(key: PoolKey): PoolRef {
  const [namespace = '', name = ''] = key.split(SEPARATOR);
  return { namespace, name };
}

export function projectKeyOf(ref: ProjectRef): ProjectKey {
  return [ref.namespace, ref.pool, ref.tenant, ref.project].join(SEPARATOR);
}

export function poolKeyOfProject(key: ProjectKey): PoolKey {
  return key.split(SEPARATOR, 2).join(SEPARATOR);
}

/** Undefined when the text is no instance id: callers answer UNKNOWN_INSTANCE. */
export function parseInstanceId(id: string): ProjectRef | undefined {
  const [namespace, pool, tenant, project, ...rest] = id.split(SEPARATOR);
  if (namespace === undefined || pool === undefined || rest.length > 0) return undefined;
  if (tenant === undefined || project === undefined) return undefined;
  if (!POOL_PART_PATTERN.test(namespace) || !POOL_PART_PATTERN.test(pool)) return undefined;
  if (!isIdentifier(tenant) || !isIdentifier(project)) return undefined;
  return { namespace, pool, tenant, project };
}

/** Whether `parsePoolName` makes something of it. */
export function isPoolName(text: string): boolean {
  return parsePoolName(text, 'default') !== undefined;
}

/** `name` (in the default namespace) or `namespace/name`; undefined when it is neither. */
export function parsePoolName(text: string, defaultNamespace: string): PoolRef | undefined {
  const parts = text.split('/');
  const [first, second] = parts;
  if (parts.length > 2 || first === undefined) return undefined;
  const ref =
    second === undefined
      ? { namespace: defaultNamespace, name: first }
      : { namespace: first, name: second };
  return POOL_PART_PATTERN.test(ref.namespace) && POOL_PART_PATTERN.test(ref.name)
    ? ref
    : undefined;
}
