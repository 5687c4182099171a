/** The API server as a port: what the product asks of Kubernetes, in few words. Adapters and the fake pass test/conformance/kube.ts. */
import type { KubeObject, ObjectMeta, Resource } from './resources.ts';

/** Where an object is; `namespace` is empty for objects of the cluster. */
export interface ObjectRef {
  readonly namespace: string;
  readonly name: string;
}

/** An object as the API server has it: with the metadata that it gives to each, apiVersion and kind included (also in lists). */
export type Stored<T extends KubeObject> = Omit<T, 'metadata' | 'apiVersion' | 'kind'> & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta & {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
  };
};

export interface CallOptions {
  /** Ends the wait. A write that was sent already ends as OutcomeUnknown, all else with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Selection {
  /** Empty: all namespaces. */
  readonly namespace: string;
  /** `agentpool.dev/pool=a,agentpool.dev/role in (shared)`. */
  readonly labelSelector?: string;
  /** `spec.nodeName=n`: only what the kind supports. */
  readonly fieldSelector?: string;
}

export interface ListOptions extends CallOptions {
  /** Objects per answer; the rest is asked for with `continueFrom`. */
  readonly limit?: number;
  readonly continueFrom?: string;
}

export interface ObjectPage<T extends KubeObject> {
  readonly items: readonly Stored<T>[];
  /** Where a watch goes on from. */
  readonly resourceVersion: string;
  /** There is more: the next page's `continueFrom`. */
  readonly continueFrom: string | undefined;
}

export interface WatchOptions extends CallOptions {
  /** Of a list or an earlier event: the events after it come. */
  readonly resourceVersion: string;
  /** The API server ends the watch after so long. */
  readonly timeoutSeconds: number;
}

export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: Stored<T> }
  /** Nothing happened up to here: a sign of life, and where to resume. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface Preconditions {
  /** Only this incarnation of the name. */
  readonly uid?: string;
  /** Only if nobody wrote since. */
  readonly resourceVersion?: string;
}

export interface ApplyOptions extends CallOptions {
  /** Takes fields over from other field managers (default); false: Conflict where they differ. */
  readonly force?: boolean;
}

export interface PatchOptions extends CallOptions, Preconditions {
  readonly subresource?: 'status';
}

export interface DeleteOptions extends CallOptions, Preconditions {
  /** Pods: time for SIGTERM; default is the pod's own. 0 (force) is not offered: two of one name could run. */
  readonly gracePeriodSeconds?: number;
}

/** RFC 7386: null removes a field, a list replaces a list. */
export type MergePatch = Readonly<Record<string, unknown>>;

export interface KubeReader {
  /** @throws {KubeError} NotFound */
  get<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options?: CallOptions,
  ): Promise<Stored<T>>;
  /** As new as the last finished write (a consistent read). @throws {KubeError} Expired when `continueFrom` is too old. */
  list<T extends KubeObject>(
    resource: Resource<T>,
    selection: Selection,
    options?: ListOptions,
  ): Promise<ObjectPage<T>>;
  /**
   * Events in order until the server's time-out, which ends the iteration; bookmarks among them about once a minute.
   * @throws {KubeError} Expired when the resourceVersion is too old: list again. Unavailable when the connection is lost.
   */
  watch<T extends KubeObject>(
    resource: Resource<T>,
    selection: Selection,
    options: WatchOptions,
  ): AsyncIterable<WatchEvent<T>>;
}

/** Every write can throw Conflict, Forbidden, Invalid, TooManyRequests, Unavailable, OutcomeUnknown … (kube-error.ts). None is ever sent twice by itself. */
export interface KubeWriter {
  /** @throws {KubeError} AlreadyExists; QuotaExceeded; Forbidden (also: the namespace is being deleted). */
  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: CallOptions,
  ): Promise<Stored<T>>;
  /** The same for those who need nothing of the answer: less of it is made and sent, and none of it is read. */
  createUnread<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: CallOptions,
  ): Promise<void>;
  /**
   * Server-side apply under the one field manager of this client: creates or changes; what this manager applied before and leaves
   * out now is removed; other managers' fields stay. Nothing is written when nothing differs. With metadata.uid it never creates.
   */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: ApplyOptions,
  ): Promise<Stored<T>>;
  /** The same for the status, and only for it. @throws {KubeError} NotFound: it never creates. */
  applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: ApplyOptions,
  ): Promise<Stored<T>>;
  /** @throws {KubeError} NotFound, Conflict (preconditions). */
  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: MergePatch,
    options?: PatchOptions,
  ): Promise<Stored<T>>;
  /** Accepted, not done: finalisers and grace may hold it. Dependents go in the background. @throws {KubeError} NotFound, Conflict (preconditions). */
  delete(resource: Resource<KubeObject>, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
}

export interface Kube extends KubeReader, KubeWriter {}

export function refOf({ metadata }: KubeObject): ObjectRef {
  return { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' };
}

/** `namespace/name`, the key of queues and caches. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = refOf(object);
  return `${namespace}/${name}`;
}
