/** Where the API server is, by the environment: in a pod what the kubelet says, else KUBECONFIG or the user's own file. */
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { hostAndPort } from '../../platform/host-and-port.ts';
import type { ClusterLocation } from '../../platform/kube/cluster-access.ts';
import type { Terminal } from '../terminal.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

export function clusterLocation(environment: Terminal['environment']): ClusterLocation {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = environment;
  const { KUBECONFIG: files = '' } = environment;
  if (files === '' && host !== undefined) {
    const server = `https://${hostAndPort(host, port)}`;
    return { type: 'in-cluster', server, folder: SERVICE_ACCOUNT };
  }
  const given = files.split(delimiter).filter((file) => file !== '');
  return {
    type: 'kubeconfig',
    files: given.length > 0 ? given : [join(homedir(), '.kube', 'config')],
  };
}
