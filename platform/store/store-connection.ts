/** One client of the store server: greets, checks every call against the scope of its token, answers, and never holds more than its bounds. */
import type { Socket } from 'node:net';
import type { PoolKey } from '../../core/identifiers.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { answerCall, isWrite, type CallMessage } from './store-call.ts';
import { encodeFrame, FRAME_BYTES_MAX, FrameReader, STORE_PROTOCOL } from './store-frames.ts';
import type { StoreScope } from './store-methods.ts';
import type { Store, Topic } from './store.ts';

/** Beyond this many unanswered calls, or bytes of unread answers, nothing more is read from the client. */
const CALLS_IN_FLIGHT_MAX = 1_024;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
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
  /** At most what one chunk of input brings, as nothing is read while anything waits here. */
  readonly #inbox: CallMessage[] = [];
  #inFlight = 0;
  #reading = false;
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
      this.#work();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      greeting.cancel();
      this.#state = { type: 'ended' };
      onEnd();
    });
  }

  /** Tells the client that something of the topic changed, unless it is of a pool that is not its own. */
  notify(topic: Topic, pool: PoolKey | undefined): void {
    if (this.#state.type !== 'greeted') return;
    const { scope } = this.#state;
    if (scope !== '*' && pool !== undefined && pool !== scope) return;
    // It does not read at all: without a connection it will ask again for everything.
    if (this.#socket.writableLength > ANSWER_BYTES_MAX + FRAME_BYTES_MAX) this.#socket.destroy();
    else this.#send(pool === undefined ? ['changed', topic] : ['changed', topic, pool]);
  }

  end(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#reader.read(chunk)) {
        if (!Array.isArray(message)) throw new TypeError('a message that is no list');
        this.#inbox.push(message);
      }
    } catch (error) {
      this.#context.log.warn('store connection ended: it sent what is no frame', { err: error });
      this.#socket.destroy();
      return;
    }
    this.#work();
  }

  /** Takes messages up while there is room for what they bring; the rest waits, and nothing more is read. */
  #work(): void {
    while (!this.#reading && this.#hasRoom()) {
      const message = this.#inbox.shift();
      if (message === undefined) break;
      this.#take(message);
    }
    if (this.#inbox.length > 0 || !this.#hasRoom()) this.#socket.pause();
    else this.#socket.resume();
  }

  #hasRoom(): boolean {
    return this.#inFlight < CALLS_IN_FLIGHT_MAX && this.#socket.writableLength < ANSWER_BYTES_MAX;
  }

  #take(message: CallMessage): void {
    if (this.#state.type === 'ended') return;
    if (this.#state.type === 'unknown') {
      this.#greet(message);
      return;
    }
    this.#inFlight += 1;
    // One read at a time: only its answer tells how large it is. Writes gather into groups, and have small answers.
    const reads = !isWrite(message);
    if (reads) this.#reading = true;
    void answerCall(this.#context, this.#state.scope, message).then((answer) => {
      this.#inFlight -= 1;
      if (reads) this.#reading = false;
      this.#send(answer);
      this.#work();
    });
  }

  #greet([word, protocol, token]: readonly unknown[]): void {
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

  /** All that is sent in one turn of the event loop leaves together. */
  #send(message: readonly unknown[]): void {
    if (this.#socket.destroyed || this.#state.type === 'ended') return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(frameOf(message));
  }
}

function frameOf(message: readonly unknown[]): Buffer {
  try {
    return encodeFrame(message);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return encodeFrame([
      message[0],
      false,
      { reason: 'INTERNAL', message: `the answer is too large: ${what}` },
    ]);
  }
}
