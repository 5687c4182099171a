/** One client of the store server: greets, checks every call against the scope of its token, answers, and never holds more than its bounds. */
import type { Socket } from 'node:net';
import { AppError } from '../../core/errors.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { encodeFrame, FrameReader, STORE_PROTOCOL } from './store-frames.ts';
import {
  isAllowed,
  isStoreMethod,
  restrict,
  type StoreMethod,
  type StoreScope,
} from './store-methods.ts';
import { StoreError } from './store-error.ts';
import type { Store, Topic } from './store.ts';

/** Beyond this many unanswered calls, or bytes of unread answers, no more is read from the client until half of it is gone. */
const CALLS_IN_FLIGHT_MAX = 1_024;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** Beyond this the client does not read at all. */
const ANSWER_BYTES_LOST = 256 * 1024 * 1024;
const HELLO_MS_MAX = 5_000;

export interface ConnectionContext {
  readonly store: Store;
  /** Undefined: nobody has this token. */
  readonly access: (token: string) => StoreScope | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

type State =
  | { readonly type: 'unknown' }
  | { readonly type: 'greeted'; readonly scope: StoreScope }
  | { readonly type: 'ended' };

export class StoreConnection {
  readonly #socket: Socket;
  readonly #context: ConnectionContext;
  readonly #reader = new FrameReader();
  #state: State = { type: 'unknown' };
  #inFlight = 0;
  #corked = false;

  /** @param onEnd when the client is gone, for whatever reason. */
  constructor(socket: Socket, context: ConnectionContext, onEnd: () => void) {
    this.#socket = socket;
    this.#context = context;
    const greeting = context.clock.after(HELLO_MS_MAX, () => {
      if (this.#state.type === 'unknown') socket.destroy();
    });
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    socket.on('drain', () => {
      this.#regulate();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      greeting.cancel();
      this.#state = { type: 'ended' };
      onEnd();
    });
  }

  /** Tells the client that something of the topic changed. */
  notify(topic: Topic): void {
    if (this.#state.type === 'greeted') this.#send(['changed', topic]);
  }

  end(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#reader.read(chunk)) this.#handle(message);
    } catch (error) {
      this.#context.log.warn('store connection ended: it sent what is no frame', { err: error });
      this.#socket.destroy();
    }
  }

  #handle(message: unknown): void {
    if (this.#state.type === 'ended') return;
    const [head, second, third] = message as readonly unknown[];
    if (this.#state.type === 'unknown') this.#greet(head, second, third);
    else void this.#answer({ id: head, method: second, args: third, scope: this.#state.scope });
  }

  #greet(word: unknown, protocol: unknown, token: unknown): void {
    const scope = typeof token === 'string' ? this.#context.access(token) : undefined;
    if (word !== 'hello' || protocol !== STORE_PROTOCOL || scope === undefined) {
      const what =
        protocol === STORE_PROTOCOL
          ? 'nobody has this token'
          : `this store speaks protocol ${STORE_PROTOCOL}`;
      this.#socket.end(encodeFrame(['denied', what]));
      this.#state = { type: 'ended' };
      return;
    }
    this.#state = { type: 'greeted', scope };
    this.#send(['welcome', this.#context.store.kind]);
  }

  async #answer(call: {
    id: unknown;
    method: unknown;
    args: unknown;
    scope: StoreScope;
  }): Promise<void> {
    this.#inFlight += 1;
    this.#regulate();
    const { id, method, args, scope } = call;
    try {
      if (!isStoreMethod(method) || !Array.isArray(args))
        throw new AppError('INTERNAL', `no such call: ${String(method)}`);
      if (!isAllowed(scope, method, args))
        throw new AppError('FORBIDDEN', `${method}: not a key of this token's pool`);
      const answer = await this.#ask(method, args);
      this.#send([id, true, restrict(scope, method, answer)]);
    } catch (error) {
      this.#send([id, false, this.#describe(error)]);
    } finally {
      this.#inFlight -= 1;
      this.#regulate();
    }
  }

  #ask(method: StoreMethod, args: readonly unknown[]): Promise<unknown> {
    const { store } = this.#context;
    return (store[method] as (...args: readonly unknown[]) => Promise<unknown>).call(
      store,
      ...args,
    );
  }

  #describe(error: unknown): object {
    if (error instanceof StoreError) {
      const { reason, message, outcome } = error;
      return { reason, message, outcome };
    }
    if (error instanceof AppError) return { reason: error.reason, message: error.message };
    this.#context.log.error('store call failed', { err: error });
    return {
      reason: 'STORE_UNAVAILABLE',
      message: 'the store failed; its log has the details',
      outcome: 'unknown',
    };
  }

  /** All that is sent in one turn of the event loop leaves together. */
  #send(message: unknown): void {
    if (this.#socket.destroyed || this.#state.type === 'ended') return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(encodeFrame(message));
    if (this.#socket.writableLength > ANSWER_BYTES_LOST) this.#socket.destroy();
  }

  #regulate(): void {
    const answerBytes = this.#socket.writableLength;
    if (this.#inFlight >= CALLS_IN_FLIGHT_MAX || answerBytes >= ANSWER_BYTES_MAX)
      this.#socket.pause();
    else if (this.#inFlight <= CALLS_IN_FLIGHT_MAX / 2 && answerBytes <= ANSWER_BYTES_MAX / 2)
      this.#socket.resume();
  }
}
