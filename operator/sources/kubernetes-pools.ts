/**
 * Pools as AgentPool objects of a cluster: read from a cache, parsed by the schema of this version. One that does not parse goes on as
 * it last did. Status and finaliser go back to the same objects (pool-writer.ts).
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  type AgentPoolSpec,
  agentPoolSpecSchema,
  type AgentPoolStatus,
} from '../../api/agent-pool.ts';
import { formatPath } from '../../api/json-schema.ts';
import { parsePool } from '../../api/parse-pool.ts';
import { type PoolKey, poolKeyOf, poolRefOfKey } from '../../core/identifiers.ts';
import type { Stored } from '../../platform/kube/kube.ts';
import type { AgentPoolObject, ConfigMap } from '../../platform/kube/resources.ts';
import type { CachedObjects } from '../drivers/kubernetes/cached-objects.ts';
import { modulePathOf, type PoolOwner } from '../drivers/kubernetes/pod-of.ts';
import type { ModuleState, PoolSource, WantedPool } from '../pool/wanted-pool.ts';
import type { PoolWriter } from './pool-writer.ts';

export interface KubernetesPoolsOptions {
  readonly pools: CachedObjects<AgentPoolObject>;
  /** As `digestsOnly` keeps them. */
  readonly configMaps: CachedObjects<ConfigMap>;
  readonly writer: PoolWriter;
  /** What an earlier operator served: goes on being served where an object does not parse. */
  readonly lastSpecs: ReadonlyMap<PoolKey, AgentPoolSpec>;
  /** For pools whose agents come from a ConfigMap. */
  readonly defaultImage?: string;
}

/** Of a pool that never was valid: there is nothing to run, but something to say. */
const NOTHING = agentPoolSpecSchema.parse({ replicas: 0, operatingMode: 'Suspended' });

/** What is remembered of a pool as long as its object is there. */
interface Known {
  readonly uid: string;
  readonly resourceVersion: string;
  /** As it was when it last parsed. */
  readonly spec: AgentPoolSpec | undefined;
  readonly problems: readonly string[] | undefined;
  /** Of the module that last could be had. */
  readonly module: ModuleState | undefined;
}

export class KubernetesPools implements PoolSource {
  readonly #options: KubernetesPoolsOptions;
  readonly #known = new Map<PoolKey, Known>();

  constructor(options: KubernetesPoolsOptions) {
    this.#options = options;
  }

  get(key: PoolKey): WantedPool | undefined {
    const object = this.#options.pools.get(poolRefOfKey(key));
    if (object === undefined) {
      this.#known.delete(key);
      return undefined;
    }
    const known = this.#learn(key, object);
    const { metadata } = object;
    const spec = known.spec ?? this.#options.lastSpecs.get(key) ?? NOTHING;
    const module = this.#moduleOf(key, spec, known.module);
    this.#known.set(key, { ...known, module });
    const status = object.status as AgentPoolStatus | undefined;
    return {
      ref: poolRefOfKey(key),
      generation: metadata.generation ?? 1,
      spec,
      module,
      ...(known.problems === undefined ? {} : { problems: known.problems }),
      ...(status === undefined ? {} : { status }),
      ...(metadata.deletionTimestamp === undefined ? {} : { isDeleting: true }),
    };
  }

  list(): readonly PoolKey[] {
    return this.#options.pools.list().map(({ metadata }) => keyOfObject(metadata));
  }

  ownerOf(key: PoolKey): PoolOwner | undefined {
    const object = this.#options.pools.get(poolRefOfKey(key));
    return object && { ...poolRefOfKey(key), uid: object.metadata.uid };
  }

  watch(onChange: (key: PoolKey) => void): () => void {
    const { pools, configMaps } = this.#options;
    const ends = [
      pools.onChange(({ before, after }) => {
        if (!isOwnEcho(before, after)) onChange(keyOfObject((after ?? before)?.metadata));
      }),
      configMaps.onChange(({ before, after }) => {
        const { name, namespace } = (after ?? before)?.metadata ?? {};
        if (isDeepStrictEqual(before?.data, after?.data)) return;
        for (const [key, { spec }] of this.#known) {
          const used = spec?.runtime.moduleFrom?.configMapRef.name;
          if (used === name && poolRefOfKey(key).namespace === namespace) onChange(key);
        }
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  async report(key: PoolKey, status: AgentPoolStatus, signal: AbortSignal): Promise<void> {
    const object = this.#options.pools.get(poolRefOfKey(key));
    const policy = this.#known.get(key)?.spec?.deletionPolicy;
    if (object === undefined) return;
    await this.#options.writer.keepFinaliser(object, policy === 'Delete', signal);
    await this.#options.writer.writeStatus(object, status, signal);
  }

  async release(key: PoolKey, signal: AbortSignal): Promise<void> {
    const object = this.#options.pools.get(poolRefOfKey(key));
    if (object?.metadata.deletionTimestamp !== undefined)
      await this.#options.writer.keepFinaliser(object, false, signal);
  }

  async close(): Promise<void> {
    this.#known.clear();
  }

  /** Parsed once for each version of the object. */
  #learn(key: PoolKey, object: Stored<AgentPoolObject>): Known {
    const { uid, resourceVersion } = object.metadata;
    const last = this.#known.get(key);
    if (last?.uid === uid && last.resourceVersion === resourceVersion) return last;
    const before = last?.uid === uid ? last : undefined;
    const parsed = parsePool(plainOf(object));
    const known: Known = {
      uid,
      resourceVersion,
      module: before?.module,
      ...(parsed.ok
        ? { spec: parsed.pool.spec, problems: undefined }
        : {
            spec: before?.spec,
            problems: parsed.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`),
          }),
    };
    this.#known.set(key, known);
    return known;
  }

  #moduleOf(key: PoolKey, spec: AgentPoolSpec, before: ModuleState | undefined): ModuleState {
    const { image, moduleFrom } = spec.runtime;
    const last = before?.at === 'loaded' ? before.artifact : before?.last;
    const broken = (message: string): ModuleState => ({
      at: 'broken',
      message,
      ...(last === undefined ? {} : { last }),
    });
    const loaded = (content: string): ModuleState => {
      const digest = createHash('sha256').update(content).digest('hex');
      return { at: 'loaded', artifact: { digest, path: modulePathOf(spec) } };
    };
    if (moduleFrom === undefined)
      return image === undefined
        ? broken(
            'spec.runtime.image is missing: in a cluster agents come in an image, or by spec.runtime.moduleFrom',
          )
        : loaded(JSON.stringify([image, spec.runtime.agentModule]));
    const used = image ?? this.#options.defaultImage;
    if (used === undefined)
      return broken('spec.runtime.image is missing, and this operator has no image of its own');
    const { name, key: dataKey } = moduleFrom.configMapRef;
    const configMap = this.#options.configMaps.get({
      namespace: poolRefOfKey(key).namespace,
      name,
    });
    if (configMap === undefined) return broken(`the ConfigMap ${name} is not there`);
    const content = configMap.data?.[dataKey];
    if (content === undefined) return broken(`the ConfigMap ${name} has no key ${dataKey}`);
    return loaded(JSON.stringify([used, dataKey, content]));
  }
}

function keyOfObject(
  metadata: { readonly namespace?: string; readonly name?: string } | undefined,
): PoolKey {
  return poolKeyOf({ namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' });
}

/** What the schema knows: the rest of the metadata is the API server's. */
function plainOf({ apiVersion, kind, metadata, spec }: Stored<AgentPoolObject>) {
  const { name, namespace, labels, annotations } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    ...(spec === undefined ? {} : { spec }),
  };
}

/** Our own status coming back is nothing new; a status that somebody else wrote is. */
function isOwnEcho(
  before: Stored<AgentPoolObject> | undefined,
  after: Stored<AgentPoolObject> | undefined,
): boolean {
  if (before === undefined || after === undefined) return false;
  return (
    before.metadata.uid === after.metadata.uid &&
    before.metadata.generation === after.metadata.generation &&
    before.metadata.deletionTimestamp === after.metadata.deletionTimestamp &&
    isDeepStrictEqual(before.metadata.finalizers, after.metadata.finalizers) &&
    isDeepStrictEqual(before.status, after.status)
  );
}

/** Of a cache: content is compared, never shown, and can be large. */
export function digestsOnly(configMap: Stored<ConfigMap>): Stored<ConfigMap> {
  const { binaryData: _, data = {}, ...rest } = configMap;
  const digests = Object.entries(data).map(([key, text]) => [
    key,
    createHash('sha256').update(text).digest('base64url'),
  ]);
  return { ...rest, data: Object.fromEntries(digests) as Record<string, string> };
}
