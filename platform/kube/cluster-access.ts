/** Where the API server is and with which credentials: inside a cluster from the service account's files, else from a kubeconfig. */
import type { Clock } from '../clock.ts';
import type { ClusterAccess } from './credentials.ts';
import { InClusterAccess, type InClusterLocation } from './in-cluster-access.ts';
import { openKubeconfig } from './kubeconfig-access.ts';

export type ClusterLocation =
  | InClusterLocation
  /** Merged in this order, as kubectl does. */
  | { readonly type: 'kubeconfig'; readonly files: readonly string[] };

/** @throws where the files are missing or say nothing of use. */
export async function openCluster(location: ClusterLocation, clock: Clock): Promise<ClusterAccess> {
  if (location.type === 'in-cluster') return new InClusterAccess(location, clock);
  return openKubeconfig(location.files);
}
