/** One watch of the fake: the changes after a revision that match a selection, as events, with the faults of its client. */
import type { Clock } from '../../../platform/clock.ts';
import { KubeError } from '../../../platform/kube/kube-error.ts';
import type { Selection, WatchEvent, WatchOptions } from '../../../platform/kube/kube.ts';
import type { KubeObject } from '../../../platform/kube/resources.ts';
import type { SeededRandom } from '../../simulation/seeded-random.ts';
import type { KubeFaults } from './kube-faults.ts';
import {
  kindOf,
  withRevision,
  type AnyObject,
  type AnyResource,
  type Change,
  type ObjectStore,
} from './object-store.ts';
import { matches } from './selectors.ts';

const BOOKMARK_MS = 60_000;

type Event = WatchEvent<KubeObject>;

export interface WatchWorld {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly faults: () => KubeFaults;
}

export class FakeWatch {
  readonly #world: WatchWorld;
  readonly #kind: string;
  readonly #selection: Selection;
  readonly #waiting: Event[] = [];
  readonly #stops: (() => void)[] = [];
  #taker: (() => void) | undefined;
  #end: { readonly error?: unknown } | undefined;
  #isStalled = false;
  #lastDueMs = 0;

  /** @throws {KubeError} Expired */
  constructor(
    world: WatchWorld,
    resource: AnyResource,
    selection: Selection,
    options: WatchOptions,
  ) {
    this.#world = world;
    this.#kind = kindOf(resource);
    this.#selection = selection;
    const { store, clock } = world;
    for (const change of store.changesAfter(Number(options.resourceVersion)))
      this.#onChange(change);
    this.#stops.push(store.onChange((change) => this.#onChange(change)));
    const end = clock.after(options.timeoutSeconds * 1_000, () => this.end());
    this.#stops.push(() => end.cancel());
    this.#bookmarkLater();
    const { signal } = options;
    const abort = (): void => this.end(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    this.#stops.push(() => signal?.removeEventListener('abort', abort));
  }

  async *events(): AsyncGenerator<Event> {
    try {
      for (;;) {
        const event = this.#waiting.shift();
        if (event !== undefined) yield event;
        else if (this.#end !== undefined) break;
        else await new Promise<void>((resolve) => (this.#taker = resolve));
      }
      if (this.#end.error !== undefined) throw this.#end.error as Error;
    } finally {
      this.end();
    }
  }

  /** Without an error as the server's time-out does; the connection may also break, or the caller leave. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = error === undefined ? {} : { error };
    for (const stop of this.#stops.splice(0)) stop();
    this.#taker?.();
  }

  cut(): void {
    this.end(new KubeError('Unavailable', 'the watch was cut'));
  }

  /** From now on nothing comes, and the watch does not end. */
  stall(): void {
    this.#isStalled = true;
  }

  #onChange(change: Change): void {
    if (change.kind !== this.#kind || this.#isStalled) return;
    const event = eventOf(change, this.#selection);
    if (event === undefined) return;
    const { random } = this.#world;
    const faults = this.#world.faults();
    if (random.chance(faults.watchCut)) {
      this.cut();
      return;
    }
    if (random.chance(faults.watchStall)) this.stall();
    else if (!random.chance(faults.watchLoss)) this.#pushLate(event, faults);
  }

  #pushLate(event: Event, { watchLateMaxMs }: KubeFaults): void {
    const { clock, random } = this.#world;
    const dueMs = Math.max(this.#lastDueMs, clock.nowMs() + random.float() * watchLateMaxMs);
    this.#lastDueMs = dueMs;
    if (dueMs <= clock.nowMs()) this.#push(event);
    else {
      const timer = clock.after(dueMs - clock.nowMs(), () => {
        if (this.#end === undefined && !this.#isStalled) this.#push(event);
      });
      this.#stops.push(() => timer.cancel());
    }
  }

  #push(event: Event): void {
    this.#waiting.push(event);
    this.#taker?.();
  }

  #bookmarkLater(): void {
    const timer = this.#world.clock.after(BOOKMARK_MS, () => {
      if (this.#isStalled || this.#end !== undefined) return;
      const resourceVersion = String(this.#world.store.revision);
      if (this.#lastDueMs <= this.#world.clock.nowMs())
        this.#push({ type: 'BOOKMARK', resourceVersion });
      this.#bookmarkLater();
    });
    this.#stops.push(() => timer.cancel());
  }
}

/** What a change is to a selection: an object that ceases to match is deleted for it. */
function eventOf({ before, after, revision }: Change, selection: Selection): Event | undefined {
  const was = before !== undefined && matches(before, selection);
  if (after !== undefined && matches(after, selection))
    return { type: was ? 'MODIFIED' : 'ADDED', object: after };
  return was ? { type: 'DELETED', object: withRevision<AnyObject>(before, revision) } : undefined;
}
