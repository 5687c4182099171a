/**
 * A cluster that KUBECONFIG names and that is not one of ours: its machines are not broken and its API server keeps no log for us. The
 * images must be there under their names; what the tests install and delete must not be there yet.
 */
import { until } from '../e2e/until.ts';
import { Kubectl } from './control/kubectl.ts';
import { IMAGES, PUBLIC_NAMES } from './images/images.ts';
import type { Tools } from './tools/tools.ts';

/** For the tests: where it is, and the programs to reach it with. */
export const FOREIGN_CLUSTER = 'AGENTPOOL_FOREIGN_CLUSTER';

export interface ForeignCluster {
  readonly kubeconfig: string;
  readonly tools: Tools;
}

const NAMESPACE = 'agentpool-test-images';
const IMAGES_WITHIN_MS = 180_000;

/** Rejects with what is to be done first. */
export async function checkForeign({ kubeconfig, tools }: ForeignCluster): Promise<void> {
  const kubectl = new Kubectl(tools.kubectl, kubeconfig);
  await checkEmpty(kubectl);
  await checkImages(kubectl);
}

async function checkEmpty(kubectl: Kubectl): Promise<void> {
  const found = [
    await kubectl.find('crd', 'agentpools.agentpool.dev'),
    await kubectl.find('namespace', 'agentpool'),
  ].find((one) => one !== undefined);
  if (found !== undefined)
    throw new Error(
      `The cluster of KUBECONFIG has ${found.kind} ${found.metadata.name} already: these tests install AgentPool, and delete it with all pools. Take another cluster.`,
    );
}

/** One pod on each node that runs something of each image. */
async function checkImages(kubectl: Kubectl): Promise<void> {
  const labels = { app: NAMESPACE };
  const metadata = { name: NAMESPACE, namespace: NAMESPACE };
  const withNode = [IMAGES.agentpool, IMAGES.agent, IMAGES.agentUpdate, IMAGES.client];
  const command = (image: string): readonly string[] =>
    /redis/.test(image) ? ['redis-server', '--version'] : ['node', '--version'];
  const names = [...withNode, ...PUBLIC_NAMES.map(([, name]) => name)];
  const once = names.map((image, index) => ({
    ...{ name: `image-${index}`, image, imagePullPolicy: 'IfNotPresent', command: command(image) },
  }));
  const last = { name: 'there', image: IMAGES.base, command: ['sleep', '600'] };
  const spec = { terminationGracePeriodSeconds: 0, initContainers: once, containers: [last] };
  await kubectl.apply([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata,
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    },
  ]);
  try {
    await until('all images are there', () => areThere(kubectl), IMAGES_WITHIN_MS);
  } catch (cause) {
    const missing = await missingImages(kubectl);
    throw new Error(
      `These images are not on all nodes of KUBECONFIG's cluster: ${missing.join(', ')}. Bring them there first, as with \`kind load image-archive "$(npm run --silent cluster:images)"\`.`,
      { cause },
    );
  } finally {
    await kubectl.run(['delete', 'namespace', NAMESPACE, '--timeout=60s']);
  }
}

async function areThere(kubectl: Kubectl): Promise<boolean> {
  const { status } = await kubectl.get('daemonset', NAMESPACE, NAMESPACE);
  const { desiredNumberScheduled: wanted = 0, numberReady = 0 } = status as {
    readonly desiredNumberScheduled?: number;
    readonly numberReady?: number;
  };
  return wanted > 0 && numberReady === wanted;
}

interface ContainerStatus {
  readonly image: string;
  readonly ready: boolean;
  readonly state?: { readonly waiting?: { readonly reason?: string } };
}

async function missingImages(kubectl: Kubectl): Promise<readonly string[]> {
  const pods = await kubectl.list('pods', NAMESPACE);
  const waiting = pods.flatMap(({ status }) => {
    const { initContainerStatuses = [], containerStatuses = [] } = status as Readonly<
      Record<string, readonly ContainerStatus[]>
    >;
    return [...initContainerStatuses, ...containerStatuses]
      .filter(({ state }) => /Image/.test(state?.waiting?.reason ?? ''))
      .map(({ image, state }) => `${image} (${state?.waiting?.reason ?? ''})`);
  });
  return [...new Set(waiting)];
}
