/** The Kubernetes driver over a cluster in memory: its client with its own faults, its caches, pools as objects, runtimes that can be bound. */
import { type AgentPoolSpec, API_VERSION, KIND } from '../../api/agent-pool.ts';
import { LABELS } from '../../api/names.ts';
import { type PoolKey, poolRefOfKey } from '../../core/identifiers.ts';
import { CacheGroup } from '../../operator/drivers/kubernetes/cached-objects.ts';
import { KubernetesDriver } from '../../operator/drivers/kubernetes/kubernetes-driver.ts';
import { BY_POOL, indexByPool } from '../../operator/drivers/kubernetes/own-pod.ts';
import { ImmutableCopies } from '../../operator/drivers/kubernetes/immutable-copies.ts';
import { KeptTemplates } from '../../operator/drivers/kubernetes/kept-templates.ts';
import { ModuleCopies } from '../../operator/drivers/kubernetes/module-copies.ts';
import { PoolBelongings } from '../../operator/drivers/kubernetes/pool-belongings.ts';
import { digestsOnly } from '../../operator/sources/digests-only.ts';
import { KubernetesPools } from '../../operator/sources/kubernetes-pools.ts';
import { slimPool } from '../../operator/sources/slim-pool.ts';
import {
  ALL_NAMESPACES,
  type WatchedCache,
  WatchedNamespaces,
} from '../../operator/sources/watched-namespaces.ts';
import { EraseBound } from '../../operator/sources/erase-bound.ts';
import { PoolWriter } from '../../operator/sources/pool-writer.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import { type CacheOptions, ResourceCache } from '../../platform/kube/resource-cache.ts';
import { AGENT_POOLS, CONFIG_MAPS, type KubeObject, PODS } from '../../platform/kube/resources.ts';
import { type Log, silentLog } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import { poolKeyDigest, poolTextSeal } from '../../platform/tls/pool-key.ts';
import type { FakeCluster } from './fake-cluster.ts';

/** Of the installation. */
export const KEY = 'the key of an installation in tests';

/** What one operator process has of the cluster. */
export interface OperatorSide {
  readonly driver: KubernetesDriver;
  readonly source: KubernetesPools;
  readonly writer: PoolWriter;
  readonly namespaces: WatchedNamespaces;
  readonly synced: Promise<unknown>;
  /** What one who begins to lead does first. */
  renew(): Promise<unknown>;
  stop(): Promise<void>;
}

export interface SideOptions {
  readonly reads: Kube;
  readonly writes: Kube;
  readonly clock: Clock;
  readonly random: Random;
  /** Left out: all, as one. */
  readonly watched?: readonly string[];
  /** What an earlier operator served. */
  readonly lastSpecs?: ReadonlyMap<PoolKey, AgentPoolSpec>;
  /** Of pools that name none. */
  readonly defaultImage?: string;
  /** Left out: there is only one. */
  readonly storePlace?: string;
  /** Default: `KEY`. */
  readonly installationKey?: string;
  /** Left out: nothing is logged. */
  readonly log?: Log;
  /** Left out: always. */
  readonly isLeader?: () => boolean;
  /** A runtime is told its project. */
  readonly onBind?: (pool: PoolKey, address: string, project: string) => void;
  /** The store has nothing for runtimes of the pool to come in any more. */
  readonly closeStore?: (pool: PoolKey) => Promise<void>;
}

export function operatorSide(options: SideOptions): OperatorSide {
  const {
    reads,
    writes,
    clock,
    random,
    onBind,
    closeStore,
    storePlace,
    installationKey = KEY,
    defaultImage = 'agents:default',
    lastSpecs = new Map(),
    watched = [ALL_NAMESPACES],
    log = silentLog,
    isLeader = () => true,
  } = options;
  const caches = new Map<string, WatchedCache[]>(watched.map((namespace) => [namespace, []]));
  const group = <T extends KubeObject>(
    options: Pick<CacheOptions<T>, 'resource' | 'indexes' | 'keep'>,
    labelSelector?: string,
  ): CacheGroup<T> => {
    const label = labelSelector === undefined ? {} : { labelSelector };
    const common = { kube: reads, clock, random, log };
    return new CacheGroup(
      [...caches].map(([namespace, its]) => {
        const selection = { namespace, ...label };
        const cache = new ResourceCache<T>({ ...options, ...common, selection });
        its.push(cache);
        return cache;
      }),
    );
  };
  const pools = group({ resource: AGENT_POOLS, keep: slimPool });
  const pods = group({ resource: PODS, indexes: { [BY_POOL]: indexByPool } }, LABELS.pool);
  const configMaps = group({
    resource: CONFIG_MAPS,
    keep: digestsOnly,
    indexes: { [BY_POOL]: indexByPool },
  });
  const namespaces = new WatchedNamespaces(caches, { clock, log });
  namespaces.start();
  const writer = new PoolWriter({ kube: writes, clock });
  const source = new KubernetesPools({
    pools,
    configMaps,
    writer,
    eraseBound: new EraseBound(clock),
    sight: namespaces,
    lastSpecs,
    defaultImage,
    installedFor: (pool) => [storePlace ?? '', poolKeyDigest(installationKey, pool)],
  });
  const copies = new ImmutableCopies({ kube: writes, configMaps });
  const driver = new KubernetesDriver({
    kube: writes,
    pods,
    ownerOf: (pool) => source.ownerOf(pool),
    belongings: new PoolBelongings({
      kube: writes,
      secretFiles: async () => ({ key: 'sesame' }),
      pods,
      releaseNamespace: 'agentpool',
      clock,
    }),
    copies: new ModuleCopies({ kube: writes, copies, configMaps, pods }),
    templates: new KeptTemplates({
      ...{ kube: writes, copies, configMaps },
      sealOf: (pool, text) => poolTextSeal(installationKey, pool, text),
      ...(storePlace !== undefined && { storePlace }),
      log,
    }),
    ...(closeStore && { closeStore }),
    podDefaults: {},
    connect: (pool, address) => ({
      ping: async () => 'alive',
      bind: async (project) => onBind?.(pool, address, project),
      close: () => undefined,
    }),
    isLeader,
    clock,
    log: silentLog,
  });
  return {
    driver,
    source,
    writer,
    namespaces,
    synced: namespaces.synced,
    renew: () => namespaces.renew(),
    async stop() {
      driver.close();
      await namespaces.stop();
    },
  };
}

export function poolObject(pool: PoolKey, spec: object = {}) {
  const { namespace, name } = poolRefOfKey(pool);
  return { apiVersion: API_VERSION, kind: KIND, metadata: { namespace, name }, spec: { ...spec } };
}

export async function createPool(
  cluster: FakeCluster,
  pool: PoolKey,
  spec: object = {},
): Promise<void> {
  await cluster.admin.create(AGENT_POOLS, poolObject(pool, spec));
}
