/** What a pool has in the cluster besides its pods: its Secret, budgets for disruptions and a network policy. Pure: says what they should be. */
import { LABELS, type Role } from '../../../api/names.ts';
import type {
  NetworkPolicy,
  PodDisruptionBudget,
  Secret,
} from '../../../platform/kube/resources.ts';
import {
  ownerReference,
  type PoolOwner,
  POOL_SECRET_SUFFIX,
  PORTS,
  tenantsSuffix,
} from './pod-of.ts';
import { MANAGED } from './own-pod.ts';

function metadataOf(owner: PoolOwner, suffix: string) {
  return {
    name: `${owner.name}${suffix}`,
    namespace: owner.namespace,
    labels: { ...MANAGED, [LABELS.pool]: owner.name },
    ownerReferences: [ownerReference(owner)],
  };
}

/** @param files text by the name under which a runtime finds it in its folder. */
export function runtimeSecret(owner: PoolOwner, files: Readonly<Record<string, string>>): Secret {
  const data = Object.entries(files).map(([name, text]) => [
    name,
    Buffer.from(text).toString('base64'),
  ]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: metadataOf(owner, POOL_SECRET_SUFFIX),
    type: 'Opaque',
    data: Object.fromEntries(data) as Record<string, string>,
  };
}

/** @param data base64 by the names of files. */
export function tenantsSecret(
  owner: PoolOwner,
  shard: number,
  data: Readonly<Record<string, string>>,
): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: metadataOf(owner, tenantsSuffix(shard)),
    type: 'Opaque',
    ...(Object.keys(data).length === 0 ? {} : { data }),
  };
}

export function textOf(secret: Pick<Secret, 'data'> | undefined, name: string): string | undefined {
  const base64 = secret?.data?.[name];
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}

/**
 * An integer, as percentages and maxUnavailable only work for pods that a Deployment or the like has made.
 *
 * @param wanted runtimes of the role that should be there.
 */
export function disruptionBudget(
  owner: PoolOwner,
  role: Role,
  wanted: number,
  maxUnavailable: number,
): PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadataOf(owner, `-${role}`),
    spec: {
      minAvailable: Math.max(0, wanted - maxUnavailable),
      selector: { matchLabels: { [LABELS.pool]: owner.name, [LABELS.role]: role } },
      // A pod that is not ready protects nobody's work: it must not hold a drain of its node up.
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  };
}

export const NETWORK_POLICY_SUFFIX = '-runtimes';

/** Lets gateways, the operator and runtimes of the pool in; leaves the way out open, as agents call models and tools. */
export function networkPolicy(owner: PoolOwner, releaseNamespace: string): NetworkPolicy {
  const own = { matchLabels: { [LABELS.pool]: owner.name } };
  const ours = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': releaseNamespace } },
    podSelector: {
      // Not the name, which nameOverride changes.
      matchLabels: { 'app.kubernetes.io/part-of': 'agentpool' },
      matchExpressions: [
        { key: 'app.kubernetes.io/component', operator: 'In', values: ['gateway', 'operator'] },
      ],
    },
  };
  const tcp = (port: number) => ({ port, protocol: 'TCP' });
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadataOf(owner, NETWORK_POLICY_SUFFIX),
    spec: {
      podSelector: own,
      policyTypes: ['Ingress'],
      ingress: [
        { from: [ours, { podSelector: own }], ports: [tcp(PORTS.link)] },
        // Health and counters, no more: whoever may reach pods at all may ask for them.
        { ports: [tcp(PORTS.probes), tcp(PORTS.metrics)] },
      ],
    },
  };
}
