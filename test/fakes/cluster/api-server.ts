/** The rules of the API server over an object store: names, uids, generations, preconditions, finalisers, grace, field managers, quota. */
import type { Clock } from '../../../platform/clock.ts';
import {
  keyOf,
  type DeleteOptions,
  type MergePatch,
  type ObjectRef,
  type Preconditions,
} from '../../../platform/kube/kube.ts';
import { KubeError, type FieldProblem } from '../../../platform/kube/kube-error.ts';
import * as resources from '../../../platform/kube/resources.ts';
import { apiVersionOf, type KubeObject } from '../../../platform/kube/resources.ts';
import type { Random } from '../../../platform/random.ts';
import {
  conflicts,
  disown,
  fieldsOf,
  isEqual,
  isMap,
  mergePatched,
  overlay,
  prune,
  type Json,
} from './field-ownership.ts';
import { ObjectStore, kindOf, type AnyObject, type AnyResource } from './object-store.ts';
import { objectProblems } from './object-rules.ts';

export interface ApiServerOptions {
  readonly clock: Clock;
  readonly random: Random;
}

export interface Applying {
  readonly manager: string;
  readonly force: boolean;
  readonly subresource: 'status' | undefined;
}

const WITH_STATUS: ReadonlySet<string> = new Set([
  'agentpool.dev/agentpools',
  '/pods',
  '/nodes',
  'policy/poddisruptionbudgets',
]);
const KINDS: ReadonlySet<string> = new Set(
  Object.values(resources).flatMap((one) => (typeof one === 'object' ? [kindOf(one)] : [])),
);
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export class FakeApiServer {
  readonly store = new ObjectStore();
  /** Objects of a kind that a namespace may hold: `/pods` → 3. */
  readonly quotas = new Map<string, number>();
  /** Kinds whose CRD is not installed: `agentpool.dev/agentpools`. */
  readonly missingKinds = new Set<string>();
  /** More rules than the fake's own: what they return is refused as Invalid. */
  validate: (resource: AnyResource, object: KubeObject) => readonly FieldProblem[] = () => [];
  readonly #clock: Clock;
  readonly #random: Random;
  /** uid → manager (and subresource) → the fields it owns. */
  readonly #owned = new Map<string, Map<string, Json>>();

  constructor({ clock, random }: ApiServerOptions) {
    this.#clock = clock;
    this.#random = random;
  }

  /** @throws {KubeError} KindNotFound */
  checkKind(resource: AnyResource): void {
    if (!KINDS.has(kindOf(resource)) || this.missingKinds.has(kindOf(resource)))
      throw new KubeError('KindNotFound', '404 page not found');
  }

  get(resource: AnyResource, { namespace, name }: ObjectRef): AnyObject {
    const object = this.store.get(resource, `${namespace}/${name}`);
    if (object === undefined)
      throw new KubeError('NotFound', `${resource.plural} "${name}" not found`);
    return object;
  }

  create(resource: AnyResource, object: KubeObject, manager: string): AnyObject {
    const key = keyOf(object);
    const name = object.metadata?.name ?? '';
    if (this.store.get(resource, key) !== undefined)
      throw new KubeError('AlreadyExists', `${resource.plural} "${name}" already exists`);
    const kept = without(object as Json, WITH_STATUS.has(kindOf(resource)) ? ['status'] : []);
    this.#check(resource, object);
    this.#checkQuota(resource, object.metadata?.namespace ?? '');
    const uid = this.#random.id();
    const created = {
      ...kept,
      ...(kindOf(resource) === '/pods' && { status: { phase: 'Pending' } }),
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: {
        ...object.metadata,
        name,
        uid,
        resourceVersion: '',
        generation: 1,
        creationTimestamp: this.#time(),
      },
    };
    this.#own(uid, manager, fieldsOf(configOf(object, undefined)));
    return this.#written(resource, created);
  }

  apply(resource: AnyResource, object: KubeObject, applying: Applying): AnyObject {
    const { subresource } = applying;
    const live = this.store.get(resource, keyOf(object));
    if (live === undefined) {
      const name = object.metadata?.name ?? '';
      if (subresource !== undefined)
        throw new KubeError('NotFound', `${resource.plural} "${name}" not found`);
      if (object.metadata?.uid !== undefined)
        throw new KubeError('Conflict', `uid mismatch: no existing object was found for ${name}`);
      return this.create(resource, object, ownerKey(applying));
    }
    checkPreconditions(live, object.metadata ?? {});
    const config = configOf(object, subresource);
    const owners = this.#owned.get(live.metadata.uid) ?? new Map<string, Json>();
    const self = ownerKey(applying);
    const others = [...owners].filter(([owner]) => owner !== self);
    const differing = others.flatMap(([owner, owned]) =>
      conflicts(config, owned).map((path) => `conflict with "${owner}": ${path}`),
    );
    if (differing.length > 0 && !applying.force)
      throw new KubeError('Conflict', `Apply failed with conflicts: ${differing.join(', ')}`);
    for (const [owner, owned] of others) owners.set(owner, disown(owned, config));
    const before = owners.get(self) ?? {};
    const rest = others.map(([owner]) => owners.get(owner) ?? {});
    this.#own(live.metadata.uid, self, config);
    const pruned = prune(live, before, config, rest);
    return this.#replace(resource, live, overlay(pruned, config) as AnyObject, subresource);
  }

  patch(
    resource: AnyResource,
    ref: ObjectRef,
    patch: MergePatch,
    options: Preconditions & { readonly subresource?: 'status'; readonly manager: string },
  ): AnyObject {
    const live = this.get(resource, ref);
    checkPreconditions(live, options);
    const patched = mergePatched(live, patch) as AnyObject;
    const owners = this.#owned.get(live.metadata.uid);
    for (const [owner, owned] of owners ?? [])
      if (owner !== options.manager) owners?.set(owner, disown(owned, fieldsOf(patch)));
    this.#own(
      live.metadata.uid,
      options.manager,
      overlay(owners?.get(options.manager) ?? {}, fieldsOf(patch)),
    );
    return this.#replace(resource, live, patched, options.subresource);
  }

  delete(resource: AnyResource, ref: ObjectRef, options: DeleteOptions): void {
    const live = this.get(resource, ref);
    checkPreconditions(live, options);
    const graceSeconds = graceOf(resource, live, options);
    const isHeld = graceSeconds > 0 || (live.metadata.finalizers ?? []).length > 0;
    if (!isHeld) {
      // Watches see a pod's end in two steps, also where nothing holds it.
      if (kindOf(resource) === '/pods') this.#markDeleted(resource, live, 0);
      this.remove(resource, live);
      return;
    }
    const before = live.metadata.deletionGracePeriodSeconds;
    if (live.metadata.deletionTimestamp !== undefined && (before ?? 0) <= graceSeconds) return;
    this.#markDeleted(resource, live, graceSeconds);
  }

  /** Takes it away for good: what the kubelet does when a pod has ended, and the API server when nothing holds an object. */
  remove(resource: AnyResource, object: KubeObject): void {
    this.#owned.delete(object.metadata?.uid ?? '');
    this.store.write(resource, keyOf(object), undefined);
  }

  /** A status by the kubelet or another controller, whatever the managers say. */
  writeStatus(resource: AnyResource, ref: ObjectRef, change: Json): void {
    const live = this.get(resource, ref);
    const status = mergePatched(live['status'], change);
    if (!isEqual(status, live['status'])) this.#written(resource, { ...live, status });
  }

  writeSpec(resource: AnyResource, ref: ObjectRef, change: Json): void {
    const live = this.get(resource, ref);
    this.#written(resource, { ...live, spec: mergePatched(live['spec'], change) });
  }

  #markDeleted(resource: AnyResource, live: AnyObject, graceSeconds: number): void {
    const deletionTimestamp = this.#time(graceSeconds * 1_000);
    const deletion = { deletionTimestamp, deletionGracePeriodSeconds: graceSeconds };
    this.#written(resource, { ...live, metadata: { ...live.metadata, ...deletion } });
  }

  #replace(
    resource: AnyResource,
    live: AnyObject,
    next: AnyObject,
    subresource: 'status' | undefined,
  ): AnyObject {
    const hasStatus = WITH_STATUS.has(kindOf(resource));
    const merged: AnyObject =
      subresource === 'status'
        ? { ...live, status: next['status'] }
        : { ...next, ...(hasStatus && 'status' in live && { status: live['status'] }) };
    const isSpecChanged = !isEqual(merged['spec'], live['spec']);
    if (kindOf(resource) === '/pods' && isSpecChanged)
      throw invalid([{ field: 'spec', message: 'Forbidden: pod updates may not change fields' }]);
    const { generation = 1 } = live.metadata;
    const metadata = {
      ...merged.metadata,
      uid: live.metadata.uid,
      resourceVersion: live.metadata.resourceVersion,
      generation: isSpecChanged ? generation + 1 : generation,
    };
    const object: AnyObject = { ...merged, metadata };
    if (isEqual(object, live)) return live;
    this.#check(resource, object);
    const isFree = (object.metadata.finalizers ?? []).length === 0;
    const waits = object.metadata.deletionTimestamp !== undefined;
    const hadFinalizers = (live.metadata.finalizers ?? []).length > 0;
    if (!waits || !isFree || !hadFinalizers) return this.#written(resource, object);
    this.remove(resource, object);
    return object;
  }

  #check(resource: AnyResource, object: KubeObject): void {
    const name = object.metadata?.name ?? '';
    const problems = [...objectProblems(resource, object), ...this.validate(resource, object)];
    if (!NAME.test(name))
      problems.push({
        field: 'metadata.name',
        message: `Invalid value: "${name}": a lowercase RFC 1123 subdomain`,
      });
    if (problems.length > 0) throw invalid(problems);
  }

  #checkQuota(resource: AnyResource, namespace: string): void {
    const max = this.quotas.get(kindOf(resource));
    const used = this.store.list(resource).filter((one) => one.metadata.namespace === namespace);
    if (max !== undefined && used.length >= max)
      throw new KubeError('QuotaExceeded', `exceeded quota: used: ${used.length}, limited: ${max}`);
  }

  #own(uid: string, owner: string, config: Json): void {
    const owners = this.#owned.get(uid) ?? new Map<string, Json>();
    owners.set(owner, config);
    this.#owned.set(uid, owners);
  }

  #written(resource: AnyResource, object: AnyObject): AnyObject {
    const written = this.store.write(resource, keyOf(object), object);
    if (written === undefined) throw new Error('written objects exist');
    return written;
  }

  /** Whole seconds, as the API server's times are. */
  #time(inMs = 0): string {
    return new Date(this.#clock.wallMs() + inMs).toISOString().replace(/[.]\d+Z$/, 'Z');
  }
}

/** What a manager says about an object: not its identity, and by the status subresource nothing but the status. */
function configOf(object: KubeObject, subresource: 'status' | undefined): Json {
  if (subresource === 'status') return { status: (object as Json)['status'] };
  const metadata = without(object.metadata ?? {}, ['name', 'namespace', 'uid', 'resourceVersion']);
  return { ...without(object as Json, ['apiVersion', 'kind', 'status']), metadata };
}

function without(map: Json, names: readonly string[]): Json {
  return Object.fromEntries(Object.entries(map).filter(([name]) => !names.includes(name)));
}

const ownerKey = ({ manager, subresource }: Applying): string =>
  subresource === undefined ? manager : `${manager}/${subresource}`;

function checkPreconditions(live: AnyObject, { uid, resourceVersion }: Preconditions): void {
  const { name } = live.metadata;
  if (uid !== undefined && uid !== live.metadata.uid)
    throw new KubeError('Conflict', `the UID in the precondition (${uid}) is not that of ${name}`);
  if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion)
    throw new KubeError('Conflict', `${name}: the object has been modified; read it again`);
}

/** A pod that no node has yet goes at once. */
function graceOf(resource: AnyResource, live: AnyObject, options: DeleteOptions): number {
  const spec = live['spec'];
  if (kindOf(resource) !== '/pods' || !isMap(spec) || spec['nodeName'] === undefined) return 0;
  const own = spec['terminationGracePeriodSeconds'];
  return options.gracePeriodSeconds ?? (typeof own === 'number' ? own : 30);
}

function invalid(fields: readonly FieldProblem[]): KubeError {
  const text = fields.map(({ field, message }) => `${field}: ${message}`).join(', ');
  return new KubeError('Invalid', `is invalid: ${text}`, { fields });
}
