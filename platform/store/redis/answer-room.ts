/**
 * How many bytes of answers Redis is asked for at once: what is asked together is held together, there as here. Who asks for more waits, in
 * order; small answers need not ask here.
 */
import type { Clock, Timer } from '../../clock.ts';
import { StoreError } from '../store-error.ts';

/** One answer alone may be larger: a result, or one turn, of 56 MiB. */
const BYTES_MAX = 64 * 1024 * 1024;
const WAITING_MAX = 10_000;
const WAIT_MS_MAX = 30_000;

/** What one list of records may well have: nobody knows before it is read. */
export const LIST_BYTES = 1024 * 1024;

interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
}

export class AnswerRoom {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  #taken = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Bytes of answers that are asked for now. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * @param bytes that the answer has at most; more than there is room for: asked for alone.
   * @throws StoreError where it had to wait for too long.
   */
  async within<Answer>(bytes: number, ask: () => Promise<Answer>): Promise<Answer> {
    const room = Math.min(bytes, BYTES_MAX);
    if (this.#waiting.size > 0 || !this.#fits(room)) await this.#turn(room);
    else this.#taken += room;
    try {
      return await ask();
    } finally {
      this.#taken -= room;
      this.#next();
    }
  }

  #fits(bytes: number): boolean {
    return this.#taken + bytes <= BYTES_MAX;
  }

  #turn(bytes: number): Promise<void> {
    if (this.#waiting.size >= WAITING_MAX) return Promise.reject(refused());
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        bytes,
        enter: () => {
          timer.cancel();
          resolve();
        },
      };
      const timer: Timer = this.#clock.after(WAIT_MS_MAX, () => {
        this.#waiting.delete(waiting);
        reject(refused());
        this.#next();
      });
      this.#waiting.add(waiting);
    });
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      if (!this.#fits(waiting.bytes)) return;
      this.#waiting.delete(waiting);
      this.#taken += waiting.bytes;
      waiting.enter();
    }
  }
}

const refused = (): StoreError =>
  new StoreError('too many large answers of Redis are waited for', 'not-applied');
