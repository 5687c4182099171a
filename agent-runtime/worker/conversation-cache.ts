/** The newest turns of the conversations that a session used last, bounded by count and bytes; loads nothing. */
import type { Turn } from '../../platform/store/store.ts';
import type { ConversationTurn } from '../agent/agent.ts';

export const CACHED_TURN_BYTES_MAX = 8 * 1024 * 1024;
/** Objects and strings have a cost beside their text. */
const TURN_OVERHEAD_BYTES = 200;

type CachedTurn = Omit<Turn, 'index'>;

export interface ConversationCacheLimits {
  readonly conversationsCachedMax: number;
  readonly conversationWindowTurns: number;
}

/** A map in order of use. Not lru-cache: 0.4 MB in each worker thread, for thirty lines. */
export class ConversationCache {
  readonly #limits: ConversationCacheLimits;
  readonly #windows = new Map<string, readonly CachedTurn[]>();
  #bytes = 0;

  constructor(limits: ConversationCacheLimits) {
    this.#limits = limits;
  }

  get(conversation: string): readonly CachedTurn[] | undefined {
    const turns = this.#windows.get(conversation);
    if (turns === undefined) return undefined;
    this.#windows.delete(conversation);
    this.#windows.set(conversation, turns);
    return turns;
  }

  /** Of a window over the bound the newest turns are kept; if not even one fits, its conversation is loaded for each task. */
  put(conversation: string, turns: readonly CachedTurn[]): void {
    this.forget(conversation);
    const kept = newestThatFit(turns.slice(-this.#limits.conversationWindowTurns));
    if (kept.length === 0 && turns.length > 0) return;
    this.#windows.set(conversation, kept);
    this.#bytes += sizeOf(kept);
    for (const oldest of this.#windows.keys()) {
      if (
        this.#bytes <= CACHED_TURN_BYTES_MAX &&
        this.#windows.size <= this.#limits.conversationsCachedMax
      )
        return;
      this.forget(oldest);
    }
  }

  /** Of a conversation that is not cached nothing is kept: its next task loads the whole window. */
  append(conversation: string, turns: readonly CachedTurn[]): void {
    const before = this.#windows.get(conversation);
    if (before !== undefined) this.put(conversation, [...before, ...turns]);
  }

  clear(): void {
    this.#windows.clear();
    this.#bytes = 0;
  }

  forget(conversation: string): void {
    const turns = this.#windows.get(conversation);
    if (turns === undefined) return;
    this.#bytes -= sizeOf(turns);
    this.#windows.delete(conversation);
  }
}

function newestThatFit(turns: readonly CachedTurn[]): readonly CachedTurn[] {
  let bytes = sizeOf(turns);
  const first = turns.findIndex((turn) => {
    if (bytes <= CACHED_TURN_BYTES_MAX) return true;
    bytes -= sizeOf([turn]);
    return false;
  });
  return first === -1 ? [] : turns.slice(first);
}

function sizeOf(turns: readonly CachedTurn[]): number {
  return turns.reduce((bytes, turn) => bytes + turn.json.length + TURN_OVERHEAD_BYTES, 0);
}

/** What an agent sees: parsed, frozen. */
export function readTurns(turns: readonly CachedTurn[]): readonly ConversationTurn[] {
  return Object.freeze(
    turns.map((turn) =>
      Object.freeze({
        role: turn.role,
        content: JSON.parse(turn.json) as unknown,
        requestId: turn.requestId,
        time: turn.timeMs,
      }),
    ),
  );
}
