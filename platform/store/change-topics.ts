/** Who wants to hear that something of a topic changed; tells them once per pool and turn of the event loop, and what changed where that was said. */
import type { PoolKey } from '../../core/identifiers.ts';
import type { OnChange, PoolRecord, RuntimeChange, Topic } from './store.ts';

/** Whose changes are about to be told; undefined among them: anybody's. Without a list they are to be read. */
type Pending = Map<PoolKey | undefined, RuntimeChange[] | undefined>;

export class ChangeTopics {
  readonly #listeners = new Map<Topic, Set<{ readonly onChange: OnChange }>>();
  readonly #pending = new Map<Topic, Pending>();

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
   * @param changes left out: it may be anything.
   */
  notify(topic: Topic, pool?: PoolKey, changes?: readonly RuntimeChange[]): void {
    const pending = this.#pending.get(topic) ?? this.#tellSoon(topic);
    const earlier = pending.get(pool);
    if (changes === undefined) pending.set(pool, undefined);
    else if (earlier !== undefined) earlier.push(...changes);
    // Of whom all is to be read anyway nothing need be told.
    else if (!pending.has(pool)) pending.set(pool, [...changes]);
  }

  #tellSoon(topic: Topic): Pending {
    const pending: Pending = new Map();
    this.#pending.set(topic, pending);
    queueMicrotask(() => {
      this.#pending.delete(topic);
      const told: Pending = pending.has(undefined) ? new Map([[undefined, undefined]]) : pending;
      for (const [pool, changes] of told)
        for (const { onChange } of this.#listeners.get(topic) ?? [])
          if (changes === undefined) onChange(pool);
          else onChange(pool, changes);
    });
    return pending;
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
    (topic) => before === undefined || old[topic] !== fresh[topic],
  );
}

/** As text, as Redis compares it: what lmdb has read may be of another realm's prototypes. */
function split(record: PoolRecord | undefined): Readonly<Record<'pools' | 'reports', string>> {
  const { status, report, ...pools } = record ?? {};
  return { pools: JSON.stringify(pools), reports: JSON.stringify({ status, report }) };
}
