/** One look at Secrets of a pool's tenants, each read once, and at what of them pods are given; goes on where it was stopped. Has no time of its own. */
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import type { Kube, Stored } from '../../../platform/kube/kube.ts';
import { type Secret, SECRETS } from '../../../platform/kube/resources.ts';
import { type Hands, ownObject, readObject, writeObject } from './owned-object.ts';
import { tenantsSecret } from './pool-objects.ts';
import {
  bytesOf,
  dataOf,
  type Files,
  filesOf,
  keyTooLong,
  place,
  type Shard,
  SHARD_BYTES_MAX,
  shardOf,
  TENANT_SHARDS,
  tenantCode,
} from './tenant-shards.ts';

/** Names of Secrets by tenant. */
export type SecretRefs = ReadonlyMap<string, string>;

export interface RoundOptions {
  /** Bounded apart from all else that this process asks for. */
  readonly reads: Kube;
  /** Of the Secrets to read. */
  readonly refs: SecretRefs;
  /** Who is wanted when what was read is written: may have changed meanwhile. */
  readonly wanted: () => SecretRefs;
  /** There are some already, as far as is known; undefined: to be found out. */
  readonly used: ReadonlySet<number> | undefined;
}

/** So many are read, or bytes, before they are given to pods. */
const BATCH_SECRETS = 500;
const BATCH_BYTES = 2 * SHARD_BYTES_MAX;

interface Found {
  readonly stored: (Stored<Secret> | undefined)[];
  shards: readonly Shard[];
}

export class TenantsRound {
  readonly #options: RoundOptions;
  /** Tenants by the name of their Secret, of those that are still to be read. */
  readonly #unread = new Map<string, string[]>();
  /** By tenant, read and not written yet. */
  #batch = new Map<string, Files>();
  #batchBytes = 0;
  /** Looked at in this round. */
  readonly seen = new Map<string, string>();
  /** By tenant: why it is not given what its Secret holds. Undefined: it is. */
  readonly problems = new Map<string, string | undefined>();
  /** What exists now. */
  used: Set<number> | undefined;

  constructor(options: RoundOptions) {
    this.#options = options;
    this.used = options.used && new Set(options.used);
    for (const [tenant, name] of options.refs)
      this.#unread.set(name, [...(this.#unread.get(name) ?? []), tenant]);
  }

  /** Resolves when all is read and written. Rejects where it was stopped; another call goes on there. */
  async run(hands: Hands): Promise<void> {
    const found = await this.#find(hands);
    for (const [name, tenants] of this.#unread) {
      await this.#read(hands, name, tenants);
      this.#unread.delete(name);
      if (this.#batch.size >= BATCH_SECRETS || this.#batchBytes >= BATCH_BYTES)
        await this.#write(hands, found);
    }
    await this.#write(hands, found);
  }

  async #find(hands: Hands): Promise<Found> {
    const all = Array.from({ length: TENANT_SHARDS }, (_, index) => index);
    const own = { ...hands, kube: this.#options.reads };
    const first = await this.#shard(own, 0);
    // Nobody has ever made more than the first where nobody wants any.
    const isNone = first === undefined && this.#options.wanted().size === 0;
    const rest = isNone ? [] : all.slice(1).filter((index) => this.used?.has(index) ?? true);
    const found = await Promise.all(rest.map((index) => this.#shard(own, index)));
    const stored = all.map((index) => (index === 0 ? first : found[rest.indexOf(index)]));
    this.used = new Set(all.filter((index) => stored[index] !== undefined));
    return { stored, shards: stored.map((one) => shardOf(one?.data)) };
  }

  #shard(hands: Hands, index: number): Promise<Stored<Secret> | undefined> {
    return ownObject(hands, SECRETS, tenantsSecret(hands.owner, index, {}));
  }

  async #read(hands: Hands, name: string, tenants: readonly string[]): Promise<void> {
    const data = await this.#secretData(hands, name);
    for (const tenant of tenants) {
      this.seen.set(tenant, name);
      const problem = typeof data === 'string' ? data : problemOf(tenant, data);
      this.problems.set(tenant, problem);
      if (problem !== undefined || typeof data === 'string') continue;
      const files = filesOf(tenant, data);
      this.#batch.set(tenant, files);
      this.#batchBytes += bytesOf(files);
    }
  }

  /** Of none: empty. A text: why it cannot be read, which is nobody else's fault. */
  async #secretData({ owner, signal }: Hands, name: string): Promise<Files | string> {
    const metadata = { namespace: owner.namespace, name };
    try {
      const secret = await readObject({ kube: this.#options.reads, signal }, SECRETS, { metadata });
      return secret?.data ?? {};
    } catch (error) {
      if (isKubeError(error, 'Forbidden', 'Invalid', 'Refused')) return error.message;
      throw error;
    }
  }

  async #write(hands: Hands, found: Found): Promise<void> {
    const wanted = new Map<string, Files>();
    const tenants = new Map<string, string>();
    const given = new Map(found.shards.flatMap((shard) => [...shard]));
    for (const tenant of this.#options.wanted().keys()) {
      const code = tenantCode(tenant);
      tenants.set(code, tenant);
      const files = this.#batch.get(tenant) ?? given.get(code);
      if (files !== undefined) wanted.set(code, files);
    }
    const { shards, left } = place(found.shards, wanted);
    // Who moves is there twice for a moment, not nowhere.
    const gains = (index: number): boolean => gainsTenant(found.shards[index], shards[index]);
    const indexes = [...shards.keys()].toSorted((a, b) => Number(gains(b)) - Number(gains(a)));
    for (const index of indexes) await this.#writeShard(hands, found, { index, shards });
    found.shards = shards;
    for (const code of left) this.problems.set(tenants.get(code) ?? code, NO_ROOM);
    this.#batch = new Map();
    this.#batchBytes = 0;
  }

  async #writeShard(
    hands: Hands,
    { stored }: Found,
    { index, shards }: { readonly index: number; readonly shards: readonly Shard[] },
  ): Promise<void> {
    const data = dataOf(shards[index] ?? new Map());
    // Emptied, not deleted: the right to delete Secrets is a right to delete anybody's. It goes with the pool.
    if (stored[index] === undefined && Object.keys(data).length === 0) return;
    const before = stored[index] ?? (await this.#shard(hands, index));
    const wanted = tenantsSecret(hands.owner, index, data);
    stored[index] = await writeObject(hands, SECRETS, { wanted, before });
    this.used?.add(index);
  }
}

const NO_ROOM = `the Secrets of all tenants of the pool have ${TENANT_SHARDS} MiB together, and it is the largest`;

function problemOf(tenant: string, data: Files): string | undefined {
  const key = keyTooLong(tenant, data);
  if (key !== undefined) return `its key ${key} is too long beside the tenant's name`;
  return bytesOf(filesOf(tenant, data)) > SHARD_BYTES_MAX
    ? 'it is larger than 1 MiB, with the names of its keys'
    : undefined;
}

function gainsTenant(before: Shard | undefined, after: Shard | undefined): boolean {
  return [...(after?.keys() ?? [])].some((code) => before?.has(code) !== true);
}
