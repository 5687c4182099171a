/** Chance that a seed repeats exactly (mulberry32), for the simulation. */
import type { Random } from '../../platform/random.ts';

export class SeededRandom implements Random {
  #state: number;
  #ids = 0;

  constructor(seed: number) {
    this.#state = (seed * 0x9e3779b1) >>> 0;
  }

  /** Tommy Ettinger's mulberry32: 32 bits of state, good enough to shuffle events. */
  float(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  id(): string {
    return `${(this.#ids++).toString(36)}-${Math.floor(this.float() * 2 ** 32).toString(36)}`;
  }

  /** A whole number of at least `from` and below `to`. */
  between(from: number, to: number): number {
    return from + Math.floor(this.float() * (to - from));
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length)];
    if (item === undefined) throw new Error('pick from an empty list');
    return item;
  }
}
