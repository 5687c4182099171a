/** Lays one object over another as a strategic merge does: mappings are merged, lists by the key of their items. Knows no pods. */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [field: string]: Json | undefined;
}

/** What tells the items of a list apart, by the list's name; all other lists are replaced as a whole, as the Kubernetes API does. */
const MERGE_KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  volumeMounts: ['mountPath'],
  volumeDevices: ['devicePath'],
  ports: ['containerPort', 'protocol'],
  imagePullSecrets: ['name'],
  hostAliases: ['ip'],
  topologySpreadConstraints: ['topologyKey', 'whenUnsatisfiable'],
  resourceClaims: ['name'],
};

/** null in `over` removes a field. */
export function overlay(under: JsonObject, over: JsonObject): JsonObject {
  const merged = new Map(Object.entries(under));
  for (const [field, value] of Object.entries(over)) {
    if (value === null) merged.delete(field);
    else if (value !== undefined) merged.set(field, overlayField(field, under[field], value));
  }
  return Object.fromEntries(merged);
}

function overlayField(field: string, under: Json | undefined, over: Json): Json {
  if (isList(under) && isList(over)) return overlayList(field, under, over);
  if (isObject(under) && isObject(over)) return overlay(under, over);
  return over;
}

function overlayList(field: string, under: readonly Json[], over: readonly Json[]): Json {
  const keys = MERGE_KEYS[field];
  if (keys === undefined) return over;
  const merged = new Map(under.map((item) => [identityOf(item, keys), item]));
  for (const item of over) {
    const identity = identityOf(item, keys);
    const before = merged.get(identity);
    merged.set(identity, isObject(before) && isObject(item) ? overlay(before, item) : item);
  }
  return [...merged.values()];
}

function identityOf(item: Json, keys: readonly string[]): string {
  return JSON.stringify(isObject(item) ? keys.map((key) => item[key] ?? null) : item);
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
