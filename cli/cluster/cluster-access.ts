/** Who may call a gateway in a cluster: tokens of a file, and tokens that Kubernetes knows. */
import type { Access } from '../../gateway/access/access.ts';
import type { Log } from '../../platform/log.ts';
import { accessFor } from '../standalone/access-for.ts';

export interface ClusterAccessOptions {
  readonly tokens?: string;
  readonly tokenReview?: string;
}

export async function clusterAccess({ tokens }: ClusterAccessOptions, log: Log): Promise<Access> {
  return accessFor(tokens, log);
}
