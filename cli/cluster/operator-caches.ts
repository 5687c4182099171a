/** What the operator keeps in memory of the cluster: AgentPools, their pods, and digests of ConfigMaps; of all namespaces, or of some. */
import { LABELS } from '../../api/names.ts';
import { CacheGroup } from '../../operator/drivers/kubernetes/cached-objects.ts';
import { BY_POOL, indexByPool } from '../../operator/drivers/kubernetes/own-pod.ts';
import { BELONGINGS_SELECTOR } from '../../operator/drivers/kubernetes/pool-belongings.ts';
import { digestsOnly } from '../../operator/sources/digests-only.ts';
import { slimPool } from '../../operator/sources/slim-pool.ts';
import {
  ALL_NAMESPACES,
  type WatchedCache,
  WatchedNamespaces,
} from '../../operator/sources/watched-namespaces.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Kube } from '../../platform/kube/kube.ts';
import type { KubeMetrics } from '../../platform/kube/metrics.ts';
import { type CacheOptions, ResourceCache } from '../../platform/kube/resource-cache.ts';
import {
  AGENT_POOLS,
  type AgentPoolObject,
  CONFIG_MAPS,
  type ConfigMap,
  type KubeObject,
  NETWORK_POLICIES,
  type Pod,
  POD_DISRUPTION_BUDGETS,
  PODS,
} from '../../platform/kube/resources.ts';
import type { Log } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';

export interface OperatorCaches {
  readonly pools: CacheGroup<AgentPoolObject>;
  readonly pods: CacheGroup<Pod>;
  readonly configMaps: CacheGroup<ConfigMap>;
  /** What the operator has made for pools and others may have changed. Not Secrets: it may not list those. */
  readonly belongings: readonly CacheGroup<KubeObject>[];
  /** Starts and stops them all. To be renewed by who begins to lead: what another one has done last must not be missed for a watch that fell silent. */
  readonly namespaces: WatchedNamespaces;
}

/** Others' ConfigMaps come, too, each up to 1 MiB, and an answer is in memory as a whole. */
const CONFIG_MAPS_PER_PAGE = 50;

/** @param namespaces empty: all. */
export function openCaches(
  kube: Kube,
  namespaces: readonly string[],
  ports: { readonly clock: Clock; readonly log: Log; readonly metrics: KubeMetrics },
): OperatorCaches {
  const caches = new Map<string, WatchedCache[]>(
    (namespaces.length === 0 ? [ALL_NAMESPACES] : namespaces).map((namespace) => [namespace, []]),
  );
  const group = <T extends KubeObject>(
    options: Pick<CacheOptions<T>, 'resource' | 'indexes' | 'keep' | 'limits'>,
    labelSelector?: string,
  ): CacheGroup<T> =>
    new CacheGroup(
      [...caches].map(([namespace, its]) => {
        const cache = new ResourceCache<T>({
          ...options,
          ...ports,
          kube,
          random: systemRandom,
          selection: { namespace, ...(labelSelector === undefined ? {} : { labelSelector }) },
        });
        its.push(cache);
        return cache;
      }),
    );
  const pools = group({ resource: AGENT_POOLS, keep: slimPool });
  const pods = group({ resource: PODS, indexes: { [BY_POOL]: indexByPool } }, LABELS.pool);
  const configMaps = group({
    resource: CONFIG_MAPS,
    keep: digestsOnly,
    limits: { pageObjects: CONFIG_MAPS_PER_PAGE },
    indexes: { [BY_POOL]: indexByPool },
  });
  const belongings = [
    group<KubeObject>({ resource: POD_DISRUPTION_BUDGETS }, BELONGINGS_SELECTOR),
    group<KubeObject>({ resource: NETWORK_POLICIES }, BELONGINGS_SELECTOR),
  ];
  return { pools, pods, configMaps, belongings, namespaces: new WatchedNamespaces(caches, ports) };
}
