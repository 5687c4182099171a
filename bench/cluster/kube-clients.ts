/** The API server as a benchmark asks it: as its administrator, by the product's own client, and counting what appears. */
import { systemClock } from '../../platform/clock.ts';
import { openCluster } from '../../platform/kube/cluster-access.ts';
import { HttpKube } from '../../platform/kube/http-kube.ts';
import type { Kube, Stored } from '../../platform/kube/kube.ts';
import { type Pod, PODS } from '../../platform/kube/resources.ts';

const AT_ONCE = 16;
const WATCH_SECONDS = 600;

export async function adminKube(kubeconfig: string): Promise<Kube> {
  const access = await openCluster({ type: 'kubeconfig', files: [kubeconfig] }, systemClock);
  const options = { access, clock: systemClock, fieldManager: 'bench', connectionsMax: AT_ONCE };
  return new HttpKube(options);
}

/** Runs all, a few at once. */
export async function eachAtOnce(count: number, act: (index: number) => unknown): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await act(index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Time from the call of `act` until `count` pods of the selection have appeared: of each, in order. */
export async function timePods(
  kube: Kube,
  labelSelector: string,
  count: number,
  act: () => Promise<unknown>,
): Promise<readonly number[]> {
  const selection = { namespace: 'default', labelSelector };
  const { resourceVersion } = await kube.list(PODS, selection, { limit: 1 });
  const watching = new AbortController();
  const events = kube.watch<Pod>(PODS, selection, {
    resourceVersion,
    timeoutSeconds: WATCH_SECONDS,
    signal: watching.signal,
  });
  const appeared: number[] = [];
  const startedMs = performance.now();
  const acted = act();
  for await (const { type } of events) {
    if (type === 'ADDED') appeared.push(performance.now() - startedMs);
    if (appeared.length === count) break;
  }
  await acted;
  watching.abort();
  return appeared;
}

/** A ReplicaSet would make of it what the operator has made. */
export function templateOf(pod: Stored<Pod>, labels: Readonly<Record<string, string>>): object {
  const { nodeName: _, tolerations: __, ...spec } = pod.spec ?? {};
  return { metadata: { labels }, spec };
}
