/**
 * One connection to Redis: sends each command at most once, ends each call by answer, lost connection or time, connects again by itself. Without a
 * connection every call fails at once.
 */
import { Redis } from 'ioredis';
import { StoreError } from '../store-error.ts';
import { explain, isNoScript, textOf, toStoreError } from './redis-failure.ts';
import { accessOf, clientOptionsOf, placeOf, type RedisStoreOptions } from './redis-options.ts';
import type { RedisScript } from './redis-script.ts';

/** Calls that wait for their answers; more are refused. */
const CALLS_MAX = 10_000;
const CALL_BYTES_MAX = 128 * 1024 * 1024;

export type Arg = string | number | Buffer;

export interface ConnectionEvents {
  /** Connected, before anybody else's call: what it sends goes first. */
  readonly onReady: () => void;
  readonly onLost: () => void;
  readonly onMessage: (channel: string, message: string) => void;
}

export interface Call {
  /** For messages. */
  readonly name: string;
  /** Without an answer the outcome is unknown. */
  readonly writes: boolean;
  readonly command: string;
  readonly args: readonly Arg[];
}

export class RedisConnection {
  readonly #redis: Redis;
  #calls = 0;
  #callBytes = 0;
  #closed = false;
  #lastProblem = 'not connected yet';

  constructor(options: RedisStoreOptions, events: ConnectionEvents) {
    this.#redis = new Redis(clientOptionsOf(options));
    this.#redis.on('reconnecting', () => {
      this.#refresh(options);
    });
    this.#redis.on('error', (error: Error) => {
      this.#lastProblem = explain(error);
    });
    this.#redis.on('ready', () => {
      this.#lastProblem = 'Redis has closed the connection';
      events.onReady();
    });
    this.#redis.on('close', events.onLost);
    this.#redis.on('pmessage', (_pattern: string, channel: string, message: string) =>
      events.onMessage(channel, message),
    );
    this.#redis.on('message', events.onMessage);
    // Its failure is told by the event, and it tries again by itself.
    this.#redis.connect().catch(() => undefined);
  }

  get isReady(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Why there is no connection, for people. */
  get lastProblem(): string {
    return this.#lastProblem;
  }

  /** Strings come as bytes. @throws StoreError */
  async call(call: Call): Promise<unknown> {
    try {
      return await this.#send(call);
    } catch (error) {
      throw this.#failed(call, error);
    }
  }

  /** The same of several, which are sent together. */
  async callAll(calls: readonly Call[]): Promise<readonly unknown[]> {
    const [first] = calls;
    if (first === undefined) return [];
    try {
      return await this.#sendAll(first.name, calls);
    } catch (error) {
      throw this.#failed(first, error);
    }
  }

  /** By its hash; with its text where Redis does not know it (then it has not run). @throws StoreError */
  async run(script: RedisScript, keys: readonly string[], args: readonly Arg[]): Promise<unknown> {
    const { name, writes } = script;
    const rest = [keys.length, ...keys, ...args];
    const call = (command: string, what: string): Call => ({
      name,
      writes,
      command,
      args: [what, ...rest],
    });
    try {
      return await this.#send(call('EVALSHA', script.sha));
    } catch (error) {
      if (!isNoScript(error)) throw this.#failed(script, error);
    }
    return this.call(call('EVAL', script.text));
  }

  /** The answers come no more: whatever waits fails, and a new connection is made. */
  drop(why: string): void {
    if (this.#closed) return;
    this.#lastProblem = why;
    this.#redis.disconnect(true);
  }

  close(): void {
    this.#closed = true;
    this.#redis.disconnect();
  }

  /** The next connection is made with what is said then. */
  #refresh(options: RedisStoreOptions): void {
    try {
      Object.assign(this.#redis.options, placeOf(accessOf(options)));
    } catch (error) {
      this.#lastProblem = explain(error);
    }
  }

  #failed(call: Pick<Call, 'name' | 'writes'>, error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    const failure = toStoreError(call.name, call.writes, error);
    // A primary that has become a replica stays one: only a new connection finds the new primary behind the same name.
    if (/^READONLY/.test(textOf(error))) this.drop(explain(error));
    return failure;
  }

  async #send(call: Call): Promise<unknown> {
    const { command, args } = call;
    return this.#counted(call.name, bytesOf(args), 1, () =>
      this.#redis.callBuffer(command, [...args]),
    );
  }

  /** One write for all: each by itself is a system call. */
  async #sendAll(name: string, calls: readonly Call[]): Promise<readonly unknown[]> {
    const bytes = calls.reduce((sum, { args }) => sum + bytesOf(args), 0);
    const answers = await this.#counted(name, bytes, calls.length, () => {
      const together = this.#redis.pipeline();
      for (const { command, args } of calls) together.callBuffer(command, ...args);
      return together.exec();
    });
    return (answers ?? []).map(([error, answer]) => {
      if (error !== null) throw error;
      return answer;
    });
  }

  /** Where nothing comes back for `timeoutMs`, the client ends the connection, and with it every call. */
  async #counted<Answer>(
    name: string,
    bytes: number,
    count: number,
    send: () => Promise<Answer>,
  ): Promise<Answer> {
    if (this.#closed) throw new StoreError('the store is closed', 'not-applied');
    if (!this.isReady)
      throw new StoreError(`${name}: no connection to Redis: ${this.#lastProblem}`, 'not-applied');
    if (this.#calls + count > CALLS_MAX || this.#callBytes + bytes > CALL_BYTES_MAX)
      throw new StoreError(`${name}: too many calls to Redis wait for an answer`, 'not-applied');
    this.#calls += count;
    this.#callBytes += bytes;
    try {
      return await send();
    } finally {
      this.#calls -= count;
      this.#callBytes -= bytes;
    }
  }
}

/** Of texts their characters: near enough for a bound. */
function bytesOf(args: readonly Arg[]): number {
  let bytes = 0;
  for (const arg of args) bytes += typeof arg === 'number' ? 8 : arg.length;
  return bytes;
}
