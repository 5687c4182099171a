/**
 * One task's view of the session state: its own reads (each key as first seen) and writes, staged together or dropped.
 * Decides what is a conflict; who waits for whom is conflicts.ts.
 */
import type { StateWrite } from '../../platform/store/store.ts';
import type { State } from '../agent/agent.ts';
import { toJsonText } from './json-text.ts';
import {
  stateKeyId,
  type SessionState,
  type StateKeyId,
  type StateScope,
} from './session-state.ts';

export const STATE_KEY_LENGTH_MAX = 256;

export interface OverlayHooks {
  /** Before a key is read in order to be written: a rerun takes hold of it. */
  beforeUpdate(key: StateKeyId): void;
  /** A write after the task has ended: it has no effect. */
  lateWrite(key: string): void;
}

/** One value is larger than the whole state may be: told where it is set, so that an agent may do without it. */
export class StateTooLargeError extends RangeError {
  override readonly name = 'StateTooLargeError';
}

export class StateOverlay {
  readonly #base: SessionState;
  readonly #hooks: OverlayHooks;
  readonly #valueBytesMax: number;
  readonly #reads = new Map<StateKeyId, string | undefined>();
  readonly #writes = new Map<StateKeyId, StateWrite>();
  #sealed = false;

  constructor(base: SessionState, valueBytesMax: number, hooks: OverlayHooks) {
    this.#base = base;
    this.#valueBytesMax = valueBytesMax;
    this.#hooks = hooks;
  }

  get writes(): readonly StateWrite[] {
    return [...this.#writes.values()];
  }

  get writtenKeys(): Iterable<StateKeyId> {
    return this.#writes.keys();
  }

  /** Keys both read and written here: their values depend on what was read. */
  get dependentKeys(): readonly StateKeyId[] {
    return [...this.#writes.keys()].filter((id) => this.#reads.has(id));
  }

  /** A dependent key that does not have the value any more that was read. Equal by value: then the result is the same as in sequence. */
  get hasConflict(): boolean {
    return this.dependentKeys.some((id) => {
      const write = this.#writes.get(id);
      return write !== undefined && this.#base.read(write, write.key) !== this.#reads.get(id);
    });
  }

  /** From now on nothing that the agent still does here has an effect. */
  seal(): void {
    this.#sealed = true;
  }

  /** The agent's `State` over this overlay. Throws at once, so that a call without `await` fails its task too. */
  stateOf(scope: StateScope): State {
    return {
      get: <T>(key: string) =>
        Promise.resolve(parse(this.#read(scope, checkKey(key))) as T | undefined),
      set: (key, value) => {
        this.#write(scope, checkKey(key), this.#textOf(scope, key, value));
        return Promise.resolve();
      },
      update: (key, change) => {
        this.#hooks.beforeUpdate(stateKeyId(scope, checkKey(key)));
        const json = this.#textOf(
          scope,
          key,
          change(parse(this.#read(scope, key)) as Parameters<typeof change>[0]),
        );
        this.#write(scope, key, json);
        return Promise.resolve(JSON.parse(json) as ReturnType<typeof change>);
      },
      delete: (key) => {
        this.#write(scope, checkKey(key), undefined);
        return Promise.resolve();
      },
      keys: () => Promise.resolve(this.#keys(scope)),
    };
  }

  #read(scope: StateScope, key: string): string | undefined {
    const id = stateKeyId(scope, key);
    const own = this.#writes.get(id);
    if (own !== undefined) return own.json;
    // A second read shows the same value, whatever has been staged between.
    if (!this.#reads.has(id)) this.#reads.set(id, this.#base.read(scope, key));
    return this.#reads.get(id);
  }

  #write(scope: StateScope, key: string, json: string | undefined): void {
    if (this.#sealed) {
      this.#hooks.lateWrite(key);
      return;
    }
    this.#writes.set(
      stateKeyId(scope, key),
      json === undefined ? { ...scope, key } : { ...scope, key, json },
    );
  }

  #keys(scope: StateScope): string[] {
    const keys = new Set(this.#base.keys(scope));
    for (const write of this.#writes.values()) {
      if (write.agent !== scope.agent || write.conversation !== scope.conversation) continue;
      if (write.json === undefined) keys.delete(write.key);
      else keys.add(write.key);
    }
    return [...keys];
  }

  #textOf(scope: StateScope, key: string, value: unknown): string {
    const place = `${scope.conversation === undefined ? 'state' : 'conversation state'} key "${key}"`;
    if (value === undefined)
      throw new TypeError(
        `${place} is undefined: set a value (null is one), or call delete("${key}")`,
      );
    const json = toJsonText(value, place, 'exact');
    const bytes = Buffer.byteLength(json);
    if (bytes <= this.#valueBytesMax) return json;
    throw new StateTooLargeError(
      `${place} has ${bytes} bytes; the whole state of a project may have ${this.#valueBytesMax} (limits.stateBytesMax)`,
    );
  }
}

function parse(json: string | undefined): unknown {
  return json === undefined ? undefined : JSON.parse(json);
}

function checkKey(key: unknown): string {
  if (typeof key === 'string' && key.length > 0 && key.length <= STATE_KEY_LENGTH_MAX) return key;
  const what =
    typeof key === 'string' ? `has ${key.length} characters` : `is of type ${typeof key}`;
  throw new TypeError(
    `a state key is a string of 1 to ${STATE_KEY_LENGTH_MAX} characters; this one ${what}`,
  );
}
