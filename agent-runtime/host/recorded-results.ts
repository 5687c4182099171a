/** Which request ids of a project have a recorded result, so that only a repeat asks the store. Holds ids, never results. */
import type { ResultId } from '../../platform/store/store.ts';

export class RecordedResults {
  /** Request id → digest, oldest first. */
  readonly #digests = new Map<string, string>();

  constructor(results: readonly ResultId[]) {
    for (const { requestId, digest } of results) this.#digests.set(requestId, digest);
  }

  digestOf(requestId: string): string | undefined {
    return this.#digests.get(requestId);
  }

  /** @param idsMax the retention's count: over it the oldest are forgotten, as in the store. */
  add(result: ResultId, idsMax: number): void {
    this.#digests.delete(result.requestId);
    this.#digests.set(result.requestId, result.digest);
    for (const oldest of this.#digests.keys()) {
      if (this.#digests.size <= idsMax) break;
      this.#digests.delete(oldest);
    }
  }

  /** The store does not have it any more. */
  drop(requestId: string): void {
    this.#digests.delete(requestId);
  }
}
