/**
 * What waits inside one instance. Entries that share a lock (a conversation, an agent that wants the project for itself) start in
 * the order of their arrival, one at a time; among those that may start, priority decides, then arrival. Knows no clock.
 */
import { PRIORITIES, type Priority } from '../../platform/link/frames.ts';

export interface Queued {
  readonly priority: Priority;
  /** Held from start until `release`. */
  readonly locks: readonly string[];
}

export class TaskQueue<Entry extends Queued> {
  /** In order of arrival. */
  #waiting: Entry[] = [];
  readonly #held = new Set<string>();

  get size(): number {
    return this.#waiting.length;
  }

  /** In order of arrival. */
  get waiting(): readonly Entry[] {
    return this.#waiting;
  }

  add(entry: Entry): void {
    this.#waiting.push(entry);
  }

  /** False: it was not waiting. */
  remove(entry: Entry): boolean {
    const at = this.#waiting.indexOf(entry);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    return true;
  }

  /** All that waits, in order; the queue is empty afterwards. Locks of what runs stay held. */
  takeAll(): readonly Entry[] {
    return this.#waiting.splice(0);
  }

  /** The entry to start now, its locks held; undefined: nothing may. */
  takeNext(): Entry | undefined {
    const next = this.#best();
    if (next === undefined) return undefined;
    this.remove(next);
    for (const lock of next.locks) this.#held.add(lock);
    return next;
  }

  release(entry: Entry): void {
    for (const lock of entry.locks) this.#held.delete(lock);
  }

  #best(): Entry | undefined {
    const spokenFor = new Set(this.#held);
    let best: Entry | undefined;
    for (const entry of this.#waiting) {
      const free = !entry.locks.some((lock) => spokenFor.has(lock));
      for (const lock of entry.locks) spokenFor.add(lock);
      if (free && (best === undefined || rank(entry) < rank(best))) best = entry;
    }
    return best;
  }
}

function rank(entry: Queued): number {
  return PRIORITIES.indexOf(entry.priority);
}

/** The locks of a task, by its agent's `concurrency`. */
export function locksOf(
  concurrency: 'conversation' | 'project' | 'none',
  task: { readonly agent: string; readonly conversationId: string },
): readonly string[] {
  if (concurrency === 'none') return [];
  const conversation = conversationLock(task.conversationId);
  return concurrency === 'project' ? [conversation, `agent ${task.agent}`] : [conversation];
}

export function conversationLock(conversationId: string): string {
  return `conversation ${conversationId}`;
}
