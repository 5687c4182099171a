/**
 * Keeps in a ConfigMap what the good pods of a pool are made of, for an operator that takes over when the spec says something else already. Believes
 * none without the seal of this installation: who may write ConfigMaps could have pods made otherwise.
 */
import type { AgentPoolSpec } from '../../../api/agent-pool.ts';
import type { PoolKey } from '../../../core/identifiers.ts';
import { isKubeError } from '../../../platform/kube/kube-error.ts';
import type { Kube, Stored } from '../../../platform/kube/kube.ts';
import { CONFIG_MAPS, type ConfigMap } from '../../../platform/kube/resources.ts';
import type { Log } from '../../../platform/log.ts';
import { textDigest } from '../../../platform/text-digest.ts';
import type { RuntimeTemplate } from '../../pool/driver.ts';
import type { CachedObjects } from './cached-objects.ts';
import { isTemplateName, templateName } from './copy-name.ts';
import { type Copy, type ImmutableCopies, isSaying } from './immutable-copies.ts';
import type { PoolOwner } from './pod-of.ts';
import { templateFrom, templateText } from './template-text.ts';

/** A seal that only operators of this installation can make. */
export type SealOf = (pool: PoolKey, text: string) => string;

export interface KeptTemplatesOptions {
  readonly kube: Kube;
  readonly copies: ImmutableCopies;
  /** As `digestsOnly` keeps them. */
  readonly configMaps: CachedObjects<ConfigMap>;
  readonly sealOf: SealOf;
  /** Which runtimes are told when they start: a revision is of one place. Left out: there is only one. */
  readonly storePlace?: string;
  readonly log: Log;
}

const TEXT = 'template.json';
const SEAL = 'seal';
/** A ConfigMap holds 1 MiB; the rest is for the seal. */
const TEXT_BYTES_MAX = 1_048_576 - 1_024;

export class KeptTemplates {
  readonly #options: KeptTemplatesOptions;
  readonly #copies = new WeakMap<RuntimeTemplate, { readonly copy: Copy | undefined }>();

  constructor(options: KeptTemplatesOptions) {
    this.#options = options;
  }

  async keep(
    pool: PoolKey,
    owner: PoolOwner,
    template: RuntimeTemplate,
    signal: AbortSignal,
  ): Promise<void> {
    const { copies } = this.#options;
    const copy = this.#copyOf(pool, owner, template);
    const all = this.#of(pool, owner);
    const same = all.find(({ metadata }) => metadata.name === copy?.name);
    // What was kept goes last: the new one may be refused, or this process die.
    if (copy !== undefined) {
      // As another version writes it, or by somebody who copied our marks.
      if (same !== undefined && !isSaying(same.data, copy))
        await copies.replace(same, owner, copy, signal);
      else await copies.ensure(owner, copy, signal);
    }
    for (const one of all) if (one !== same) await copies.remove(one, signal);
  }

  /** Those that an earlier pool has left: they go with this one, whether or not it ever keeps any. */
  async adopt(pool: PoolKey, owner: PoolOwner, signal: AbortSignal): Promise<void> {
    for (const one of this.#of(pool, owner)) await this.#options.copies.adopt(one, owner, signal);
  }

  /** Undefined: there is none, or none that this installation has made. */
  async read(
    pool: PoolKey,
    owner: PoolOwner,
    revision: string,
    { live, signal }: { readonly live: AgentPoolSpec; readonly signal: AbortSignal },
  ): Promise<RuntimeTemplate | undefined> {
    const { kube, configMaps, sealOf } = this.#options;
    const ref = { namespace: owner.namespace, name: templateName(owner.name, revision) };
    if (configMaps.get(ref) === undefined) return undefined;
    const found = await kube.get(CONFIG_MAPS, ref, { signal }).catch((error: unknown) => {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    });
    const { [TEXT]: text, [SEAL]: seal } = found?.data ?? {};
    try {
      if (text === undefined || seal !== sealOf(pool, text))
        throw new Error('it does not bear the seal of this installation');
      return templateFrom(text, revision, { live, ...this.#placeFor(pool) });
    } catch (error) {
      this.#say('what a revision was made of is not taken from its ConfigMap', owner, {
        configMap: ref.name,
        why: error instanceof Error ? error.message : String(error),
      });
      return undefined;
    }
  }

  #of(pool: PoolKey, owner: PoolOwner): readonly Stored<ConfigMap>[] {
    const all = this.#options.copies.of(pool, owner);
    return all.filter(({ metadata }) => isTemplateName(owner.name, metadata.name));
  }

  /** Undefined: it is too large. Each template is looked at once: a pass in which nothing happened is to cost next to nothing. */
  #copyOf(pool: PoolKey, owner: PoolOwner, template: RuntimeTemplate): Copy | undefined {
    const known = this.#copies.get(template);
    if (known !== undefined) return known.copy;
    const { revision } = template;
    const texts = this.#textsOf(pool, template);
    const isTooLarge = Buffer.byteLength(texts[TEXT]) > TEXT_BYTES_MAX;
    if (isTooLarge)
      this.#say('what a revision is made of is too large to be kept', owner, { revision });
    const digests = Object.entries(texts).map(([key, one]) => [key, textDigest(one)] as const);
    const copy = {
      name: templateName(owner.name, revision),
      digests: Object.fromEntries(digests),
      read: async () => this.#textsOf(pool, template),
    };
    this.#copies.set(template, { copy: isTooLarge ? undefined : copy });
    return isTooLarge ? undefined : copy;
  }

  #textsOf(pool: PoolKey, template: RuntimeTemplate) {
    const text = templateText(template, this.#placeFor(pool).storePlace);
    return { [TEXT]: text, [SEAL]: this.#options.sealOf(pool, text) } as const;
  }

  /** Sealed, not told: an address may have a password in it. */
  #placeFor(pool: PoolKey): { readonly storePlace?: string } {
    const { sealOf, storePlace } = this.#options;
    return storePlace === undefined ? {} : { storePlace: sealOf(pool, storePlace) };
  }

  #say(
    message: string,
    { namespace, name }: PoolOwner,
    detail: Readonly<Record<string, unknown>>,
  ): void {
    this.#options.log.warn(message, { namespace, pool: name, detail });
  }
}
