/** The kinds of the Kubernetes API that the product asks for, with the types of their JSON. Nothing else is ever asked for. */
import type { V1ConfigMap } from '@kubernetes/client-node/dist/gen/models/V1ConfigMap.js';
import type { V1Lease } from '@kubernetes/client-node/dist/gen/models/V1Lease.js';
import type { V1NetworkPolicy } from '@kubernetes/client-node/dist/gen/models/V1NetworkPolicy.js';
import type { V1Node } from '@kubernetes/client-node/dist/gen/models/V1Node.js';
import type { V1ObjectMeta } from '@kubernetes/client-node/dist/gen/models/V1ObjectMeta.js';
import type { V1Pod } from '@kubernetes/client-node/dist/gen/models/V1Pod.js';
import type { V1PodDisruptionBudget } from '@kubernetes/client-node/dist/gen/models/V1PodDisruptionBudget.js';
import type { V1Secret } from '@kubernetes/client-node/dist/gen/models/V1Secret.js';
import type { V1TokenReview } from '@kubernetes/client-node/dist/gen/models/V1TokenReview.js';
import type { CoreV1Event } from '@kubernetes/client-node/dist/gen/models/CoreV1Event.js';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import type { Wire } from './wire.ts';

export type ObjectMeta = Wire<V1ObjectMeta>;

/** What every object of the API has. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
}

export type Pod = Wire<V1Pod>;
export type Secret = Wire<V1Secret>;
export type ConfigMap = Wire<V1ConfigMap>;
export type PodDisruptionBudget = Wire<V1PodDisruptionBudget>;
export type NetworkPolicy = Wire<V1NetworkPolicy>;
export type Lease = Wire<V1Lease>;
export type KubeEvent = Wire<CoreV1Event>;
export type Node = Wire<V1Node>;
export type TokenReview = Wire<V1TokenReview>;

/** As the API server holds it: `spec` has passed the schema of the CRD that is installed, which may be another version's. Parse it. */
export interface AgentPoolObject extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** A kind and where the API server has it. `T` is the type of its objects' JSON. */
export interface Resource<T extends KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** As in the URL: `pods`. */
  readonly plural: string;
  readonly scope: 'Namespaced' | 'Cluster';
  /** Never there: carries the type. */
  readonly type?: T;
}

function resource<T extends KubeObject>(
  apiVersion: string,
  kind: string,
  plural: string,
  scope: Resource<T>['scope'] = 'Namespaced',
): Resource<T> {
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  return { group, version, kind, plural, scope };
}

export const AGENT_POOLS = resource<AgentPoolObject>(API_VERSION, KIND, 'agentpools');
export const PODS = resource<Pod>('v1', 'Pod', 'pods');
export const SECRETS = resource<Secret>('v1', 'Secret', 'secrets');
export const CONFIG_MAPS = resource<ConfigMap>('v1', 'ConfigMap', 'configmaps');
export const POD_DISRUPTION_BUDGETS = resource<PodDisruptionBudget>(
  'policy/v1',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
);
export const NETWORK_POLICIES = resource<NetworkPolicy>(
  'networking.k8s.io/v1',
  'NetworkPolicy',
  'networkpolicies',
);
export const LEASES = resource<Lease>('coordination.k8s.io/v1', 'Lease', 'leases');
/** Not events.k8s.io: what has no `lastTimestamp` stands in no order in `kubectl describe`. */
export const EVENTS = resource<KubeEvent>('v1', 'Event', 'events');
export const NODES = resource<Node>('v1', 'Node', 'nodes', 'Cluster');
/** Only `create` exists; the answer is in its status. */
export const TOKEN_REVIEWS = resource<TokenReview>(
  'authentication.k8s.io/v1',
  'TokenReview',
  'tokenreviews',
  'Cluster',
);

export function apiVersionOf({ group, version }: Resource<KubeObject>): string {
  return group === '' ? version : `${group}/${version}`;
}
