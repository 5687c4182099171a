/** One client's connection to the fake API server: the port, with the lies that its faults ask for. */
import type { Clock } from '../../../platform/clock.ts';
import { KubeError } from '../../../platform/kube/kube-error.ts';
import {
  keyOf,
  type ApplyOptions,
  type CallOptions,
  type DeleteOptions,
  type Kube,
  type ListOptions,
  type MergePatch,
  type ObjectPage,
  type ObjectRef,
  type PatchOptions,
  type Selection,
  type Stored,
  type WatchEvent,
  type WatchOptions,
} from '../../../platform/kube/kube.ts';
import type { KubeObject, Resource, TokenReview } from '../../../platform/kube/resources.ts';
import type { SeededRandom } from '../../simulation/seeded-random.ts';
import type { FakeApiServer } from './api-server.ts';
import { FakeWatch } from './fake-watch.ts';
import { NO_FAULTS, type KubeFaults } from './kube-faults.ts';
import type { AnyObject, AnyResource } from './object-store.ts';
import { matches } from './selectors.ts';

export type Verb =
  'get' | 'list' | 'watch' | 'create' | 'apply' | 'applyStatus' | 'patch' | 'delete';

export interface FakeKubeOptions {
  readonly server: FakeApiServer;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly fieldManager: string;
}

const WRITES: ReadonlySet<Verb> = new Set(['create', 'apply', 'applyStatus', 'patch', 'delete']);

export class FakeKube implements Kube {
  faults: KubeFaults = NO_FAULTS;
  /** False: no call gets through, as behind a cut network. Watches that are open are ended by `cutWatches`. */
  isConnected = true;
  /** The roles of this client: false is refused as Forbidden. */
  mayCall: (verb: Verb, resource: AnyResource) => boolean = () => true;
  /** Namespaces where this client has no role: each call there is refused as Forbidden. */
  readonly refused = new Set<string>();
  /** token → user name, for token reviews. */
  readonly tokens = new Map<string, string>();
  /** How often what was asked: `create pods` → 3. */
  readonly calls = new Map<string, number>();
  readonly #options: FakeKubeOptions;
  readonly #watches = new Set<FakeWatch>();

  constructor(options: FakeKubeOptions) {
    this.#options = options;
  }

  get<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: CallOptions = {},
  ): Promise<Stored<T>> {
    const act = (): Stored<T> => this.#server.get(resource, ref) as Stored<T>;
    return this.#call('get', resource, options, this.#in(ref.namespace, act));
  }

  list<T extends KubeObject>(
    resource: Resource<T>,
    selection: Selection,
    options: ListOptions = {},
  ): Promise<ObjectPage<T>> {
    const act = (): ObjectPage<T> => this.#page(resource, selection, options);
    return this.#call('list', resource, options, this.#in(selection.namespace, act));
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    selection: Selection,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>> {
    const open = (): FakeWatch => {
      const { server, clock, random } = this.#options;
      const world = { store: server.store, clock, random, faults: () => this.faults };
      return new FakeWatch(world, resource, selection, options);
    };
    const act = this.#in(selection.namespace, open);
    const watch = await this.#call('watch', resource, options, act);
    this.#watches.add(watch);
    try {
      yield* watch.events() as AsyncGenerator<WatchEvent<T>>;
    } finally {
      this.#watches.delete(watch);
    }
  }

  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions = {},
  ): Promise<Stored<T>> {
    const act = (): Stored<T> => {
      if (resource.plural === 'tokenreviews')
        return this.#reviewed(object as KubeObject as TokenReview) as KubeObject as Stored<T>;
      return this.#server.create(resource, object, this.#options.fieldManager) as Stored<T>;
    };
    return this.#call('create', resource, options, this.#in(object.metadata?.namespace, act));
  }

  async createUnread<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions = {},
  ): Promise<void> {
    await this.create(resource, object, options);
  }

  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: ApplyOptions = {},
  ): Promise<Stored<T>> {
    return this.#apply('apply', resource, object, options);
  }

  applyStatus<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: ApplyOptions = {},
  ): Promise<Stored<T>> {
    return this.#apply('applyStatus', resource, object, options);
  }

  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: MergePatch,
    options: PatchOptions = {},
  ): Promise<Stored<T>> {
    const manager = this.#options.fieldManager;
    const act = (): Stored<T> =>
      this.#server.patch(resource, ref, patch, { ...options, manager }) as Stored<T>;
    return this.#call('patch', resource, options, this.#in(ref.namespace, act));
  }

  delete(resource: AnyResource, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const act = (): void => this.#server.delete(resource, ref, options);
    return this.#call('delete', resource, options, this.#in(ref.namespace, act));
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  cutWatches(): void {
    for (const watch of this.#watches) watch.cut();
  }

  stallWatches(): void {
    for (const watch of this.#watches) watch.stall();
  }

  /** Writes so far, refused ones included. */
  get writes(): number {
    return [...this.calls].reduce(
      (sum, [call, count]) => sum + (WRITES.has(call.split(' ')[0] as Verb) ? count : 0),
      0,
    );
  }

  get #server(): FakeApiServer {
    return this.#options.server;
  }

  #apply<T extends KubeObject>(
    verb: 'apply' | 'applyStatus',
    resource: Resource<T>,
    object: T,
    options: ApplyOptions,
  ): Promise<Stored<T>> {
    const applying = {
      manager: this.#options.fieldManager,
      force: options.force ?? true,
      subresource: verb === 'apply' ? undefined : ('status' as const),
    };
    const act = (): Stored<T> => this.#server.apply(resource, object, applying) as Stored<T>;
    return this.#call(verb, resource, options, this.#in(object.metadata?.namespace, act));
  }

  #in<R>(namespace: string | undefined, act: () => R): () => R {
    return () => {
      if (this.refused.has(namespace ?? ''))
        throw new KubeError('Forbidden', `forbidden in the namespace "${namespace}"`);
      return act();
    };
  }

  /** Everything that can go wrong around a call; `act` does it. */
  async #call<R>(
    verb: Verb,
    resource: AnyResource,
    options: CallOptions,
    act: () => R,
  ): Promise<R> {
    const name = `${verb} ${resource.plural}`;
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    const { random, clock } = this.#options;
    const { faults } = this;
    options.signal?.throwIfAborted();
    if (faults.latencyMaxMs > 0)
      await clock.sleep(random.float() * faults.latencyMaxMs, options.signal);
    if (!this.isConnected || random.chance(faults.unavailable))
      throw new KubeError('Unavailable', 'the API server cannot be reached');
    this.#server.checkKind(resource);
    if (!this.mayCall(verb, resource))
      throw new KubeError('Forbidden', `${resource.plural} is forbidden: cannot ${verb}`);
    if (random.chance(faults.tooManyRequests))
      throw new KubeError('TooManyRequests', 'too many requests', { retryAfterMs: 1_000 });
    return WRITES.has(verb) ? this.#write(name, act) : act();
  }

  async #write<R>(name: string, act: () => R): Promise<R> {
    const { random, clock } = this.#options;
    const { conflict, unknownApplied, unknownLost, unknownLate, timeoutMs } = this.faults;
    if (!name.startsWith('create') && random.chance(conflict))
      throw new KubeError('Conflict', 'the object has been modified; read it again');
    const isApplied = random.chance(unknownApplied);
    const isLate = !isApplied && random.chance(unknownLate);
    if (!isApplied && !isLate && !random.chance(unknownLost)) return act();
    if (isApplied) ignoreErrors(act);
    if (isLate) clock.after(random.float() * 3 * timeoutMs, () => ignoreErrors(act));
    await clock.sleep(timeoutMs);
    throw new KubeError('OutcomeUnknown', `${name}: no answer within ${timeoutMs} ms`);
  }

  #page<T extends KubeObject>(
    resource: Resource<T>,
    selection: Selection,
    { limit = Infinity, continueFrom }: ListOptions,
  ): ObjectPage<T> {
    const { store } = this.#server;
    const [revision = '', after = ''] = continueFrom?.split(' ') ?? [String(this.#readRevision())];
    if (Number(revision) < store.oldestRevision)
      throw new KubeError('Expired', 'the continue token is too old');
    const found = store
      .list(resource, Number(revision))
      .filter((object) => matches(object, selection) && keyOf(object) > after);
    const items = found.slice(0, limit) as readonly AnyObject[] as readonly Stored<T>[];
    const last = items.at(-1);
    return {
      items,
      resourceVersion: revision,
      continueFrom:
        last !== undefined && found.length > items.length
          ? `${revision} ${keyOf(last)}`
          : undefined,
    };
  }

  #readRevision(): number {
    const { random } = this.#options;
    const { store } = this.#server;
    if (!random.chance(this.faults.staleList)) return store.revision;
    const oldest = Math.max(store.oldestRevision, store.revision - this.faults.staleWritesMax);
    return oldest + Math.floor(random.float() * (store.revision - oldest + 1));
  }

  #reviewed(review: TokenReview): TokenReview {
    const token = review.spec.token;
    const username = this.tokens.get(token);
    const status =
      username === undefined
        ? { authenticated: false, error: 'token is not known' }
        : {
            authenticated: true,
            user: { username, uid: username, groups: ['system:authenticated'] },
          };
    return { ...review, status };
  }
}

function ignoreErrors(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
  }
}
