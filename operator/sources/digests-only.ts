/** What the operator keeps of the ConfigMaps of others and its own: digests of their texts, and whose copy each is. */
import { LABELS, MANAGED_BY } from '../../api/names.ts';
import type { Stored } from '../../platform/kube/kube.ts';
import type { ConfigMap } from '../../platform/kube/resources.ts';
import { textDigest } from '../../platform/text-digest.ts';

/** Of a cache of all ConfigMaps there are: content is compared, never shown, and can be large; annotations of `kubectl apply` hold it once more. */
export function digestsOnly(configMap: Stored<ConfigMap>): Stored<ConfigMap> {
  const { data = {} } = configMap;
  const digests = Object.entries(data).map(([key, text]) => [key, textDigest(text)]);
  return {
    apiVersion: configMap.apiVersion,
    kind: configMap.kind,
    metadata: placeOf(configMap.metadata),
    data: Object.fromEntries(digests) as Record<string, string>,
  };
}

/** And whose copy it is, where it is one of ours. */
function placeOf(metadata: Stored<ConfigMap>['metadata']): Stored<ConfigMap>['metadata'] {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const { labels, ownerReferences } = metadata;
  const kept = [LABELS.pool, MANAGED_BY].flatMap((label) => {
    const value = labels?.[label];
    return value === undefined ? [] : [[label, value] as const];
  });
  return {
    ...{ name, uid, resourceVersion, creationTimestamp },
    ...(namespace === undefined ? {} : { namespace }),
    ...(kept.length === 0 ? {} : { labels: Object.fromEntries(kept) }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
  };
}
