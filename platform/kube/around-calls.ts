/** A Kube whose calls all go through one function: how bounds, fences and measures are put around a client. Watches pass through. */
import type { Kube } from './kube.ts';
import type { KubeObject, Resource } from './resources.ts';

export interface KubeCall {
  readonly verb: 'get' | 'list' | 'create' | 'apply' | 'applyStatus' | 'patch' | 'delete';
  /** As in the URL: `pods`. */
  readonly kind: string;
  readonly isWrite: boolean;
  readonly signal: AbortSignal | undefined;
}

export type Around = <R>(call: KubeCall, send: () => Promise<R>) => Promise<R>;

export function aroundCalls(kube: Kube, around: Around): Kube {
  const call = (
    verb: KubeCall['verb'],
    resource: Resource<KubeObject>,
    options: { readonly signal?: AbortSignal } = {},
  ): KubeCall => ({
    verb,
    kind: resource.plural,
    isWrite: verb !== 'get' && verb !== 'list',
    signal: options.signal,
  });
  return {
    get: (resource, ref, options) =>
      around(call('get', resource, options), () => kube.get(resource, ref, options)),
    list: (resource, selection, options) =>
      around(call('list', resource, options), () => kube.list(resource, selection, options)),
    watch: (resource, selection, options) => kube.watch(resource, selection, options),
    create: (resource, object, options) =>
      around(call('create', resource, options), () => kube.create(resource, object, options)),
    createUnread: (resource, object, options) =>
      around(call('create', resource, options), () => kube.createUnread(resource, object, options)),
    apply: (resource, object, options) =>
      around(call('apply', resource, options), () => kube.apply(resource, object, options)),
    applyStatus: (resource, object, options) =>
      around(call('applyStatus', resource, options), () =>
        kube.applyStatus(resource, object, options),
      ),
    patch: (resource, ref, patch, options) =>
      around(call('patch', resource, options), () => kube.patch(resource, ref, patch, options)),
    delete: (resource, ref, options) =>
      around(call('delete', resource, options), () => kube.delete(resource, ref, options)),
  };
}
