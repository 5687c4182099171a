/** The client's end of the store's socket: connects, greets, connects again with backoff; sends calls and hands out answers. */
import { connect, type Socket } from 'node:net';
import { AppError, isReason } from '../../core/errors.ts';
import type { PoolKey } from '../../core/identifiers.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Random } from '../random.ts';
import { PendingCalls } from './pending-calls.ts';
import { StoreError } from './store-error.ts';
import { encodeFrame, FrameReader, STORE_PROTOCOL } from './store-frames.ts';
import type { StoreMethod } from './store-methods.ts';
import type { Store, Topic } from './store.ts';

const CALLS_MAX = 10_000;
const CALL_BYTES_MAX = 128 * 1024 * 1024;
const BACKOFF_FIRST_MS = 25;
const BACKOFF_MAX_MS = 1_000;

export interface ChannelOptions {
  /** Of the socket: see socketPathFor. */
  readonly path: string;
  readonly token: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** For each call, the wait for a connection included. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 2_000;

export interface ChannelEvents {
  readonly onWelcome: (kind: Store['kind']) => void;
  readonly onChanged: (topic: Topic, pool: PoolKey | undefined) => void;
}

type State =
  | { readonly type: 'connecting'; readonly socket: Socket }
  | { readonly type: 'open'; readonly socket: Socket }
  | { readonly type: 'waiting' }
  | { readonly type: 'closed' };

export class StoreChannel {
  readonly #options: ChannelOptions;
  readonly #events: ChannelEvents;
  readonly #timeoutMs: number;
  readonly #calls: PendingCalls;
  #state: State = { type: 'waiting' };
  #nextId = 0;
  #failures = 0;
  #corked = false;
  #lastProblem = 'not connected yet';

  constructor(options: ChannelOptions, events: ChannelEvents) {
    this.#options = options;
    this.#events = events;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#calls = new PendingCalls(options.clock);
    this.#connect();
  }

  /** Why there is no connection, for people. */
  get lastProblem(): string {
    return this.#lastProblem;
  }

  call(method: StoreMethod, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#assertRoom(method);
      const id = this.#nextId++;
      const frame = encodeCall(method, [id, method, args]);
      const deadlineMs = this.#options.clock.nowMs() + this.#timeoutMs;
      this.#calls.add({ id, method, frame, deadlineMs, resolve, reject });
      if (this.#state.type === 'open') this.#send(this.#state.socket, id, frame);
    });
  }

  close(): void {
    const state = this.#state;
    this.#state = { type: 'closed' };
    if (state.type === 'open' || state.type === 'connecting') state.socket.destroy();
    this.#calls.failAll('the store client is closed');
  }

  #assertRoom(method: StoreMethod): void {
    if (this.#state.type === 'closed')
      throw new StoreError(`${method}: the store client is closed`, 'not-applied');
    if (this.#calls.size < CALLS_MAX && this.#calls.frameBytes < CALL_BYTES_MAX) return;
    throw new StoreError(`${method}: too many calls wait for the store`, 'not-applied');
  }

  #connect(): void {
    const { path, clock, token } = this.#options;
    const socket = connect(path);
    socket.setNoDelay(true);
    this.#state = { type: 'connecting', socket };
    const reader = new FrameReader();
    const greeting = clock.after(this.#timeoutMs, () => {
      if (this.#state.type === 'connecting') socket.destroy(new Error('the store does not answer'));
    });
    socket.on('connect', () => {
      socket.write(encodeFrame(['hello', STORE_PROTOCOL, token]));
    });
    socket.on('data', (chunk: Buffer) => {
      this.#receive(socket, reader, chunk);
    });
    socket.on('error', (error) => {
      this.#lastProblem = error.message;
    });
    socket.on('close', () => {
      greeting.cancel();
      this.#lost();
    });
  }

  #lost(): void {
    if (this.#state.type === 'closed') return;
    if (this.#state.type === 'open') {
      this.#lastProblem = 'the connection was lost';
      this.#options.log.warn('connection to the store lost');
    }
    this.#state = { type: 'waiting' };
    this.#calls.failSent('the connection to the store was lost');
    const fullMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#options.clock.after(fullMs * (0.5 + this.#options.random.float() / 2), () => {
      if (this.#state.type === 'waiting') this.#connect();
    });
  }

  #receive(socket: Socket, reader: FrameReader, chunk: Buffer): void {
    try {
      for (const message of reader.read(chunk)) this.#handle(socket, message as readonly unknown[]);
    } catch (error) {
      socket.destroy(error as Error);
    }
  }

  #handle(socket: Socket, [head, second, third]: readonly unknown[]): void {
    if (head === 'welcome') this.#welcome(socket, second as Store['kind']);
    else if (head === 'changed') this.#tell(second as Topic, third);
    else if (head === 'denied') socket.destroy(new Error(`the store refused: ${String(second)}`));
    else this.#settle(this.#calls.take(head as number), second === true, third);
  }

  #tell(topic: Topic, pool: unknown): void {
    this.#events.onChanged(topic, typeof pool === 'string' ? pool : undefined);
  }

  #welcome(socket: Socket, kind: Store['kind']): void {
    if (this.#state.type !== 'connecting') return;
    this.#state = { type: 'open', socket };
    this.#failures = 0;
    for (const { id, frame } of this.#calls.unsent()) this.#send(socket, id, frame);
    this.#events.onWelcome(kind);
  }

  #settle(call: ReturnType<PendingCalls['take']>, good: boolean, body: unknown): void {
    // Undefined: it was given up before the answer came.
    if (call === undefined) return;
    if (good) call.resolve(body);
    else call.reject(toError(body as WireError));
  }

  /** All that is sent in one turn of the event loop leaves together. */
  #send(socket: Socket, id: number, frame: Buffer): void {
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        socket.uncork();
      });
    }
    this.#calls.markSent(id);
    socket.write(frame);
  }
}

interface WireError {
  readonly reason: string;
  readonly message: string;
  readonly outcome?: StoreError['outcome'];
}

function toError({ reason, message, outcome }: WireError): AppError {
  if (outcome !== undefined) return new StoreError(message, outcome);
  return new AppError(isReason(reason) ? reason : 'INTERNAL', message);
}

function encodeCall(method: StoreMethod, message: readonly unknown[]): Buffer {
  try {
    return encodeFrame(message);
  } catch (error) {
    throw new StoreError(`${method}: too large for one call`, 'not-applied', error);
  }
}
