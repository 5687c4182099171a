/** The state of one project as its finished tasks have left it, as JSON text; tasks see it through a StateOverlay. */
import type { StateEntry, StateWrite } from '../../platform/store/store.ts';

/** Whose state: an agent's in its project, or in one conversation. */
export interface StateScope {
  readonly agent: string;
  readonly conversation?: string;
}

/** One key of one scope as a string: keys of maps and sets. */
export type StateKeyId = string;

// NUL is outside the alphabet of identifiers, so no two keys share an id.
const scopeId = (scope: StateScope): string => `${scope.agent}\0${scope.conversation ?? ''}`;
export const stateKeyId = (scope: StateScope, key: string): StateKeyId =>
  `${scopeId(scope)}\0${key}`;

const sizeOf = (key: string, json: string): number =>
  Buffer.byteLength(key) + Buffer.byteLength(json);

export class SessionState {
  #scopes = new Map<string, Map<string, string>>();
  #bytes = 0;

  /** UTF-8 bytes of keys and values. */
  get bytes(): number {
    return this.#bytes;
  }

  restore(entries: readonly StateEntry[]): void {
    this.apply(entries);
  }

  read(scope: StateScope, key: string): string | undefined {
    return this.#scopes.get(scopeId(scope))?.get(key);
  }

  keys(scope: StateScope): Iterable<string> {
    return this.#scopes.get(scopeId(scope))?.keys() ?? [];
  }

  /** What `bytes` would be after these writes. */
  bytesAfter(writes: readonly StateWrite[]): number {
    let bytes = this.#bytes;
    for (const write of writes) {
      const before = this.read(write, write.key);
      if (before !== undefined) bytes -= sizeOf(write.key, before);
      if (write.json !== undefined) bytes += sizeOf(write.key, write.json);
    }
    return bytes;
  }

  apply(writes: readonly StateWrite[]): void {
    this.#bytes = this.bytesAfter(writes);
    for (const write of writes) this.#put(scopeId(write), write.key, write.json);
  }

  forget(conversation: string): void {
    const suffix = `\0${conversation}`;
    for (const [id, keys] of this.#scopes) {
      if (!id.endsWith(suffix)) continue;
      for (const [key, json] of keys) this.#bytes -= sizeOf(key, json);
      this.#scopes.delete(id);
    }
  }

  #put(id: string, key: string, json: string | undefined): void {
    const keys = this.#scopes.get(id) ?? new Map<string, string>();
    if (json === undefined) keys.delete(key);
    else keys.set(key, json);
    if (keys.size === 0) this.#scopes.delete(id);
    else this.#scopes.set(id, keys);
  }
}
