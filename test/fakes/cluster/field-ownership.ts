/** Server-side apply and merge patches on plain JSON, as far as the product uses them: who owns which field, and what a write leaves. */

export type Json = Readonly<Record<string, unknown>>;

/** Lists whose items are told apart by a key; other lists are replaced as a whole. */
const LIST_KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  volumes: 'name',
  env: 'name',
  volumeMounts: 'mountPath',
  ports: 'containerPort',
  imagePullSecrets: 'name',
  conditions: 'type',
  tiers: 'name',
  ownerReferences: 'uid',
};
/** Lists that are sets: each writer owns its own items. */
const SETS: ReadonlySet<string> = new Set(['finalizers']);

export function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMap(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}

/** A list with keys as a map of its items, so that one algorithm serves both; undefined where the list is one value. */
function asMap(name: string, value: unknown): Json | undefined {
  if (isMap(value)) return value;
  if (!Array.isArray(value)) return undefined;
  if (SETS.has(name)) return Object.fromEntries(value.map((item) => [String(item), item]));
  const key = LIST_KEYS[name];
  if (key === undefined || !value.every((item) => isMap(item) && key in item)) return undefined;
  return Object.fromEntries(value.map((item: Json) => [String(item[key]), item]));
}

function likeBefore(value: unknown, map: Json): unknown {
  return Array.isArray(value) ? Object.values(map) : map;
}

/** `live` with everything that `config` says. */
export function overlay(live: Json, config: Json): Json {
  const result: Record<string, unknown> = { ...live };
  for (const [name, wanted] of Object.entries(config)) {
    const wantedMap = asMap(name, wanted);
    const liveMap = asMap(name, live[name]);
    result[name] =
      wantedMap === undefined || liveMap === undefined
        ? wanted
        : likeBefore(wanted, overlay(liveMap, wantedMap));
  }
  return result;
}

/** `live` without what `before` set, `now` leaves out, and none of the `others` owns. */
export function prune(live: Json, before: Json, now: Json, others: readonly Json[]): Json {
  const result: Record<string, unknown> = { ...live };
  for (const [name, value] of Object.entries(before)) {
    if (!(name in live)) continue;
    const beforeMap = asMap(name, value);
    const liveMap = asMap(name, live[name]);
    if (beforeMap === undefined || liveMap === undefined) {
      if (!(name in now) && !others.some((other) => name in other))
        Reflect.deleteProperty(result, name);
      continue;
    }
    const inside = others.flatMap((other): readonly Json[] => {
      const map = asMap(name, other[name]);
      return map === undefined ? [] : [map];
    });
    const rest = prune(liveMap, beforeMap, asMap(name, now[name]) ?? {}, inside);
    const isKept = name in now || inside.length > 0 || hasMore(rest, beforeMap, live[name]);
    if (isKept) result[name] = likeBefore(live[name], rest);
    else Reflect.deleteProperty(result, name);
  }
  return result;
}

/** Whether more is left than the keys of list items that pruning left behind. */
function hasMore(rest: Json, before: Json, live: unknown): boolean {
  if (!Array.isArray(live)) return Object.keys(rest).length > 0;
  return Object.keys(rest).some((key) => !(key in before));
}

/** Where `config` and what another manager owns differ: paths of the fields. */
export function conflicts(config: Json, owned: Json, path = ''): readonly string[] {
  return Object.entries(config).flatMap(([name, wanted]) => {
    if (!(name in owned)) return [];
    const wantedMap = asMap(name, wanted);
    const ownedMap = asMap(name, owned[name]);
    if (wantedMap !== undefined && ownedMap !== undefined)
      return conflicts(wantedMap, ownedMap, `${path}.${name}`);
    return isEqual(wanted, owned[name]) ? [] : [`${path}.${name}`];
  });
}

/** What a manager still owns when another one has set `config` by force. */
export function disown(owned: Json, config: Json): Json {
  const entries = Object.entries(owned).flatMap(([name, value]): [string, unknown][] => {
    if (!(name in config)) return [[name, value]];
    const ownedMap = asMap(name, value);
    const configMap = asMap(name, config[name]);
    if (ownedMap === undefined || configMap === undefined)
      return isEqual(value, config[name]) ? [[name, value]] : [];
    return [[name, likeBefore(value, disown(ownedMap, configMap))]];
  });
  return Object.fromEntries(entries);
}

/** RFC 7386. */
export function mergePatched(live: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  const result: Record<string, unknown> = isMap(live) ? { ...live } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, name);
    else result[name] = mergePatched(result[name], value);
  }
  return result;
}

/** The fields that a merge patch sets: what its sender owns afterwards. */
export function fieldsOf(patch: Json): Json {
  const entries = Object.entries(patch).filter(([, value]) => value !== null);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, isMap(value) ? fieldsOf(value) : value]),
  );
}
