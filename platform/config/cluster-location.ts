/** Which Kubernetes this process belongs to, by environment and files: as kubectl and every controller look for it. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { ClusterLocation } from '../kube/cluster-access.ts';
import type { Variables } from './environment.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** KUBECONFIG, which somebody set on purpose; else the pod's service account; else ~/.kube/config; else undefined. */
export function locateCluster(
  variables: Variables,
  homeFolder: string,
): ClusterLocation | undefined {
  const files = (variables['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  if (files.length > 0) return { type: 'kubeconfig', files };
  const host = variables['KUBERNETES_SERVICE_HOST'];
  if (host !== undefined && existsSync(join(SERVICE_ACCOUNT, 'token'))) {
    const port = variables['KUBERNETES_SERVICE_PORT'] ?? '443';
    const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
    return { type: 'in-cluster', server, folder: SERVICE_ACCOUNT };
  }
  const file = join(homeFolder, '.kube', 'config');
  return existsSync(file) ? { type: 'kubeconfig', files: [file] } : undefined;
}
