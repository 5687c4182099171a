/**
 * Which of the namespaces that the operator watches the API server shows it. One that it refuses (deleted, and the operator's role with it) is
 * out of sight: nothing is done about its pools, as what is held of it may be old or nothing at all, and the others go on without it.
 */
import type { Clock } from '../../platform/clock.ts';
import type { ResourceCache } from '../../platform/kube/resource-cache.ts';
import type { KubeObject } from '../../platform/kube/resources.ts';
import type { Log } from '../../platform/log.ts';

export interface Sight {
  /** Monotonic ms; undefined: it is out of sight, or not watched at all. */
  seenSinceMs(namespace: string): number | undefined;
  /** Calls back when a namespace has come into sight. Returns how to leave. */
  onSight(listener: () => void): () => void;
}

export type WatchedCache = Pick<
  ResourceCache<KubeObject>,
  'start' | 'stop' | 'renew' | 'refusal' | 'isCurrent' | 'follow'
>;

type State =
  /** It has not answered yet. */
  | { readonly at: 'unread' }
  | { readonly at: 'seen'; readonly sinceMs: number }
  | { readonly at: 'refused' }
  /** It has answered before, and is listed anew. */
  | { readonly at: 'renewed' };

interface Watched {
  readonly namespace: string;
  readonly caches: readonly WatchedCache[];
  state: State;
  isRefusalTold: boolean;
}

/** The one that stands for all there are. */
export const ALL_NAMESPACES = '';

export class WatchedNamespaces implements Sight {
  /** Resolves when each has answered, and at least one is in sight. */
  readonly synced: Promise<void>;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #log: Log;
  readonly #watched: ReadonlyMap<string, Watched>;
  readonly #listeners = new Set<() => void>();
  #waiting: (() => void)[] = [];

  /** @param caches of each namespace, one for each kind. */
  constructor(
    caches: ReadonlyMap<string, readonly WatchedCache[]>,
    { clock, log }: { readonly clock: Pick<Clock, 'nowMs'>; readonly log: Log },
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#watched = new Map(
      [...caches].map(([namespace, its]) => [
        namespace,
        { namespace, caches: its, state: { at: 'unread' }, isRefusalTold: false },
      ]),
    );
    for (const watched of this.#watched.values())
      for (const cache of watched.caches) cache.follow(() => this.#look(watched));
    this.synced = this.#settled();
  }

  start(): void {
    for (const cache of this.#caches) cache.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#caches.map((cache) => cache.stop()));
  }

  /** Resolves when each that is in sight shows what a list says that was asked for from now on, and at least one is. */
  async renew(): Promise<void> {
    for (const cache of this.#caches) void cache.renew();
    await this.#settled();
  }

  /** Why nothing could be done if this process led; undefined: something can. */
  get missing(): string | undefined {
    const states = [...this.#watched.values()].map(({ state }) => state.at);
    if (states.includes('unread')) return 'the API server has not been read yet';
    if (states.every((at) => at === 'refused'))
      return 'the API server refuses to show the namespaces that are to be served: the log says what to do';
    return undefined;
  }

  seenSinceMs(namespace: string): number | undefined {
    const watched = this.#watched.get(namespace) ?? this.#watched.get(ALL_NAMESPACES);
    return watched?.state.at === 'seen' ? watched.state.sinceMs : undefined;
  }

  onSight(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get #caches(): readonly WatchedCache[] {
    return [...this.#watched.values()].flatMap(({ caches }) => caches);
  }

  async #settled(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #look(watched: Watched): void {
    const before = watched.state;
    const after = this.#stateOf(watched);
    if (before.at === after.at) return;
    watched.state = after;
    if (after.at === 'refused') this.#tellRefusal(watched);
    if (after.at === 'seen') this.#tellSight(watched);
    const states = [...this.#watched.values()].map(({ state }) => state.at);
    const isSettled = states.every((at) => at === 'seen' || at === 'refused');
    if (!isSettled || !states.includes('seen')) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #stateOf({ caches, state }: Watched): State {
    if (caches.some(({ refusal }) => refusal !== undefined)) return { at: 'refused' };
    if (caches.every(({ isCurrent }) => isCurrent))
      return { at: 'seen', sinceMs: this.#clock.nowMs() };
    return state.at === 'unread' ? state : { at: 'renewed' };
  }

  /** Once, however often it is tried: the metrics count the tries. */
  #tellRefusal(watched: Watched): void {
    if (watched.isRefusalTold) return;
    watched.isRefusalTold = true;
    const { namespace, caches } = watched;
    const err = caches.find(({ refusal }) => refusal !== undefined)?.refusal;
    const advice =
      namespace === ALL_NAMESPACES
        ? 'give the operator its role: `helm upgrade`, or apply `manifests/`'
        : 'if it was deleted, create it; then `helm upgrade`, which gives the operator its role there; or take it out of watchNamespaces';
    this.#log.warn('the API server refuses to show a namespace: its pools are left as they are', {
      namespace,
      err,
      detail: { advice },
    });
  }

  #tellSight(watched: Watched): void {
    const { namespace } = watched;
    if (watched.isRefusalTold)
      this.#log.info('the API server shows a namespace again: its pools are looked after', {
        namespace,
      });
    watched.isRefusalTold = false;
    for (const listener of [...this.#listeners]) listener();
  }
}
