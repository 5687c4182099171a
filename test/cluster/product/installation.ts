/** The product in the test's cluster: one release with small resources, Redis on the first node and without a volume; who leads, and who may call. */
import type { KubeObject } from '../control/kubectl.ts';
import { REPOSITORY } from '../images/base-image.ts';
import type { AnyCluster } from '../test-cluster.ts';
import { ServiceForward } from './service-forward.ts';

/** The API server's log is of this namespace. */
export const RELEASE = 'agentpool';
/** Redis is here, and the way to Services: the other one may be lost. */
export const STEADY_NODE = 'node-1';
export const OTHER_NODE = 'node-2';

const valuesOf = ({ own }: AnyCluster): object => ({
  redis: {
    bundled: {
      persistence: { enabled: false },
      resources: { requests: { cpu: '50m' } },
      ...(own === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': STEADY_NODE } }),
    },
  },
  gateway: { resources: { requests: { cpu: '50m' } }, leaveSeconds: 2 },
  operator: { resources: { requests: { cpu: '20m' } } },
});

export interface Installation {
  /** Of the gateways' Service, HTTP without TLS: its host and port are reached from here. */
  readonly url: string;
  /** The chart's, empty where the tokens are in a Secret of the test's own. */
  readonly token: string;
  /** Name of the operator's pod that holds the Lease. */
  leader(): Promise<string>;
  /** All pods of `operator`, `gateway` or `redis`. */
  podsOf(component: string): Promise<readonly KubeObject[]>;
  /** Of the chart alone: pools stay, with their pods, and so does Redis' volume. */
  uninstall(): Promise<void>;
  /** Of everything, pools as well. */
  remove(): Promise<void>;
}

/** Labels of a namespace where pods that may do more than they need are refused. */
export const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' } as const;

const restrictedNamespace = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: RESTRICTED },
});

/** @param more values of the chart beside those that make it small. */
export async function install(cluster: AnyCluster, more: object = {}): Promise<Installation> {
  const { kubectl } = cluster;
  await kubectl.apply([restrictedNamespace(RELEASE)]);
  const flags = ['-n', RELEASE, '--wait', '--values', '-'];
  await cluster.helm(['install', RELEASE, `${REPOSITORY}/charts/agentpool`, ...flags], {
    input: JSON.stringify({ ...valuesOf(cluster), ...more }),
  });
  const { spec } = await kubectl.get('service', 'agentpool-gateway', RELEASE);
  const secret = await kubectl.find('secret', 'agentpool-tokens', RELEASE);
  const { 'admin-token': token = '' } = (secret?.['data'] ?? {}) as Readonly<
    Record<string, string>
  >;
  const { clusterIP } = spec as { readonly clusterIP: string };
  const forward =
    cluster.own === undefined
      ? await ServiceForward.open(kubectl, [RELEASE, 'agentpool-gateway', 8080])
      : undefined;
  return {
    url: forward === undefined ? `http://${clusterIP}:8080` : `http://127.0.0.1:${forward.port}`,
    token: Buffer.from(token, 'base64').toString(),
    async leader() {
      const { spec: lease } = await kubectl.get('lease', 'agentpool-operator', RELEASE);
      const { holderIdentity } = lease as { readonly holderIdentity: string };
      return holderIdentity.split('_')[0] ?? '';
    },
    podsOf: (component) =>
      kubectl.list('pods', RELEASE, `app.kubernetes.io/component=${component}`),
    async uninstall() {
      forward?.close();
      await cluster.helm(['uninstall', RELEASE, '-n', RELEASE, '--wait']);
    },
    async remove() {
      forward?.close();
      const all = ['agentpool', '--all', '--all-namespaces', '--timeout=60s'];
      await kubectl.attempt(['delete', ...all], { withinMs: 90_000 });
      await cluster.helm(['uninstall', RELEASE, '-n', RELEASE, '--ignore-not-found', '--wait']);
      await kubectl.attempt(['delete', 'crd', 'agentpools.agentpool.dev', '--timeout=60s']);
      await kubectl.run(['delete', 'namespace', RELEASE, '--ignore-not-found', '--wait=false']);
      await kubectl.untilGone('namespace', RELEASE, RELEASE, 120_000);
    },
  };
}
