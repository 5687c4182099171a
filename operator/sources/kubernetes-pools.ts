/**
 * Pools as AgentPool objects of a cluster: read from a cache, parsed by the schema of this version. One that does not parse goes on as
 * it last did. Status and finaliser go back to the same objects (pool-writer.ts).
 */
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
import { explained } from '../pool/hindered-by.ts';
import type { PoolOwner } from '../drivers/kubernetes/pod-of.ts';
import type { ModuleState, PoolSource, WantedPool } from '../pool/wanted-pool.ts';
import { clusterModule } from './cluster-module.ts';
import type { EraseBound } from './erase-bound.ts';
import { OrphanedPools } from './orphaned-pools.ts';
import type { PoolWriter } from './pool-writer.ts';
import type { Sight } from './watched-namespaces.ts';

export interface KubernetesPoolsOptions {
  readonly pools: CachedObjects<AgentPoolObject>;
  /** As `digestsOnly` keeps them. */
  readonly configMaps: CachedObjects<ConfigMap>;
  readonly writer: PoolWriter;
  readonly eraseBound: EraseBound;
  /** What an earlier operator served: goes on being served where an object does not parse. */
  readonly lastSpecs: ReadonlyMap<PoolKey, AgentPoolSpec>;
  /** False: `lastSpecs` is not known yet. Left out: it is. */
  readonly isStoreRead?: () => boolean;
  /** For pools whose agents come from a ConfigMap. */
  readonly defaultImage?: string;
  /** Where runtimes of the pool find the store, and a digest of their key: with others they are others. */
  readonly installedFor: (pool: PoolKey) => readonly string[];
  readonly sight: Sight;
}

/** Of a pool that never was valid: there is nothing to run, but something to say. */
const NOTHING = agentPoolSpecSchema.parse({ replicas: 0, operatingMode: 'Suspended' });

/** What is remembered of a pool as long as its object is there. */
interface Known {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number | undefined;
  /** As it was when it last parsed. */
  readonly spec: AgentPoolSpec | undefined;
  readonly problems: readonly string[] | undefined;
  /** Of the module that last could be had. */
  readonly module: ModuleState | undefined;
}

export class KubernetesPools implements PoolSource {
  readonly #options: KubernetesPoolsOptions;
  readonly #known = new Map<PoolKey, Known>();
  readonly #orphaned = new OrphanedPools();

  constructor(options: KubernetesPoolsOptions) {
    this.#options = options;
  }

  get(key: PoolKey): WantedPool | undefined {
    const object = this.#options.pools.get(poolRefOfKey(key));
    if (object === undefined) {
      this.#forget(key);
      return undefined;
    }
    const known = this.#learn(key, object);
    const { metadata } = object;
    const deletion = this.#deletionOf(metadata);
    const spec = this.#specOf(key, known) ?? this.#specOfInvalid(deletion);
    if (spec === undefined) return undefined;
    const { defaultImage, installedFor, configMaps } = this.#options;
    const { namespace } = poolRefOfKey(key);
    const module = clusterModule(spec, {
      configMapOf: (name) => configMaps.get({ namespace, name }),
      before: known.module,
      ...(defaultImage === undefined ? {} : { defaultImage }),
      installed: installedFor(key),
    });
    this.#known.set(key, { ...known, module });
    const status = object.status as AgentPoolStatus | undefined;
    return {
      ref: poolRefOfKey(key),
      uid: metadata.uid,
      generation: metadata.generation ?? 1,
      spec: deletion.isOrphaned === true ? { ...spec, deletionPolicy: 'Retain' } : spec,
      module,
      ...(known.problems === undefined ? {} : { problems: known.problems }),
      ...(status === undefined ? {} : { status }),
      ...deletion,
    };
  }

  list(): readonly PoolKey[] {
    return this.#options.pools.list().map(({ metadata }) => keyOfObject(metadata));
  }

  covers(key: PoolKey): boolean {
    return this.#isStoreRead() && this.sees(key);
  }

  sees(key: PoolKey): boolean {
    return this.#options.sight.seenSinceMs(poolRefOfKey(key).namespace) !== undefined;
  }

  ownerOf(key: PoolKey): PoolOwner | undefined {
    const object = this.#options.pools.get(poolRefOfKey(key));
    if (object === undefined) return undefined;
    const { uid, deletionTimestamp } = object.metadata;
    const isGoing = deletionTimestamp !== undefined;
    return { ...poolRefOfKey(key), uid, ...(isGoing ? { isGoing } : {}) };
  }

  watch(onChange: (key: PoolKey | undefined) => void): () => void {
    const { pools, configMaps, sight } = this.#options;
    const ends = [
      sight.onSight(() => onChange(undefined)),
      pools.onChange(({ before, after }) => {
        this.#orphaned.note(before, after);
        if (isNews(before, after)) onChange(keyOfObject((after ?? before)?.metadata));
      }),
      configMaps.onChange(({ before, after }) => {
        if (isDeepStrictEqual(before?.data, after?.data)) return;
        for (const key of this.#usersOf(after ?? before)) onChange(key);
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  #usersOf(configMap: Stored<ConfigMap> | undefined): readonly PoolKey[] {
    const { name, namespace } = configMap?.metadata ?? {};
    return [...this.#known].flatMap(([key, { spec }]) => {
      const used = spec?.runtime.moduleFrom?.configMapRef.name;
      return used === name && poolRefOfKey(key).namespace === namespace ? [key] : [];
    });
  }

  async report(
    key: PoolKey,
    status: AgentPoolStatus,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const object = this.#options.pools.get(poolRefOfKey(key));
    const policy = this.#specOf(key, this.#known.get(key))?.deletionPolicy;
    if (object === undefined) return undefined;
    // Of what never parsed nobody knows what is to become of its projects: the finaliser stays as it is.
    if (policy !== undefined)
      await explained(this.#options.writer.keepFinaliser(object, policy === 'Delete', signal));
    return explained(this.#options.writer.writeStatus(object, status, signal));
  }

  async release(key: PoolKey, signal: AbortSignal): Promise<void> {
    const object = this.#options.pools.get(poolRefOfKey(key));
    if (object?.metadata.deletionTimestamp !== undefined)
      await explained(this.#options.writer.keepFinaliser(object, false, signal));
  }

  async close(): Promise<void> {
    this.#known.clear();
  }

  /** What was served before the object was spoilt: until that is known, nothing is done about it; it is let go in time all the same. */
  #specOfInvalid({ isOverdue }: Pick<WantedPool, 'isOverdue'>): AgentPoolSpec | undefined {
    return this.#isStoreRead() || isOverdue === true ? NOTHING : undefined;
  }

  #isStoreRead(): boolean {
    return this.#options.isStoreRead?.() ?? true;
  }

  /** As it was when it last parsed, under an earlier operator perhaps. */
  #specOf(key: PoolKey, known: Known | undefined): AgentPoolSpec | undefined {
    return known?.spec ?? this.#options.lastSpecs.get(key);
  }

  #learn(key: PoolKey, object: Stored<AgentPoolObject>): Known {
    const { uid } = object.metadata;
    const last = this.#known.get(key);
    const before = last?.uid === uid ? last : undefined;
    if (before !== undefined && isKnown(before, object)) return before;
    if (before === undefined) this.#forget(key);
    const known = knownOf(object, before);
    this.#known.set(key, known);
    return known;
  }

  #forget(key: PoolKey): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#options.writer.forget(known.uid);
  }

  #deletionOf(
    metadata: Stored<AgentPoolObject>['metadata'],
  ): Pick<WantedPool, 'isDeleting' | 'isOrphaned' | 'isOverdue'> {
    if (metadata.deletionTimestamp === undefined) return {};
    if (this.#orphaned.has(metadata)) return { isOrphaned: true };
    const seenSinceMs = this.#options.sight.seenSinceMs(metadata.namespace ?? '');
    const isOverdue = this.#options.eraseBound.isOver(metadata, seenSinceMs);
    return { isDeleting: true, ...(isOverdue ? { isOverdue } : {}) };
  }
}

/** Parsed once for each spec; where it does not parse, for each version of the object. */
function isKnown(
  { resourceVersion, generation, problems }: Known,
  { metadata }: Stored<AgentPoolObject>,
): boolean {
  if (resourceVersion === metadata.resourceVersion) return true;
  return problems === undefined && generation !== undefined && generation === metadata.generation;
}

function knownOf(object: Stored<AgentPoolObject>, before: Known | undefined): Known {
  const { uid, resourceVersion, generation } = object.metadata;
  const parsed = parsePool(plainOf(object));
  const same = { uid, resourceVersion, generation, module: before?.module };
  if (parsed.ok)
    return { ...same, spec: theSame(parsed.pool.spec, object.spec), problems: undefined };
  const problems = parsed.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`);
  return { ...same, spec: before?.spec, problems };
}

/** The API server lays the same defaults, mostly: one object for both is a tenth of what a pool takes here. */
function theSame(parsed: AgentPoolSpec, stored: AgentPoolObject['spec']): AgentPoolSpec {
  return isDeepStrictEqual(parsed, stored) ? (stored as AgentPoolSpec) : parsed;
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

/** Labels, annotations and managed fields of others are none. A status is: somebody else may have written it. */
function isNews(
  before: Stored<AgentPoolObject> | undefined,
  after: Stored<AgentPoolObject> | undefined,
): boolean {
  if (before === undefined || after === undefined) return true;
  return !isDeepStrictEqual(newsOf(before), newsOf(after));
}

function newsOf({ metadata, status }: Stored<AgentPoolObject>): unknown {
  const { uid, generation, deletionTimestamp, finalizers } = metadata;
  return [uid, generation, deletionTimestamp, finalizers, status];
}
