/**
 * How the Secrets of a pool's tenants share the few that its pods mount, as one Secret holds 1 MiB at most. Pure: who is where stays there
 * while there is room, so pods that mount only the first go on, and where there is no room at all the largest are left out.
 */

/** Mounted by each pod, there or not: more need new pods. */
export const TENANT_SHARDS = 8;
/** Of the API server, for the values of one Secret. Names count as well here, twice: etcd takes 1.5 MiB with all that is kept beside. */
export const SHARD_BYTES_MAX = 1_048_576;
const BYTES_PER_KEY = 32;
/** Of the API server. */
const KEY_CHARACTERS_MAX = 253;

/** Base64 by the name of a file. */
export type Files = Readonly<Record<string, string>>;
/** By tenant, as `tenantCode` has it. */
export type Shard = ReadonlyMap<string, Files>;

export interface Placed {
  readonly shards: readonly Shard[];
  /** Tenants for whom there is no room. */
  readonly left: ReadonlySet<string>;
}

/** Names of tenants may hold what keys of Secrets may not. */
export function tenantCode(tenant: string): string {
  return Buffer.from(tenant).toString('hex');
}

export function tenantKey(tenant: string, key: string): string {
  return `${tenantCode(tenant)}.${key}`;
}

/** What a runtime finds of a tenant. Of one whose Secret is empty, or not there, an empty file says that it was looked at. */
export function filesOf(tenant: string, data: Files): Files {
  const files = Object.entries(data).map(([key, base64]) => [tenantKey(tenant, key), base64]);
  if (files.length === 0) return { [tenantCode(tenant)]: '' };
  return Object.fromEntries(files) as Files;
}

/** Of a Secret's keys the one that has no room for the tenant's name in front of it. */
export function keyTooLong(tenant: string, data: Files): string | undefined {
  return Object.keys(data).find((key) => tenantKey(tenant, key).length > KEY_CHARACTERS_MAX);
}

export function shardOf(data: Files = {}): Shard {
  const byTenant = new Map<string, Record<string, string>>();
  for (const [name, base64] of Object.entries(data)) {
    const code = name.split('.', 1)[0] ?? '';
    const files = byTenant.get(code) ?? {};
    files[name] = base64;
    byTenant.set(code, files);
  }
  return byTenant;
}

export function dataOf(shard: Shard): Files {
  return Object.assign({}, ...shard.values()) as Files;
}

export function bytesOf(files: Files): number {
  const keys = Object.entries(files);
  return keys.reduce(
    (sum, [name, base64]) =>
      sum + Buffer.byteLength(base64, 'base64') + 2 * name.length + BYTES_PER_KEY,
    0,
  );
}

/** @param wanted all that pods are to have. */
export function place(before: readonly Shard[], wanted: Shard): Placed {
  const homes = new Map(
    before.flatMap((shard, index) => [...shard.keys()].map((code) => [code, index] as const)),
  );
  const bySize = [...wanted]
    .map(([code, files]) => ({ code, files, bytes: bytesOf(files), home: homes.get(code) }))
    .toSorted((a, b) => a.bytes - b.bytes);
  const [settled, others] = [true, false].map((isSettled) =>
    bySize.filter(({ home }) => (home !== undefined) === isSettled),
  );
  const kept = fill([...(settled ?? []), ...(others ?? [])]);
  return kept.left.size === 0 ? kept : fill(bySize);
}

interface Piece {
  readonly code: string;
  readonly files: Files;
  readonly bytes: number;
  readonly home: number | undefined;
}

function fill(pieces: readonly Piece[]): Placed {
  const shards = Array.from({ length: TENANT_SHARDS }, () => new Map<string, Files>());
  const room = shards.map(() => SHARD_BYTES_MAX);
  const left = new Set<string>();
  for (const { code, files, bytes, home } of pieces) {
    const hasRoom = (index: number): boolean => (room[index] ?? 0) >= bytes;
    const index = [home, ...shards.keys()].find((one) => one !== undefined && hasRoom(one));
    if (index === undefined) {
      left.add(code);
      continue;
    }
    shards[index]?.set(code, files);
    room[index] = (room[index] ?? 0) - bytes;
  }
  return { shards, left };
}
