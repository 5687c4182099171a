/** What a test of the jest project `cluster` begins with: the cluster, and a namespace of its own. */
import { Cluster } from './cluster.ts';
import { Kubectl } from './control/kubectl.ts';
import { CLUSTER_FOLDER } from './global-setup.ts';

/** The cluster with its machines, for tests that break things; fails where KUBECONFIG names a cluster that is not ours. */
export function testCluster(): Cluster {
  const folder = process.env[CLUSTER_FOLDER];
  if (folder !== undefined) return new Cluster(folder);
  throw new Error('This test breaks its cluster, so it needs one of its own: unset KUBECONFIG.');
}

/** For tests that only need some Kubernetes. */
export function testKubectl(): Kubectl {
  if (process.env[CLUSTER_FOLDER] !== undefined) return testCluster().kubectl;
  return new Kubectl('kubectl', process.env['KUBECONFIG'] ?? '');
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
