/**
 * One connection to Redis: sends each command at most once, ends each call by answer, lost connection or time, connects again by itself. Without a
 * connection every call fails at once.
 */
import { Redis } from 'ioredis';
import type { Clock } from '../../clock.ts';
import { StoreError } from '../store-error.ts';
import type { Arg, Call, Caller } from './redis-call.ts';
import { explain, isNoScript, textOf, toStoreError } from './redis-failure.ts';
import {
  accessOf,
  backoffMs,
  clientOptionsOf,
  placeOf,
  silenceMsMax,
  TIMEOUT_MS,
  type RedisStoreOptions,
} from './redis-options.ts';
import type { RedisScript } from './redis-script.ts';

/** Calls that wait for their answers; more are refused. */
const CALLS_MAX = 10_000;
const CALL_BYTES_MAX = 128 * 1024 * 1024;

/** A connection that ends sooner than this was of no use: the next one waits longer. */
const BRIEF_MS = 5_000;

export interface ConnectionEvents {
  /** As which Redis lists it; `agentpool` if absent. */
  readonly name?: string;
  /** Connected, before anybody else's call: what it sends goes first. */
  readonly onReady: () => void;
  readonly onLost: () => void;
  readonly onMessage?: (channel: string, message: string) => void;
}

export class RedisConnection implements Caller {
  readonly #redis: Redis;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #calls = 0;
  #callBytes = 0;
  #closed = false;
  #lastProblem = 'not connected yet';
  #readyAtMs: number | undefined;
  /** Connections in a row that were ready and ended soon. */
  #brief = 0;

  constructor(options: RedisStoreOptions, events: ConnectionEvents) {
    const { name: connectionName, onReady, onLost, onMessage } = events;
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#redis = new Redis({
      ...clientOptionsOf(options),
      ...(connectionName === undefined ? {} : { connectionName }),
      retryStrategy: (attempt) => backoffMs(attempt + this.#briefUntilNow(), options.random),
    });
    this.#redis.on('reconnecting', () => {
      this.#refresh(options);
    });
    this.#redis.on('error', (error: Error) => {
      this.#lastProblem = explain(error);
    });
    this.#redis.on('ready', () => {
      this.#lastProblem = 'Redis has closed the connection';
      this.#readyAtMs = this.#clock.nowMs();
      onReady();
    });
    this.#redis.on('close', onLost);
    if (onMessage !== undefined) {
      this.#redis.on('message', onMessage);
      this.#redis.on('pmessage', (_pattern: string, channel: string, message: string) =>
        onMessage(channel, message),
      );
    }
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

  async call(call: Call): Promise<unknown> {
    try {
      return await this.#send(call);
    } catch (error) {
      throw this.#failed(call, error);
    }
  }

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
  async run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly Arg[],
    answerBytes = 0,
  ): Promise<unknown> {
    const { name, writes } = script;
    const rest = [keys.length, ...keys, ...args];
    const call = (command: string, what: string): Call => ({
      name,
      writes,
      command,
      args: [what, ...rest],
      answerBytes,
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
    const stream = this.#redis.stream as Redis['stream'] | undefined;
    // The client listens for one error of a socket only: one that is ended within the handshake of TLS may have two.
    stream?.on('error', () => undefined);
    this.#redis.disconnect();
  }

  /** The client itself begins anew with each connection that got ready: one that is refused at once would be made again all the time. */
  #briefUntilNow(): number {
    if (this.#readyAtMs !== undefined) {
      const isBrief = this.#clock.nowMs() - this.#readyAtMs < BRIEF_MS;
      this.#brief = isBrief ? this.#brief + 1 : 0;
      this.#readyAtMs = undefined;
    }
    return this.#brief;
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
    const failure = toStoreError(call, error, this.#lastProblem);
    // A primary that has become a replica stays one: only a new connection finds the new primary behind the same name.
    if (/^READONLY/.test(textOf(error))) this.drop(explain(error));
    return failure;
  }

  async #send(call: Call): Promise<unknown> {
    const { command, args } = call;
    return this.#counted(call.name, bytesOf(call), 1, () =>
      this.#redis.callBuffer(command, [...args]),
    );
  }

  /** One write for all: each by itself is a system call. */
  async #sendAll(name: string, calls: readonly Call[]): Promise<readonly unknown[]> {
    const bytes = calls.reduce((sum, call) => sum + bytesOf(call), 0);
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

  /** Where nothing comes back for too long, the client ends the connection, and with it every call. */
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
    this.#wait(count, bytes);
    try {
      return await send();
    } finally {
      this.#wait(-count, -bytes);
    }
  }

  #wait(count: number, bytes: number): void {
    this.#calls += count;
    this.#callBytes += bytes;
    // The client looks at it whenever it begins to wait for something anew.
    this.#redis.options.socketTimeout = silenceMsMax(this.#timeoutMs, this.#callBytes);
  }
}

/** Of what is sent and of what is asked for; of texts their characters: near enough for a bound. */
function bytesOf({ args, answerBytes = 0 }: Call): number {
  let bytes = answerBytes;
  for (const arg of args) bytes += typeof arg === 'number' ? 8 : arg.length;
  return bytes;
}
