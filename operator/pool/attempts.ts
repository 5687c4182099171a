/** Steps that are all tried, whatever became of those before: what is wrong with one must not hold up the others. */
export class Attempts {
  readonly #failures: unknown[] = [];

  get haveFailed(): boolean {
    return this.#failures.length > 0;
  }

  /** True: it succeeded. */
  async try(step: () => Promise<unknown>): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      this.#failures.push(error);
      return false;
    }
  }

  throwFirst(): void {
    if (this.haveFailed) throw this.#failures[0];
  }
}
