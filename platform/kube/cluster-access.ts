/** Where the API server is and with which credentials: inside a cluster from the service account's files, else from a kubeconfig. */
import type { Clock } from '../clock.ts';
import { InClusterAccess } from './in-cluster-access.ts';
import { openKubeconfig } from './kubeconfig-access.ts';

export type ClusterLocation =
  | {
      readonly type: 'in-cluster';
      /** `https://10.96.0.1:443`. */
      readonly server: string;
      /** Holds `token` and `ca.crt`, which the kubelet renews. */
      readonly folder: string;
    }
  /** Merged in this order, as kubectl does. */
  | { readonly type: 'kubeconfig'; readonly files: readonly string[] };

export interface TlsIdentity {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  /** The kubeconfig says insecure-skip-tls-verify. */
  readonly isUnverified?: boolean;
}

export interface Credentials {
  /** Authorization, or nothing where the client certificate says who calls. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsIdentity;
}

export interface ClusterAccess {
  readonly server: URL;
  /** As fresh as the files; cheap to ask before each request. @throws where a credential plugin fails. */
  credentials(): Promise<Credentials>;
  /** The API server did not take them (401): the next ones are read anew. */
  refresh(): void;
}

/** @throws where the files are missing or say nothing of use. */
export async function openCluster(location: ClusterLocation, clock: Clock): Promise<ClusterAccess> {
  if (location.type === 'in-cluster') return new InClusterAccess(location, clock);
  return openKubeconfig(location.files);
}
