/**
 * Copies of agent modules that are keys of ConfigMaps: one for each content. A pod mounts the copy of its revision, so one that starts again
 * while others roll out is what it was. Deletes only what it made, and what no pod mounts.
 */
import { LABELS } from '../../../api/names.ts';
import type { PoolKey } from '../../../core/identifiers.ts';
import type { Kube, Stored } from '../../../platform/kube/kube.ts';
import { CONFIG_MAPS, type ConfigMap, type Pod, PODS } from '../../../platform/kube/resources.ts';
import type { ModuleArtifact, MountedModule } from '../../pool/wanted-pool.ts';
import type { CachedObjects } from './cached-objects.ts';
import { BY_POOL } from './own-pod.ts';
import { MODULE_VOLUME, type PoolOwner } from './pod-of.ts';
import { copyName, isCopyName } from './copy-name.ts';
import type { ImmutableCopies } from './immutable-copies.ts';
import { textDigest } from '../../../platform/text-digest.ts';

export interface ModuleCopiesOptions {
  readonly kube: Kube;
  readonly copies: ImmutableCopies;
  /** As `digestsOnly` keeps them. */
  readonly configMaps: CachedObjects<ConfigMap>;
  /** Indexed by `BY_POOL`. */
  readonly pods: CachedObjects<Pod>;
}

export class ModuleCopies {
  readonly #options: ModuleCopiesOptions;

  constructor(options: ModuleCopiesOptions) {
    this.#options = options;
  }

  /** Resolves when the copy is there. Rejects when the ConfigMap says something else by now: then it is another revision's turn. */
  async ensure(owner: PoolOwner, { mounted }: ModuleArtifact, signal: AbortSignal): Promise<void> {
    if (mounted === undefined) return;
    const copy = {
      name: copyName(owner.name, mounted),
      digests: { [mounted.key]: mounted.digest },
      read: () => this.#read(owner, mounted, signal),
    };
    await this.#options.copies.ensure(owner, copy, signal);
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
    const { copies, pods, kube } = this.#options;
    const needed = new Set(
      modules.flatMap(({ mounted }) => (mounted ? copyName(owner.name, mounted) : [])),
    );
    for (const pod of pods.find(BY_POOL, pool)) addMounted(needed, pod);
    const isSpare = ({ metadata: { name } }: Stored<ConfigMap>): boolean =>
      isCopyName(owner.name, name) && !needed.has(name);
    const spare = copies.of(pool, owner).filter(isSpare);
    if (spare.length === 0) return;
    // A pod whose copy is gone can never start: what a cache shows is not enough.
    const selection = { namespace: owner.namespace, labelSelector: `${LABELS.pool}=${owner.name}` };
    const { items } = await kube.list(PODS, selection, { signal });
    for (const pod of items) addMounted(needed, pod);
    for (const copy of spare.filter(isSpare)) await copies.remove(copy, signal);
  }

  async #read(
    { namespace }: PoolOwner,
    mounted: MountedModule,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>>> {
    const { kube } = this.#options;
    const name = mounted.configMap;
    const original = await kube.get(CONFIG_MAPS, { namespace, name }, { signal });
    const text = original.data?.[mounted.key];
    if (text === undefined || textDigest(text) !== mounted.digest)
      throw new Error(`the ConfigMap ${name} has changed meanwhile`);
    return { [mounted.key]: text };
  }
}

function addMounted(names: Set<string>, { spec }: Pod): void {
  const name = spec?.volumes?.find((volume) => volume.name === MODULE_VOLUME)?.configMap?.name;
  if (name !== undefined) names.add(name);
}
