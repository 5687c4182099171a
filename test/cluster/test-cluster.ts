/** What a test of the jest project `cluster` begins with: the cluster, and a namespace of its own. */
import { Cluster } from './cluster.ts';
import type { Kubectl } from './control/kubectl.ts';
import { CLUSTER_FOLDER } from './global-setup.ts';

/** Fails where KUBECONFIG names a cluster that is not ours: its machines cannot be broken, its API server keeps no log for us. */
export function testCluster(): Cluster {
  const folder = process.env[CLUSTER_FOLDER];
  if (folder !== undefined) return new Cluster(folder);
  throw new Error(
    'These tests break their cluster: unset KUBECONFIG, or set it to that of `npm run cluster:up`.',
  );
}

export interface TestNamespace {
  readonly name: string;
  /** Resolves when everything in it is gone. */
  remove(): Promise<void>;
}

const REMOVED_WITHIN_MS = 120_000;

export async function createNamespace(kubectl: Kubectl, prefix: string): Promise<TestNamespace> {
  const metadata = { generateName: `${prefix}-` };
  const manifest = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata });
  const created = await kubectl.run(['create', '-f', '-', '-o', 'name'], { input: manifest });
  const name = created.trim().replace('namespace/', '');
  await kubectl.until(
    `${name} has its service account`,
    ['serviceaccount', 'default', name],
    () => true,
  );
  return {
    name,
    async remove() {
      await kubectl.run(['delete', 'namespace', name, '--wait=false']);
      await kubectl.untilGone('namespace', name, name, REMOVED_WITHIN_MS);
    },
  };
}
