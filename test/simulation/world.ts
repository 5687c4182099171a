/**
 * The simulated machine room: one queue of events in simulated time, and processes that can crash, freeze and thaw. Code of a
 * process runs only inside an event of that process, so a frozen one does nothing, exactly like a stopped real one.
 */
import { sleepOn, type Clock, type Timer } from '../../platform/clock.ts';
import { SeededRandom } from './seeded-random.ts';

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly process: SimProcess | undefined;
  readonly fn: () => void;
}

/** Times are whole ticks, a power of two per millisecond: sums and differences of them are exact, so no timer fires a rounding error early. */
const TICKS_PER_MS = 1_024;
const WALL_START_MS = 1_750_000_000_000;

export class World {
  readonly random: SeededRandom;
  #nowMs = 1_000;
  #order = 0;
  /** Binary heap by (time, order). */
  #heap: Event[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Queues work for a process (undefined: the room itself); it is dropped when that process dies first, deferred while it is frozen. */
  schedule(
    delayMs: number,
    process: SimProcess | undefined,
    fn: () => void,
  ): { cancel: () => void } {
    let cancelled = false;
    const run = (): void => {
      if (!cancelled) fn();
    };
    this.#push({
      atMs: Math.ceil((this.#nowMs + Math.max(0, delayMs)) * TICKS_PER_MS) / TICKS_PER_MS,
      order: this.#order++,
      process,
      fn: run,
    });
    return {
      cancel: () => {
        cancelled = true;
      },
    };
  }

  /** Runs the next event and lets promises settle. False when nothing is left. */
  async step(): Promise<boolean> {
    const event = this.#pop();
    if (event === undefined) return false;
    this.#nowMs = Math.max(this.#nowMs, event.atMs);
    const { process } = event;
    if (process?.at === 'dead') return true;
    if (process?.at === 'frozen') {
      process.defer(event.fn);
      return true;
    }
    event.fn();
    await new Promise((resolve) => setImmediate(resolve));
    return true;
  }

  #push(event: Event): void {
    this.#heap.push(event);
    for (let at = this.#heap.length - 1; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfLess(at, parent)) break;
      at = parent;
    }
  }

  #pop(): Event | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    this.#heap[0] = last;
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      const child = this.#less(left + 1, left) ? left + 1 : left;
      if (!this.#swapIfLess(child, at)) return first;
      at = child;
    }
  }

  #less(a: number, b: number): boolean {
    const [one, two] = [this.#heap[a], this.#heap[b]];
    if (one === undefined || two === undefined) return false;
    return one.atMs < two.atMs || (one.atMs === two.atMs && one.order < two.order);
  }

  #swapIfLess(a: number, b: number): boolean {
    const [one, two] = [this.#heap[a], this.#heap[b]];
    if (one === undefined || two === undefined || !this.#less(a, b)) return false;
    this.#heap[a] = two;
    this.#heap[b] = one;
    return true;
  }
}

export class SimProcess {
  readonly name: string;
  readonly #world: World;
  #at: 'running' | 'frozen' | 'dead' = 'running';
  #runningSinceMs = 0;
  #deferred: (() => void)[] = [];
  #onDeath: (() => void)[] = [];

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  get at(): 'running' | 'frozen' | 'dead' {
    return this.#at;
  }

  /** Simulated time since when it has run without a stop. */
  get runningSinceMs(): number {
    return this.#runningSinceMs;
  }

  /** SIGKILL: its timers and messages never run; what it left open is closed by the room. */
  kill(): void {
    if (this.#at === 'dead') return;
    this.#at = 'dead';
    this.#deferred = [];
    for (const fn of this.#onDeath) fn();
  }

  onDeath(fn: () => void): void {
    this.#onDeath.push(fn);
  }

  /** SIGSTOP. */
  freeze(): void {
    if (this.#at === 'running') this.#at = 'frozen';
  }

  /** SIGCONT: all that waited runs now, in its order. */
  thaw(): void {
    if (this.#at !== 'frozen') return;
    this.#at = 'running';
    this.#runningSinceMs = this.#world.nowMs;
    const waiting = this.#deferred;
    this.#deferred = [];
    for (const fn of waiting) this.#world.schedule(0, this, fn);
  }

  defer(fn: () => void): void {
    this.#deferred.push(fn);
  }

  /** This process's clock: monotonic time goes on while it is frozen, its timers fire late. */
  readonly clock: Clock = {
    nowMs: () => this.#world.nowMs,
    wallMs: () => WALL_START_MS + Math.floor(this.#world.nowMs),
    after: (delayMs, fn): Timer => this.#world.schedule(delayMs, this, fn),
    sleep: (delayMs, signal) => sleepOn(this.clock, delayMs, signal),
  };
}
