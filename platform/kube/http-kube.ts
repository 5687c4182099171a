/** The port over HTTP: paths, content types and bodies of the Kubernetes API. Retries nothing, bounds nothing. */
import type { Clock } from '../clock.ts';
import type { ClusterAccess } from './credentials.ts';
import { isSuccess } from './http-answer.ts';
import { HttpTransport, type HttpCall } from './http-transport.ts';
import { linesOf } from './json-lines.ts';
import type {
  ApplyOptions,
  CallOptions,
  DeleteOptions,
  Kube,
  ListOptions,
  MergePatch,
  ObjectPage,
  ObjectRef,
  PatchOptions,
  Preconditions,
  Selection,
  Stored,
  WatchEvent,
  WatchOptions,
} from './kube.ts';
import { refOf } from './kube.ts';
import { apiVersionOf, type KubeObject, PODS, type Resource } from './resources.ts';
import { refusalError, watchError, type StatusBody } from './status-error.ts';

export interface HttpKubeOptions {
  readonly access: ClusterAccess;
  readonly clock: Clock;
  /** Owner of the fields that this client writes; also its name in the API server's log. */
  readonly fieldManager: string;
  /** Default 15 s. */
  readonly requestTimeoutMs?: number;
  /** Calls in flight; watches have connections of their own. Default 8. */
  readonly connectionsMax?: number;
  /** The fence of a leader, judged when a write leaves. Left out: it may write. */
  readonly mayWrite?: () => boolean;
}

interface ListBody<T extends KubeObject> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly T[] | null;
}

interface WatchLine<T extends KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: Stored<T> & StatusBody;
}

const APPLY = 'application/apply-patch+yaml';
const MERGE = 'application/merge-patch+json';
/** The least that the API server answers a write with; one that knows no such thing answers as ever. */
const METADATA_ONLY =
  'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';

export class HttpKube implements Kube {
  readonly #transport: HttpTransport;
  readonly #fieldManager: string;

  constructor({
    access,
    clock,
    fieldManager,
    requestTimeoutMs = 15_000,
    connectionsMax = 8,
    mayWrite,
  }: HttpKubeOptions) {
    this.#fieldManager = fieldManager;
    this.#transport = new HttpTransport({
      access,
      clock,
      userAgent: fieldManager,
      requestTimeoutMs,
      connectionsMax,
      ...(mayWrite === undefined ? {} : { mayWrite }),
    });
  }

  get<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: CallOptions = {},
  ): Promise<Stored<T>> {
    return this.#call({ method: 'GET', path: pathOf(resource, ref), signal: options.signal });
  }

  async list<T extends KubeObject>(
    resource: Resource<T>,
    selection: Selection,
    { limit, continueFrom, signal }: ListOptions = {},
  ): Promise<ObjectPage<T>> {
    const query = { ...selectors(selection), limit, continue: continueFrom };
    const path = pathOf(resource, { namespace: selection.namespace, name: '' }, query);
    const { metadata, items } = await this.#call<ListBody<T>>({ method: 'GET', path, signal });
    const apiVersion = apiVersionOf(resource);
    return {
      // Items of a list come without these two.
      items: (items ?? []).map(
        (item) => ({ ...item, apiVersion, kind: resource.kind }) as KubeObject as Stored<T>,
      ),
      resourceVersion: metadata.resourceVersion,
      continueFrom: (metadata.continue ?? '') === '' ? undefined : metadata.continue,
    };
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    selection: Selection,
    { resourceVersion, timeoutSeconds, signal }: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>> {
    const query = {
      ...selectors(selection),
      resourceVersion,
      timeoutSeconds,
      watch: true,
      allowWatchBookmarks: true,
    };
    const path = pathOf(resource, { namespace: selection.namespace, name: '' }, query);
    const opened = await this.#transport.stream({ method: 'GET', path, signal });
    if ('answer' in opened) throw refusalError({ ...opened.answer, isWrite: false });
    for await (const line of linesOf(opened.chunks))
      yield eventOf(JSON.parse(line) as WatchLine<T>);
  }

  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    { signal }: CallOptions = {},
  ): Promise<Stored<T>> {
    return this.#call(this.#creationOf(resource, object, signal));
  }

  async createUnread<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    { signal }: CallOptions = {},
  ): Promise<void> {
    const call = this.#creationOf(resource, object, signal);
    await this.#answerTo({ ...call, accept: METADATA_ONLY, isUnread: true });
  }

  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: ApplyOptions = {},
  ): Promise<Stored<T>> {
    return this.#apply(resource, object, '', options);
  }

  applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: ApplyOptions = {},
  ): Promise<Stored<T>> {
    const { name = '', namespace, uid } = object.metadata ?? {};
    const identity = {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
    };
    // With labels in it the status of a pod would change these too.
    const { status } = object as KubeObject & { readonly status?: unknown };
    return this.#apply(
      resource,
      { metadata: identity, status } as KubeObject as T,
      '/status',
      options,
    );
  }

  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: MergePatch,
    { uid, resourceVersion, subresource, signal }: PatchOptions = {},
  ): Promise<Stored<T>> {
    const suffix = subresource === undefined ? '' : `/${subresource}`;
    const path = pathOf(resource, ref, { fieldManager: this.#fieldManager }, suffix);
    const conditions = preconditionsOf({ uid, resourceVersion });
    const metadata = { ...(patch['metadata'] as MergePatch | undefined), ...conditions };
    const body = JSON.stringify(conditions === undefined ? patch : { ...patch, metadata });
    return this.#call({ method: 'PATCH', path, signal, body, contentType: MERGE });
  }

  async delete(
    resource: Resource<KubeObject>,
    ref: ObjectRef,
    { uid, resourceVersion, gracePeriodSeconds, signal }: DeleteOptions = {},
  ): Promise<void> {
    const body = JSON.stringify({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: 'Background',
      preconditions: preconditionsOf({ uid, resourceVersion }),
      gracePeriodSeconds,
    });
    await this.#call({ method: 'DELETE', path: pathOf(resource, ref), signal, body });
  }

  /** TLS connections that were opened so far: a few, whatever the number of requests. */
  get handshakes(): number {
    return this.#transport.handshakes;
  }

  /** Ends what is open. */
  close(): void {
    this.#transport.close();
  }

  #apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    suffix: string,
    { force = true, signal }: ApplyOptions,
  ): Promise<Stored<T>> {
    const query = { fieldManager: this.#fieldManager, force };
    const path = pathOf(resource, refOf(object), query, suffix);
    const body = bodyOf(resource, object);
    return this.#call({ method: 'PATCH', path, signal, body, contentType: APPLY });
  }

  #creationOf(resource: Resource<KubeObject>, object: KubeObject, signal?: AbortSignal): HttpCall {
    const { namespace } = refOf(object);
    const query = { fieldManager: this.#fieldManager, fieldValidation: validationOf(resource) };
    const path = pathOf(resource, { namespace, name: '' }, query);
    return { method: 'POST', path, signal, body: bodyOf(resource, object) };
  }

  async #call<R>(call: HttpCall): Promise<R> {
    return JSON.parse(await this.#answerTo(call)) as R;
  }

  /** @throws {KubeError} */
  async #answerTo(call: HttpCall): Promise<string> {
    const answer = await this.#transport.send(call);
    if (isSuccess(answer.status)) return answer.body;
    const { method, path } = call;
    throw refusalError({ ...answer, isWrite: method !== 'GET', call: `${method} ${path}` });
  }
}

/**
 * What users write goes into pods: a field that the API server does not know would vanish, be it the one that keeps agents in a sandbox. All
 * else is our own, and by default it would look twice at each field for warnings, which come as headers: nobody reads those.
 */
function validationOf({ group, plural }: Resource<KubeObject>): 'Strict' | 'Ignore' {
  return group === PODS.group && plural === PODS.plural ? 'Strict' : 'Ignore';
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

function pathOf(
  resource: Resource<KubeObject>,
  { namespace, name }: ObjectRef,
  query: Query = {},
  suffix = '',
): string {
  const root = resource.group === '' ? '/api' : `/apis/${resource.group}`;
  const within = namespace === '' ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  const object = name === '' ? '' : `/${encodeURIComponent(name)}`;
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    if (value !== undefined) search.set(key, String(value));
  const path = `${root}/${resource.version}${within}/${resource.plural}${object}${suffix}`;
  return search.size === 0 ? path : `${path}?${search.toString()}`;
}

function selectors({ labelSelector, fieldSelector }: Selection): Query {
  return { labelSelector, fieldSelector };
}

function bodyOf(resource: Resource<KubeObject>, object: KubeObject): string {
  return JSON.stringify({ ...object, apiVersion: apiVersionOf(resource), kind: resource.kind });
}

function preconditionsOf({
  uid,
  resourceVersion,
}: { [K in keyof Preconditions]: string | undefined }) {
  return uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
}

/** @throws {KubeError} for the ERROR that ends a watch. */
function eventOf<T extends KubeObject>({ type, object }: WatchLine<T>): WatchEvent<T> {
  if (type === 'ERROR') throw watchError(object);
  if (type === 'BOOKMARK') return { type, resourceVersion: object.metadata.resourceVersion };
  return { type, object };
}
