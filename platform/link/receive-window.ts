/** How many received bytes of one task may be given back to the sender: what has been consumed, and what only waits for the rest of its own body. */
import { WINDOW_RETURN_BYTES } from './link-limits.ts';

export class ReceiveWindow {
  /** Received and not given back yet. */
  #owed = 0;
  /** Handed on and not consumed yet. */
  #unconsumed = 0;
  /** Received of a body whose end has not come. */
  #partial = 0;

  received(bytes: number): void {
    this.#owed += bytes;
    this.#partial += bytes;
  }

  /** The body is complete; `consumed` tells later how it goes on. */
  handedOn(): void {
    this.#unconsumed += this.#partial;
    this.#partial = 0;
  }

  /** The body is complete and nobody holds it up. */
  swallowed(): void {
    this.#partial = 0;
  }

  consumed(bytes: number): void {
    this.#unconsumed = Math.max(0, this.#unconsumed - bytes);
  }

  /**
   * Bytes to give back now; 0: not worth a frame. A body larger than the window would never end if its own slices counted, so they do
   * not while nothing else is unconsumed: a task holds at most one window and one body.
   */
  takeReturn(): number {
    const held = this.#unconsumed + (this.#unconsumed > 0 ? this.#partial : 0);
    const bytes = this.#owed - held;
    if (bytes < WINDOW_RETURN_BYTES) return 0;
    this.#owed -= bytes;
    return bytes;
  }
}
