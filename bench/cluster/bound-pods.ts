/** When a project's pod is bound, told by a watch: who asks the gateway again and again until then takes the cores that it measures. */
import { bindingOfPod } from '../../operator/drivers/kubernetes/own-pod.ts';
import type { Kube, WatchEvent } from '../../platform/kube/kube.ts';
import { type Pod, PODS } from '../../platform/kube/resources.ts';

const WATCH_SECONDS = 1_800;

export class BoundPods {
  readonly #projects = new Map<string, PromiseWithResolvers<undefined>>();
  readonly #watching = new AbortController();

  static async watch(kube: Kube, labelSelector: string): Promise<BoundPods> {
    const selection = { namespace: 'default', labelSelector };
    const { resourceVersion } = await kube.list(PODS, selection, { limit: 1 });
    const bound = new BoundPods();
    const { signal } = bound.#watching;
    const options = { resourceVersion, timeoutSeconds: WATCH_SECONDS, signal };
    void bound.#follow(kube.watch<Pod>(PODS, selection, options));
    return bound;
  }

  /** @param project its key, bound at any time since the watch began. Rejects when the watch ends before. */
  until(project: string): Promise<unknown> {
    return this.#of(project).promise;
  }

  end(): void {
    this.#watching.abort();
  }

  #of(project: string): PromiseWithResolvers<undefined> {
    const known = this.#projects.get(project) ?? Promise.withResolvers<undefined>();
    this.#projects.set(project, known);
    return known;
  }

  async #follow(events: AsyncIterable<WatchEvent<Pod>>): Promise<void> {
    let ended: unknown = new Error('the watch of the pods has ended');
    try {
      for await (const event of events) {
        const project = event.type === 'BOOKMARK' ? undefined : bindingOfPod(event.object);
        if (project !== undefined) this.#of(project).resolve(undefined);
      }
    } catch (error) {
      ended = error;
    }
    for (const { promise, reject } of this.#projects.values()) {
      promise.catch(() => undefined);
      reject(ended);
    }
  }
}
