/**
 * ConfigMaps of a pool that never change: made where they are missing, taken over where an earlier pool of the name has left them, deleted
 * when nobody needs them. What they hold, and who needs it, others know.
 */
import { isDeepStrictEqual } from 'node:util';
import { LABELS } from '../../../api/names.ts';
import type { PoolKey } from '../../../core/identifiers.ts';
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import { type Kube, type ObjectRef, refOf, type Stored } from '../../../platform/kube/kube.ts';
import { CONFIG_MAPS, type ConfigMap } from '../../../platform/kube/resources.ts';
import { textDigest } from '../../../platform/text-digest.ts';
import { adopted, notOwned } from './adopt.ts';
import type { CachedObjects } from './cached-objects.ts';
import { BY_POOL, leftBy, MANAGED, ownershipOf } from './own-pod.ts';
import { ownerReference, type PoolOwner } from './pod-of.ts';

export interface ImmutableCopiesOptions {
  /** Writes only while this process leads. */
  readonly kube: Kube;
  /** As `digestsOnly` keeps them; indexed by `BY_POOL`. */
  readonly configMaps: CachedObjects<ConfigMap>;
}

type Texts = Readonly<Record<string, string>>;

export interface Copy {
  readonly name: string;
  /** Of the text of each key. */
  readonly digests: Texts;
  /** Asked for where there is none yet. */
  readonly read: () => Promise<Texts>;
}

export class ImmutableCopies {
  readonly #options: ImmutableCopiesOptions;
  /** Under way, by namespace and name. */
  readonly #making = new Map<string, Promise<void>>();

  constructor(options: ImmutableCopiesOptions) {
    this.#options = options;
  }

  /** Resolves when it is there. */
  async ensure(owner: PoolOwner, copy: Copy, signal: AbortSignal): Promise<void> {
    const ref = { namespace: owner.namespace, name: copy.name };
    const found = this.#options.configMaps.get(ref);
    if (found !== undefined) {
      checkContent(found, found.data, copy);
      await adopted(this.#options.kube, CONFIG_MAPS, { found, owner }, signal);
      return;
    }
    const key = `${ref.namespace}/${ref.name}`;
    const making = this.#making.get(key) ?? this.#make(owner, copy, ref, signal);
    this.#making.set(key, making);
    try {
      await making;
    } finally {
      this.#making.delete(key);
    }
  }

  /** The pool's own and those that an earlier one has left, as far as the cache shows them. */
  of(pool: PoolKey, owner: PoolOwner): readonly Stored<ConfigMap>[] {
    const { configMaps } = this.#options;
    const all = [...configMaps.find(BY_POOL, pool), ...configMaps.find(BY_POOL, leftBy(pool))];
    return all.filter((one) => ownershipOf(owner, one) !== 'foreign');
  }

  async remove(copy: Stored<ConfigMap>, signal: AbortSignal): Promise<void> {
    const { uid } = copy.metadata;
    await this.#options.kube.delete(CONFIG_MAPS, refOf(copy), { uid, signal }).catch(ignoreGone);
  }

  /** One that an earlier pool has left becomes the pool's own, unless it has changed or gone by now. */
  async adopt(found: Stored<ConfigMap>, owner: PoolOwner, signal: AbortSignal): Promise<void> {
    if (found.metadata.deletionTimestamp !== undefined) return;
    await adopted(this.#options.kube, CONFIG_MAPS, { found, owner }, signal).catch(ignoreGone);
  }

  /** In place of one of this name that says something else: none of them can be changed. */
  async replace(
    found: Stored<ConfigMap>,
    owner: PoolOwner,
    copy: Copy,
    signal: AbortSignal,
  ): Promise<void> {
    await this.remove(found, signal);
    await this.#make(owner, copy, refOf(found), signal);
  }

  async #make(
    owner: PoolOwner,
    copy: Copy,
    { namespace, name }: ObjectRef,
    signal: AbortSignal,
  ): Promise<void> {
    const { kube } = this.#options;
    const made: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace,
        labels: { ...MANAGED, [LABELS.pool]: owner.name },
        ownerReferences: [ownerReference(owner)],
      },
      immutable: true,
      data: await copy.read(),
    };
    try {
      await kube.createUnread(CONFIG_MAPS, made, { signal });
    } catch (error) {
      if (!isKubeError(error, 'AlreadyExists')) throw error;
      const found = await kube.get(CONFIG_MAPS, { namespace, name }, { signal });
      const texts = Object.entries(found.data ?? {});
      const digests = texts.map(([key, text]) => [key, textDigest(text)] as const);
      checkContent(found, Object.fromEntries(digests), copy);
      await adopted(kube, CONFIG_MAPS, { found, owner }, signal);
    }
  }
}

/** @param data digests of its texts, as caches have them. */
export function isSaying(data: ConfigMap['data'], { digests }: Copy): boolean {
  return isDeepStrictEqual({ ...data }, { ...digests });
}

/** One that an earlier pool has left, or that somebody has put there, may say anything. */
function checkContent(found: Stored<ConfigMap>, data: ConfigMap['data'], copy: Copy): void {
  if (!isSaying(data, copy)) throw notOwned(CONFIG_MAPS.kind, found);
}

function ignoreGone(error: unknown): void {
  if (!isKubeError(error, 'NotFound', 'Conflict')) throw error;
}
