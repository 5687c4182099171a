/** The newest turns of the conversations that a session used last, bounded by count and bytes; loads nothing. */
import { LRUCache } from 'lru-cache';
import type { Turn } from '../../platform/store/store.ts';
import type { ConversationTurn } from '../agent/agent.ts';

/** A window that alone is larger is not kept: its conversation is loaded for each task. */
export const CACHED_TURN_BYTES_MAX = 8 * 1024 * 1024;
/** Objects and strings have a cost beside their text. */
const TURN_OVERHEAD_BYTES = 200;

type CachedTurn = Omit<Turn, 'index'>;

export class ConversationCache {
  readonly #windowTurns: number;
  readonly #windows: LRUCache<string, readonly CachedTurn[]>;

  constructor(limits: { readonly conversationsCachedMax: number; readonly conversationWindowTurns: number }) {
    this.#windowTurns = limits.conversationWindowTurns;
    // Counted as at least its share, so the bound by size is one by count too: `max` would allocate for all of them at once.
    const shareBytes = Math.ceil(CACHED_TURN_BYTES_MAX / Math.max(1, limits.conversationsCachedMax));
    this.#windows = new LRUCache({
      maxSize: CACHED_TURN_BYTES_MAX,
      sizeCalculation: (turns) => Math.max(shareBytes, sizeOf(turns)),
    });
  }

  get(conversation: string): readonly CachedTurn[] | undefined {
    return this.#windows.get(conversation);
  }

  put(conversation: string, turns: readonly CachedTurn[]): void {
    this.#windows.set(conversation, turns.slice(-this.#windowTurns));
  }

  /** Of a conversation that is not cached nothing is kept: its next task loads the whole window. */
  append(conversation: string, turns: readonly CachedTurn[]): void {
    const before = this.#windows.get(conversation);
    if (before !== undefined) this.put(conversation, [...before, ...turns]);
  }

  forget(conversation: string): void {
    this.#windows.delete(conversation);
  }
}

function sizeOf(turns: readonly CachedTurn[]): number {
  return turns.reduce((bytes, turn) => bytes + turn.json.length + TURN_OVERHEAD_BYTES, 0);
}

/** What an agent sees: parsed, frozen. */
export function readTurns(turns: readonly CachedTurn[]): readonly ConversationTurn[] {
  return Object.freeze(
    turns.map((turn) => Object.freeze({ role: turn.role, content: JSON.parse(turn.json) as unknown, requestId: turn.requestId, time: turn.timeMs })),
  );
}
