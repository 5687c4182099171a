/** How long the finaliser may hold pools whose projects cannot be erased: deleting a pool, or its namespace, must not hang. */
import type { Clock } from '../../platform/clock.ts';
import type { Stored } from '../../platform/kube/kube.ts';
import type { AgentPoolObject, ObjectMeta } from '../../platform/kube/resources.ts';
import type { CachedObjects } from '../drivers/kubernetes/cached-objects.ts';
import { ERASE_FINALISER, type PoolWriter } from './pool-writer.ts';

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

  /** It is being deleted, our finaliser holds it, and has for as long as it may. */
  isOver({ deletionTimestamp, finalizers = [] }: ObjectMeta): boolean {
    if (deletionTimestamp === undefined || !finalizers.includes(ERASE_FINALISER)) return false;
    const heldMs = this.#clock.wallMs() - Date.parse(deletionTimestamp);
    const triedMs = this.#clock.nowMs() - this.#startedMs;
    return heldMs >= this.#msMax && triedMs >= Math.min(OWN_TRY_MS_MAX, this.#msMax);
  }
}

export interface LetGoOptions {
  readonly pools: Pick<CachedObjects<AgentPoolObject>, 'list'>;
  readonly bound: EraseBound;
  readonly writer: Pick<PoolWriter, 'keepFinaliser'>;
  /** Called for each pool before it goes. */
  readonly onLetGo: (object: Stored<AgentPoolObject>) => void;
}

/** For an operator that cannot even begin, as its store is away. */
export async function letGoOverdue(
  { pools, bound, writer, onLetGo }: LetGoOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const object of pools.list().filter(({ metadata }) => bound.isOver(metadata))) {
    onLetGo(object);
    await writer.keepFinaliser(object, false, signal);
  }
}
