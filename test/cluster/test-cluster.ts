/** What a test of the jest project `cluster` begins with: the cluster, and a namespace of its own. */
import { it } from '@jest/globals';
import { Cluster, runHelm } from './cluster.ts';
import { Kubectl } from './control/kubectl.ts';
import { FOREIGN_CLUSTER, type ForeignCluster } from './foreign.ts';
import { CLUSTER_FOLDER } from './global-setup.ts';

/** Fails where KUBECONFIG names a cluster that is not ours: its machines cannot be broken, its API server keeps no log for us. */
export function testCluster(): Cluster {
  const folder = process.env[CLUSTER_FOLDER];
  if (folder !== undefined) return new Cluster(folder);
  throw new Error(
    'These tests break their cluster: unset KUBECONFIG, or set it to that of `npm run cluster:up`.',
  );
}

/** What tests need that break no machine. */
export interface AnyCluster extends Pick<Cluster, 'kubectl' | 'kubeconfig' | 'tools' | 'helm'> {
  /** Undefined where KUBECONFIG names a cluster that is not ours. */
  readonly own: Cluster | undefined;
}

export function anyCluster(): AnyCluster {
  const foreign = process.env[FOREIGN_CLUSTER];
  if (foreign !== undefined) return reach(JSON.parse(foreign) as ForeignCluster);
  return testCluster();
}

function reach({ kubeconfig, tools }: ForeignCluster): AnyCluster {
  return {
    own: undefined,
    ...{ kubeconfig, tools, kubectl: new Kubectl(tools.kubectl, kubeconfig) },
    helm: (args, options) => runHelm(tools.helm, kubeconfig, args, options),
  };
}

/** For tests that need more of their cluster than others have. Elsewhere their names are told: nothing is left out in silence. */
export const itWith = (
  own: Cluster | undefined,
  name: string,
  test: (own: Cluster) => void | Promise<void>,
  withinMs?: number,
): void => {
  if (own !== undefined) it(name, () => test(own), withinMs);
  else process.stderr.write(`left out, as this cluster is not ours: ${name}\n`);
};

export interface TestNamespace {
  readonly name: string;
  /** Resolves when everything in it is gone. */
  remove(): Promise<void>;
}

const REMOVED_WITHIN_MS = 120_000;

export async function createNamespace(
  kubectl: Kubectl,
  prefix: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<TestNamespace> {
  const metadata = { generateName: `${prefix}-`, labels };
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
