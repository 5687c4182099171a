/** After the API server was away: kubelets, proxies and DNS ask it again only when their pauses are over. */
import type { Cluster } from '../cluster.ts';
import { createNamespace } from '../test-cluster.ts';
import { askFrom, isReady, serverPod, service, untilAnswer } from '../test-pods.ts';

const WITHIN_MS = 240_000;

/** Resolves when a new pod of each node is reached from each other by the name of its Service. */
export async function untilCaughtUp({ kubectl, nodes }: Cluster): Promise<void> {
  const home = await createNamespace(kubectl, 'caught-up');
  const namespace = home.name;
  const names = nodes.map(({ name }) => name);
  const pods = names.map((node) => serverPod({ name: `on-${node}`, namespace, node }));
  await kubectl.apply([...pods, ...names.map((node) => service(`on-${node}`, namespace))]);
  const reach = async (from: string, to: string): Promise<void> => {
    const url = `http://on-${to}.${namespace}.svc.cluster.local`;
    const question = (): Promise<string> => askFrom(kubectl, [namespace, `on-${from}`], url);
    await untilAnswer(`${to} is reached from ${from}`, question, `on-${to}`, WITHIN_MS);
  };
  const untilReady = (node: string): Promise<unknown> =>
    kubectl.until(`a pod of ${node}`, ['pod', `on-${node}`, namespace], isReady, WITHIN_MS);
  await Promise.all(names.map(untilReady));
  await Promise.all(
    names.flatMap((from) => names.filter((to) => to !== from).map((to) => reach(from, to))),
  );
  await home.remove();
}
