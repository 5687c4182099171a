/**
 * The public API for writing agents (`import { defineAgent } from 'agentpool'`). Types, and two ways to get them checked;
 * an agent is a plain object, so a module needs no import of ours. Runs nothing.
 */

/** What JSON can carry; state holds nothing else. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A JSON Schema, as an object. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * A named behaviour. The module's default export is one agent or a list; the first of a list is the default agent.
 */
export interface Agent {
  /** Unique in the module; 1 to 253 characters of `A-Z a-z 0-9 . _ : @ -`. */
  readonly name: string;
  /** One sentence for people who list the agents. */
  readonly description?: string;
  /** JSON Schema of the input; a task whose input does not fit is refused with INVALID_FIELD and never reaches `process`. */
  readonly input?: JsonSchema;
  /** JSON Schema of the answer: shown to callers, not enforced. */
  readonly output?: JsonSchema;
  /**
   * Which tasks of a project wait for each other: those of one `conversation` (the default), all of the `project`, or
   * `none`. The project's quota bounds what runs at once in any case.
   */
  readonly concurrency?: 'conversation' | 'project' | 'none';
  /** Once per activation, before state is there and before any task: open what tasks need. What it throws fails the activation. */
  initialize?(context: AgentContext): unknown;
  /**
   * One task. What it returns (or its promise gives) is the answer: a string or anything JSON can carry; nothing is null.
   * A generator (`async *process`) streams: each `yield` is a chunk, `return` is the answer. What it throws is the task's
   * error: callers get its message, and its `code` if that is a canonical gRPC name such as 'NOT_FOUND'.
   */
  process(task: Task, context: TaskContext): unknown;
  /** When the instance goes, at most 5 s: close what `initialize` opened. */
  dispose?(context: AgentContext): unknown;
}

/** One request to an agent. */
export interface Task {
  /** The caller's, or made by the gateway: use it to make outside effects idempotent, as a task can run again. */
  readonly requestId: string;
  /** 1; 2 when a runtime died under the first attempt; 3 when another died under the second, beside other projects' tasks. */
  readonly attempt: number;
  readonly agent: string;
  readonly conversationId: string;
  /** A string, any JSON value, or a list of parts (`InputPart`), as the caller sent it. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- what arrives is the author's contract with the callers; `input` of the agent checks it at run time
  readonly input: any;
  readonly metadata: Readonly<Record<string, string>>;
  readonly priority: 'CRITICAL' | 'HIGH' | 'NORMAL' | 'LOW';
  /** Wall-clock ms since the epoch; `context.signal` is aborted then. */
  readonly deadline: number;
}

/** One part of an input that was sent as parts. */
export type InputPart =
  | { readonly text: string }
  | { readonly json: Json }
  | {
      readonly blob:
        | { readonly mimeType: string; readonly data: Uint8Array }
        | { readonly mimeType: string; readonly uri: string };
    };

/** What an agent knows for as long as its instance lives. */
export interface AgentContext {
  readonly tenant: string;
  readonly project: string;
  readonly tier: 'HOT' | 'WARM' | 'COLD';
  /** `runtime.config` of the pool with the tenant's and the project's laid over it. Frozen. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- free form, its shape is between manifest and agent
  readonly config: any;
  /** What the Secret of the tenant (`tenants[].secretRef`) holds, by key, as it was when the instance was activated. Empty where there is none. Frozen. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly log: AgentLog;
  /** Aborted when the task is cancelled or out of time (in `initialize`: when the activation is given up). */
  readonly signal: AbortSignal;
  /** At least 0, below 1. */
  readonly random: () => number;
  /** Wall-clock ms since the epoch. */
  readonly now: () => number;
}

/** What an agent has while it works on a task. */
export interface TaskContext extends AgentContext {
  /** Kept per project and agent. */
  readonly state: State;
  readonly conversation: Conversation;
  /** Who calls. */
  readonly user: { readonly subject: string; readonly role: 'caller' | 'operator' | 'admin' };
  /**
   * Sends a chunk to the caller: a string, any JSON value, or `{ reasoning: 'text' }`. Resolves when there is room for the
   * next; who emits on without awaiting ends in SLOW_CONSUMER once the caller is too far behind.
   */
  readonly emit: (chunk: unknown) => Promise<void>;
}

export interface Conversation {
  readonly id: string;
  /** The newest turns, oldest first, without this task's; bounded by `limits.conversationWindowTurns` and 8 MiB. Appended by each success. */
  readonly turns: readonly ConversationTurn[];
  /** Kept per conversation and agent; erased with the conversation. */
  readonly state: State;
}

export interface ConversationTurn {
  readonly role: 'user' | 'assistant';
  /** The input or the answer. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as for `Task.input`
  readonly content: any;
  readonly requestId: string;
  /** Wall-clock ms since the epoch. */
  readonly time: number;
}

/**
 * Durable values under string keys (1 to 256 characters). A task works on its own overlay, applied when it succeeds and
 * dropped when it fails. A key that a task has both read and written, and that another task changed meanwhile, is a
 * conflict: the task runs once more, alone on that key; if it has streamed already, it ends in STATE_CONFLICT.
 *
 * Values are JSON: null, booleans, finite numbers, strings, arrays, plain objects. Anything else (dates, maps, class
 * instances, functions, NaN, cycles) throws at once and names the key. A property that is undefined is left out. What `get`
 * returns is a copy.
 */
export interface State {
  readonly get: <T = Json>(key: string) => Promise<T | undefined>;
  readonly set: (key: string, value: unknown) => Promise<void>;
  /** Sets the key to what `change` makes of its value, and returns that. `change` is synchronous and can run again. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- without it `(count = 0) => count + 1` would not type, as nothing says what was stored
  readonly update: <T = any>(key: string, change: (value: T | undefined) => T) => Promise<T>;
  readonly delete: (key: string) => Promise<void>;
  /** In no particular order; changes of this list are not conflicts. */
  readonly keys: () => Promise<string[]>;
}

/** Lines in the runtime's log, with project, agent and request named; at most 100 a second and project. */
export interface AgentLog {
  readonly debug: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly info: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly error: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

/** Gives an agent that is written as an object its types; returns it as it is. */
export function defineAgent<Definition extends Agent>(agent: Definition): Definition {
  return agent;
}

/** An agent as a class: export the class itself (one object per activation) or an object made of it (shared). */
export abstract class BaseAgent {
  abstract readonly name: string;
  readonly description?: string;
  readonly input?: JsonSchema;
  readonly output?: JsonSchema;
  readonly concurrency?: 'conversation' | 'project' | 'none';
  /** As `Agent.initialize`. */
  initialize?(context: AgentContext): unknown;
  /** As `Agent.process`. */
  abstract processTask(task: Task, context: TaskContext): unknown;
  /** As `Agent.dispose`. */
  dispose?(context: AgentContext): unknown;
}
