/**
 * Copies of agent modules that are keys of ConfigMaps: immutable, one for each content, owned by the pool. A pod mounts the copy of its
 * revision, so one that starts again while others roll out is what it was. Deletes only what it made, and what no pod mounts.
 */
import { LABELS } from '../../../api/names.ts';
import type { PoolKey } from '../../../core/identifiers.ts';
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import { type Kube, type ObjectRef, refOf, type Stored } from '../../../platform/kube/kube.ts';
import { CONFIG_MAPS, type ConfigMap, type Pod, PODS } from '../../../platform/kube/resources.ts';
import type { ModuleArtifact, MountedModule } from '../../pool/wanted-pool.ts';
import type { CachedObjects } from './cached-objects.ts';
import { adopted, notOwned } from './adopt.ts';
import { BY_POOL, leftBy, MANAGED, ownershipOf } from './own-pod.ts';
import { MODULE_VOLUME, ownerReference, type PoolOwner } from './pod-of.ts';
import { copyName, isCopyName } from './copy-name.ts';
import { textDigest } from '../../../platform/text-digest.ts';

export interface ModuleCopiesOptions {
  /** Writes only while this process leads. */
  readonly kube: Kube;
  /** As `digestsOnly` keeps them; indexed by `BY_POOL`. */
  readonly configMaps: CachedObjects<ConfigMap>;
  readonly pods: CachedObjects<Pod>;
}

export class ModuleCopies {
  readonly #options: ModuleCopiesOptions;
  /** Under way, by namespace and name. */
  readonly #making = new Map<string, Promise<void>>();

  constructor(options: ModuleCopiesOptions) {
    this.#options = options;
  }

  /** Resolves when the copy is there. Rejects when the ConfigMap says something else by now: then it is another revision's turn. */
  async ensure(owner: PoolOwner, { mounted }: ModuleArtifact, signal: AbortSignal): Promise<void> {
    if (mounted === undefined) return;
    const ref = { namespace: owner.namespace, name: copyName(owner.name, mounted) };
    const known = this.#options.configMaps.get(ref);
    if (known !== undefined) {
      checkContent(known, mounted.key, mounted.digest);
      await adopted(this.#options.kube, CONFIG_MAPS, { found: known, owner }, signal);
      return;
    }
    const key = `${ref.namespace}/${ref.name}`;
    const making = this.#making.get(key) ?? this.#make(owner, mounted, ref, signal);
    this.#making.set(key, making);
    try {
      await making;
    } finally {
      this.#making.delete(key);
    }
  }

  /** Somebody has deleted a copy whose content can still be had, or an earlier pool has left one: pods that start again need it. */
  async restore(
    owner: PoolOwner,
    modules: readonly ModuleArtifact[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const module of modules) {
      const { mounted } = module;
      if (mounted === undefined) continue;
      const { namespace } = owner;
      const { configMaps } = this.#options;
      const isThere = configMaps.get({ namespace, name: copyName(owner.name, mounted) });
      const original = configMaps.get({ namespace, name: mounted.configMap });
      if (isThere !== undefined || original?.data?.[mounted.key] === mounted.digest)
        await this.ensure(owner, module, signal);
    }
  }

  /** Deletes the copies of the pool that neither these modules nor any pod needs. */
  async tidy(
    pool: PoolKey,
    owner: PoolOwner,
    modules: readonly ModuleArtifact[],
    signal: AbortSignal,
  ): Promise<void> {
    const { configMaps, pods, kube } = this.#options;
    const needed = new Set(
      modules.flatMap(({ mounted }) => (mounted ? copyName(owner.name, mounted) : [])),
    );
    for (const pod of pods.find(BY_POOL, pool)) addMounted(needed, pod);
    const isSpare = ({ metadata }: Stored<ConfigMap>): boolean =>
      ownershipOf(owner, { metadata }) !== 'foreign' &&
      isCopyName(owner.name, metadata.name) &&
      !needed.has(metadata.name);
    const copies = [...configMaps.find(BY_POOL, pool), ...configMaps.find(BY_POOL, leftBy(pool))];
    const spare = copies.filter(isSpare);
    if (spare.length === 0) return;
    // A pod whose copy is gone can never start: what a cache shows is not enough.
    const selection = { namespace: owner.namespace, labelSelector: `${LABELS.pool}=${owner.name}` };
    const { items } = await kube.list(PODS, selection, { signal });
    for (const pod of items) addMounted(needed, pod);
    for (const copy of spare.filter(isSpare)) {
      const { uid } = copy.metadata;
      await kube.delete(CONFIG_MAPS, refOf(copy), { uid, signal }).catch(ignoreGone);
    }
  }

  async #make(
    owner: PoolOwner,
    mounted: MountedModule,
    { namespace, name }: ObjectRef,
    signal: AbortSignal,
  ): Promise<void> {
    const { kube } = this.#options;
    const original = await kube.get(
      CONFIG_MAPS,
      { namespace, name: mounted.configMap },
      { signal },
    );
    const text = original.data?.[mounted.key];
    if (text === undefined || textDigest(text) !== mounted.digest)
      throw new Error(`the ConfigMap ${mounted.configMap} has changed meanwhile`);
    const copy: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace,
        labels: { ...MANAGED, [LABELS.pool]: owner.name },
        ownerReferences: [ownerReference(owner)],
      },
      immutable: true,
      data: { [mounted.key]: text },
    };
    try {
      await kube.createUnread(CONFIG_MAPS, copy, { signal });
    } catch (error) {
      if (!isKubeError(error, 'AlreadyExists')) throw error;
      const found = await kube.get(CONFIG_MAPS, { namespace, name }, { signal });
      checkContent(found, mounted.key, text);
      await adopted(kube, CONFIG_MAPS, { found, owner }, signal);
    }
  }
}

function addMounted(names: Set<string>, { spec }: Pod): void {
  const name = spec?.volumes?.find((volume) => volume.name === MODULE_VOLUME)?.configMap?.name;
  if (name !== undefined) names.add(name);
}

/** One that an earlier pool has left, or that somebody has put there, may say anything. */
function checkContent(copy: Stored<ConfigMap>, key: string, content: string): void {
  if (copy.data?.[key] !== content) throw notOwned(CONFIG_MAPS.kind, copy);
}

function ignoreGone(error: unknown): void {
  if (!isKubeError(error, 'NotFound', 'Conflict')) throw error;
}
