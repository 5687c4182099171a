/** Messages between two threads that become ready in the same turn of the event loop travel as one: waking the other side costs more than a message. */

/** More than that leave at once: what is waiting must not grow while a turn goes on. */
const BATCH_MESSAGES_MAX = 64;

export class MessageBatch<Message> {
  readonly #send: (messages: readonly Message[]) => void;
  #messages: Message[] = [];
  #isHeld = false;

  constructor(send: (messages: readonly Message[]) => void) {
    this.#send = send;
  }

  /** Sent with all that is added until the running callback and its microtasks are done. */
  add(message: Message): void {
    this.#messages.push(message);
    if (this.#messages.length >= BATCH_MESSAGES_MAX) this.flush();
    else if (this.#messages.length === 1) process.nextTick(() => this.#flushUnlessHeld());
  }

  /** What is added from now on leaves after whatever this thread has sent to sockets until now, and goes on sending in this turn. */
  hold(): void {
    if (this.#isHeld) return;
    this.flush();
    this.#isHeld = true;
    const release = (): void => {
      this.#isHeld = false;
      this.flush();
    };
    // The first turn may only hand the bytes to HTTP/2, which writes them before the callbacks of the second.
    // eslint-disable-next-line no-restricted-syntax -- no timer: the end of this turn of the event loop and of the next
    setImmediate(() => setImmediate(release));
  }

  #flushUnlessHeld(): void {
    if (!this.#isHeld) this.flush();
  }

  /** Sends what waits now, in order. */
  flush(): void {
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    this.#messages = [];
    this.#send(messages);
  }
}
