/** What was started, so that it is taken down in one fixed order, whatever the order in which it came up: nothing is half started, nothing is left. */

export class Closers<Name extends string> {
  readonly #order: readonly Name[];
  readonly #closers = new Map<Name, () => Promise<void> | void>();

  /** @param order from the first that is taken down to the last. */
  constructor(order: readonly Name[]) {
    this.#order = order;
  }

  add(name: Name, close: () => Promise<void> | void): void {
    this.#closers.set(name, close);
  }

  /** Goes on after one that fails; rejects with the first failure when all were asked. */
  async closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const name of this.#order) {
      const close = this.#closers.get(name);
      this.#closers.delete(name);
      try {
        await close?.();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
