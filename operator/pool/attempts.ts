/** Steps that are all tried, whatever became of those before: what is wrong with one must not hold up the others. */
import type { Step, StepOutcomes } from './hindrance.ts';

export class Attempts {
  readonly #outcomes = new Map<Step, Error | undefined>();

  /** Of all steps that were tried. */
  get outcomes(): StepOutcomes {
    return this.#outcomes;
  }

  get haveFailed(): boolean {
    return [...this.#outcomes.values()].some((error) => error !== undefined);
  }

  /** True: it succeeded. */
  async try(step: Step, run: () => Promise<unknown>): Promise<boolean> {
    try {
      await run();
      this.#outcomes.set(step, undefined);
      return true;
    } catch (error) {
      this.#outcomes.set(step, error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  }

  throwFirst(): void {
    const first = [...this.#outcomes.values()].find((error) => error !== undefined);
    if (first !== undefined) throw first;
  }
}
