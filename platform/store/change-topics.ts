/** Who wants to hear that something of a topic changed; tells them once per pool and turn of the event loop, never what changed. */
import { isDeepStrictEqual } from 'node:util';
import type { PoolKey } from '../../core/identifiers.ts';
import type { OnChange, PoolRecord, Topic } from './store.ts';

export class ChangeTopics {
  readonly #listeners = new Map<Topic, Set<{ readonly onChange: OnChange }>>();
  /** Whose changes are about to be told; undefined among them: anybody's. */
  readonly #pending = new Map<Topic, Set<PoolKey | undefined>>();

  subscribe(topic: Topic, onChange: OnChange): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners);
    const listener = { onChange };
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  /**
   * Returns before anybody is called: a listener may ask the store whatever it likes.
   * @param pool left out: it may be any.
   */
  notify(topic: Topic, pool?: PoolKey): void {
    const pending = this.#pending.get(topic);
    if (pending !== undefined) {
      pending.add(pool);
      return;
    }
    const pools = new Set([pool]);
    this.#pending.set(topic, pools);
    queueMicrotask(() => {
      this.#pending.delete(topic);
      for (const changed of pools.has(undefined) ? [undefined] : pools)
        for (const listener of this.#listeners.get(topic) ?? []) listener.onChange(changed);
    });
  }

  close(): void {
    this.#listeners.clear();
  }
}

/** What is announced of a pool whose record has become another. */
export function changedTopics(
  before: PoolRecord | undefined,
  now: PoolRecord,
): readonly ('pools' | 'reports')[] {
  const [old, fresh] = [split(before), split(now)];
  return (['pools', 'reports'] as const).filter(
    (topic) => before === undefined || !isDeepStrictEqual(old[topic], fresh[topic]),
  );
}

function split(record: PoolRecord | undefined): {
  readonly pools: object;
  readonly reports: object;
} {
  const { status, report, ...pools } = record ?? {};
  return { pools, reports: { status, report } };
}
