/**
 * Who waits for whom when tasks of one session meet on a state key. One rerun at a time holds its keys; others that would
 * stage one of them wait. The holder itself waits for nobody, so there is no deadlock.
 */
import type { StateKeyId } from './session-state.ts';

/** The right to rerun; `release` it once, in the end. */
export interface RerunTurn {
  hold(keys: Iterable<StateKeyId>): void;
  release(): void;
}

export class Conflicts {
  #holder: { readonly keys: Set<StateKeyId> } | undefined;
  #nextReruns: (() => void)[] = [];
  #whenReleased: (() => void)[] = [];

  /** Waits until no other task's rerun holds one of these keys; to be asked again after waiting. Undefined: free now. */
  waitFor(keys: Iterable<StateKeyId>, own: RerunTurn | undefined): Promise<void> | undefined {
    const held = this.#holder?.keys;
    if (own !== undefined || held === undefined || held.size === 0) return undefined;
    for (const key of keys) {
      if (held.has(key)) return new Promise((resolve) => this.#whenReleased.push(resolve));
    }
    return undefined;
  }

  /** Bounded by the tasks that the host lets run at once. A waiter that has ended meanwhile still gets its turn and releases it. */
  async takeTurn(): Promise<RerunTurn> {
    while (this.#holder !== undefined)
      await new Promise<void>((resolve) => this.#nextReruns.push(resolve));
    const holder = { keys: new Set<StateKeyId>() };
    this.#holder = holder;
    return {
      hold: (keys) => {
        for (const key of keys) holder.keys.add(key);
      },
      release: () => {
        if (this.#holder === holder) this.#release();
      },
    };
  }

  #release(): void {
    this.#holder = undefined;
    // Who only waits to stage goes first: the next rerun then starts from what they staged.
    const waiting = this.#whenReleased;
    this.#whenReleased = [];
    for (const wake of waiting) wake();
    this.#nextReruns.shift()?.();
  }
}
