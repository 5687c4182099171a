/** How long the finaliser may hold pools whose projects cannot be erased: deleting a pool, or its namespace, must not hang. */
import type { Clock } from '../../platform/clock.ts';
import type { ObjectMeta } from '../../platform/kube/resources.ts';
import { ERASE_FINALISER } from './pool-writer.ts';

export const ERASE_MS_MAX = 5 * 60_000;
/** An operator that finds a pool long deleted tries for so long itself: the time in which none ran has erased nothing. */
const OWN_TRY_MS_MAX = 60_000;

export class EraseBound {
  readonly #clock: Pick<Clock, 'nowMs' | 'wallMs'>;
  readonly #msMax: number;
  readonly #startedMs: number;

  /** Made when this process begins to lead. */
  constructor(clock: Pick<Clock, 'nowMs' | 'wallMs'>, msMax: number = ERASE_MS_MAX) {
    this.#clock = clock;
    this.#msMax = msMax;
    this.#startedMs = clock.nowMs();
  }

  /**
   * It is being deleted, our finaliser holds it, and has for as long as it may.
   *
   * @param seenSinceMs since when this operator could do anything about it (monotonic ms).
   */
  isOver({ deletionTimestamp, finalizers = [] }: ObjectMeta, seenSinceMs = -Infinity): boolean {
    if (deletionTimestamp === undefined || !finalizers.includes(ERASE_FINALISER)) return false;
    const heldMs = this.#clock.wallMs() - Date.parse(deletionTimestamp);
    const triedMs = this.#clock.nowMs() - Math.max(this.#startedMs, seenSinceMs);
    return heldMs >= this.#msMax && triedMs >= Math.min(OWN_TRY_MS_MAX, this.#msMax);
  }
}
