/** How far an agent may be ahead of whoever reads its chunks: counts what is untaken and lets the agent wait for room. */

/** What a chunk costs beside its bytes on the way to the caller, so that a million of one byte each are bounded too. */
export const CHUNK_OVERHEAD_BYTES = 256;

export class ChunkWindow {
  readonly #bytesMax: number;
  /** Sizes of untaken chunks, oldest first, from `#first` on. */
  #sizes: number[] = [];
  #first = 0;
  #takenOfFirst = 0;
  #cost = 0;
  #waiting: (() => void)[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Who waits for room never comes near the bound, also when several emit side by side. */
  get hasRoom(): boolean {
    return this.#cost <= this.#bytesMax / 2;
  }

  /** More than `bytesMax` are untaken: nothing may be added. One chunk may pass the bound by its own size. */
  get isOver(): boolean {
    return this.#cost > this.#bytesMax;
  }

  sent(bytes: number): void {
    this.#sizes.push(bytes);
    this.#cost += bytes + CHUNK_OVERHEAD_BYTES;
  }

  taken(bytes: number): void {
    this.#takenOfFirst += bytes;
    for (
      let size = this.#sizes[this.#first];
      size !== undefined && this.#takenOfFirst >= size;
      size = this.#sizes[this.#first]
    ) {
      this.#takenOfFirst -= size;
      this.#cost -= size + CHUNK_OVERHEAD_BYTES;
      this.#first += 1;
    }
    this.#forgetTaken();
    if (this.hasRoom) this.close();
  }

  /** Undefined: there is room now. Bounded by the agent's own unfinished emits, which are bounded by this window. */
  waitForRoom(): Promise<void> | undefined {
    return this.hasRoom ? undefined : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Wakes all who wait: there is room, or the task has ended. */
  close(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Amortised: shifting an array for each chunk would cost its length. */
  #forgetTaken(): void {
    if (this.#first < 1_000 && this.#first < this.#sizes.length) return;
    this.#sizes = this.#sizes.slice(this.#first);
    this.#first = 0;
  }
}
