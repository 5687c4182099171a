/**
 * A process's way to the one store of the simulation: the production memory store behind a connection that delays, loses requests,
 * loses answers and goes away. A lost answer is a write with an unknown outcome, as with any real store.
 */
import { AppError } from '../../core/errors.ts';
import { type OnChange, StoreError, type Store, type Topic } from '../../platform/store/store.ts';
import type { SimProcess, World } from './world.ts';

const COMMAND_TIMEOUT_MS = 2_000;
const LATE_MS_MAX = 6_000;
const RECONNECT_MS = 100;

export interface StoreWeather {
  delayMsMax: number;
  /** Probability that a request never arrives, and that an answer never does. */
  loss: number;
  /** Probability that a request arrives seconds later, long after its sender gave it up. */
  late: number;
  /** Nothing arrives and nothing returns. */
  away: boolean;
  /** Names of the processes that are cut off from the store. */
  readonly cutOff: Set<string>;
}

/** Sees every call in the order in which the store takes it; the judge listens here. */
export interface StoreTap {
  before(process: string, method: string, args: readonly unknown[]): Promise<void>;
  after(process: string, method: string, args: readonly unknown[], answer: unknown): Promise<void>;
}

export class SimStore {
  readonly #world: World;
  readonly #inner: Store;
  readonly #tap: StoreTap;
  readonly weather: StoreWeather = {
    delayMsMax: 2,
    loss: 0,
    late: 0,
    away: false,
    cutOff: new Set(),
  };
  /** One call at a time inside the store, so that the judge sees a serial history. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(world: World, inner: Store, tap: StoreTap) {
    this.#world = world;
    this.#inner = inner;
    this.#tap = tap;
  }

  connect(process: SimProcess): Store {
    const call = (method: string, args: readonly unknown[]): Promise<unknown> =>
      this.#call(process, method, args);
    return new Proxy(this.#inner, {
      get: (target, property) => {
        if (property === 'kind') return target.kind;
        if (property === 'close') return () => Promise.resolve();
        if (property === 'subscribe') {
          return (topic: Topic, onChange: OnChange) => this.#subscribe(process, topic, onChange);
        }
        return (...args: unknown[]) => call(String(property), args);
      },
    });
  }

  #subscribe(process: SimProcess, topic: Topic, onChange: OnChange): () => void {
    let lastAtMs = 0;
    let isLost = false;
    const reconnect = (): void => {
      this.#world.schedule(RECONNECT_MS, process, () => {
        isLost = this.#cutOff(process);
        if (isLost) reconnect();
        else onChange();
      });
    };
    return this.#inner.subscribe(topic, (...told) => {
      // One connection: nothing that is told overtakes what was told before, and with it goes all that was on its way.
      lastAtMs = Math.max(lastAtMs, this.#world.nowMs + this.#delayMs());
      this.#world.schedule(lastAtMs - this.#world.nowMs, process, () => {
        if (isLost) return;
        isLost = this.#cutOff(process);
        if (isLost) reconnect();
        else onChange(...told);
      });
    });
  }

  #cutOff(process: SimProcess): boolean {
    return this.weather.away || this.weather.cutOff.has(process.name);
  }

  #delayMs(): number {
    return this.#world.random.float() * this.weather.delayMsMax;
  }

  #lost(process: SimProcess): boolean {
    return this.#cutOff(process) || this.#world.random.chance(this.weather.loss);
  }

  #call(process: SimProcess, method: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timeout = process.clock.after(COMMAND_TIMEOUT_MS, () => {
        reject(new StoreError(`simulated store: ${method} was not answered`, 'unknown'));
      });
      if (this.#lost(process)) return;
      // Arguments are copied: what a process changes after it sent a command must not change the command.
      const sent = structuredClone(args);
      const isLate = this.#world.random.chance(this.weather.late);
      const arrivesMs = isLate ? this.#world.random.float() * LATE_MS_MAX : this.#delayMs();
      this.#world.schedule(arrivesMs, undefined, () => {
        void this.#serve(process.name, method, sent).then((outcome) => {
          if (this.#lost(process)) return;
          this.#world.schedule(this.#delayMs(), process, () => {
            timeout.cancel();
            if (outcome.type === 'answer') resolve(outcome.answer);
            else reject(AppError.from(outcome.error));
          });
        });
      });
    });
  }

  #serve(process: string, method: string, args: readonly unknown[]): Promise<Outcome> {
    const served = this.#tail.then(async (): Promise<Outcome> => {
      try {
        await this.#tap.before(process, method, args);
        const command: unknown = Reflect.get(this.#inner, method);
        if (typeof command !== 'function') throw new Error(`the store has no ${method}`);
        const answer = structuredClone(
          await (Reflect.apply(command, this.#inner, args) as Promise<unknown>),
        );
        await this.#tap.after(process, method, args, answer);
        return { type: 'answer', answer };
      } catch (error) {
        return { type: 'error', error };
      }
    });
    this.#tail = served;
    return served;
  }
}

type Outcome =
  | { readonly type: 'answer'; readonly answer: unknown }
  | { readonly type: 'error'; readonly error: unknown };
