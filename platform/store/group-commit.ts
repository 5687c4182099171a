/**
 * Steps that run one after the other at once, and reach the disk together: while one group is being written the next one gathers on
 * top of it. A group that fails takes the one on top of it along; nobody is answered before the target has taken the group.
 */
import type { KeyValue, KeyValueReader } from './key-value.ts';
import { Overlay } from './overlay.ts';
import { StoreError } from './store-error.ts';

/** Steps that wait for their group, all in all; more are refused. */
const WAITING_MAX = 10_000;

export interface GroupTarget extends KeyValueReader {
  /** Writes all that `fill` puts and removes in one transaction. Rejects with a StoreError. */
  writeGroup(fill: (target: Pick<KeyValue, 'put' | 'remove'>) => void): Promise<void>;
}

interface Group {
  readonly overlay: Overlay;
  readonly waiting: {
    readonly resolve: () => void;
    readonly reject: (error: StoreError) => void;
  }[];
}

export class GroupCommit {
  readonly #target: GroupTarget;
  #gathering: Group;
  #writing: Group | undefined;
  #running: Promise<void> | undefined;

  constructor(target: GroupTarget) {
    this.#target = target;
    this.#gathering = groupOn(target);
  }

  async write<T>(step: (kv: KeyValue) => T): Promise<T> {
    const group = this.#gathering;
    if (group.waiting.length >= WAITING_MAX) {
      throw new StoreError('the store has too many writes waiting', 'not-applied');
    }
    const answer = group.overlay.attempt(() => step(group.overlay));
    // What the answer rests on may still be on its way to the disk, even if this step has written nothing.
    if (group.overlay.size === 0 && this.#writing === undefined) return answer;
    const written = new Promise<void>((resolve, reject) => {
      group.waiting.push({ resolve, reject });
    });
    this.#running ??= this.#run();
    await written;
    return answer;
  }

  /** Resolves when nothing is left to be written. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // Lets everything that arrived with the same chunk of input gather first.
    await Promise.resolve();
    while (this.#gathering.waiting.length > 0) await this.#writeGathered();
    this.#running = undefined;
  }

  async #writeGathered(): Promise<void> {
    const group = this.#gathering;
    this.#writing = group;
    this.#gathering = groupOn(group.overlay);
    try {
      if (group.overlay.size > 0) {
        await this.#target.writeGroup((target) => {
          group.overlay.drainTo(target);
        });
      }
      this.#gathering.overlay.base = this.#target;
      for (const { resolve } of group.waiting) resolve();
    } catch (error) {
      this.#fail(group, error);
    } finally {
      this.#writing = undefined;
    }
  }

  #fail(group: Group, error: unknown): void {
    const cause =
      error instanceof StoreError
        ? error
        : new StoreError('the store cannot write', 'unknown', error);
    for (const { reject } of group.waiting) reject(cause);
    const onTop = this.#gathering;
    this.#gathering = groupOn(this.#target);
    const dropped = new StoreError(cause.message, 'not-applied', cause);
    for (const { reject } of onTop.waiting) reject(dropped);
  }
}

function groupOn(base: KeyValueReader): Group {
  return { overlay: new Overlay(base), waiting: [] };
}
