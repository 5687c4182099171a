/** Lets a bounded number through at once; the rest waits in order. */

export class Gate {
  readonly #max: () => number;
  #inside = 0;
  #waiting: (() => void)[] = [];

  /** @param max asked at each entry, so that a changed limit applies live. Waiting is bounded by who may knock: instances. */
  constructor(max: () => number) {
    this.#max = max;
  }

  get inside(): number {
    return this.#inside;
  }

  /** Resolves to the way out; call it once. */
  async enter(): Promise<() => void> {
    while (this.#inside >= this.#max()) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    this.#inside += 1;
    return () => {
      this.#inside -= 1;
      this.#waiting.shift()?.();
    };
  }
}
