/** Writes what the operator has to say into AgentPool objects: their status, and the finaliser that holds them until their projects are erased. */
import { isDeepStrictEqual } from 'node:util';
import { type AgentPoolStatus, API_GROUP, API_VERSION, KIND } from '../../api/agent-pool.ts';
import type { Clock } from '../../platform/clock.ts';
import { isKubeError } from '../../platform/kube/kube-error.ts';
import { type Kube, refOf, type Stored } from '../../platform/kube/kube.ts';
import { AGENT_POOLS, type AgentPoolObject } from '../../platform/kube/resources.ts';

export const ERASE_FINALISER = `${API_GROUP}/erase`;

export interface PoolWriterOptions {
  /** Writes only while this process leads. */
  readonly kube: Kube;
  readonly clock: Clock;
}

interface Written {
  readonly status: AgentPoolStatus;
  readonly atMs: number;
}

/** Counts change with each task: alone they are written at most this often. */
const COUNTS_INTERVAL_MS = 30_000;
/** After this a cache has seen our write, or somebody has undone it. */
const ECHO_MS = 10_000;

export class PoolWriter {
  readonly #options: PoolWriterOptions;
  /** By uid. Bounded by the pools: who learns that one is gone says `forget`. */
  readonly #written = new Map<string, Written>();

  constructor(options: PoolWriterOptions) {
    this.#options = options;
  }

  /**
   * Only when it differs from what is there; fields that others have written are taken back.
   *
   * @returns in how many ms to try again: it differs, and it is too soon. Undefined: nothing is left to do.
   */
  async writeStatus(
    object: Stored<AgentPoolObject>,
    status: AgentPoolStatus,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const inMs = this.#dueInMs(object, status);
    if (inMs === undefined || inMs > 0) return inMs;
    const { uid } = object.metadata;
    const { namespace, name } = refOf(object);
    try {
      await this.#options.kube.applyStatus(
        AGENT_POOLS,
        { apiVersion: API_VERSION, kind: KIND, metadata: { namespace, name, uid }, status },
        { signal },
      );
    } catch (error) {
      // Gone, or another one of the same name by now.
      if (!isKubeError(error, 'NotFound', 'Conflict')) throw error;
      return undefined;
    }
    this.#written.set(uid, { status, atMs: this.#options.clock.nowMs() });
    return undefined;
  }

  async keepFinaliser(
    object: Stored<AgentPoolObject>,
    isWanted: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { uid, resourceVersion, finalizers = [], deletionTimestamp } = object.metadata;
    const has = finalizers.includes(ERASE_FINALISER);
    // To an object that is being deleted none can be added.
    if (has === isWanted || (isWanted && deletionTimestamp !== undefined)) return;
    const others = finalizers.filter((one) => one !== ERASE_FINALISER);
    const wanted = isWanted ? [...others, ERASE_FINALISER] : others;
    try {
      await this.#options.kube.patch(
        AGENT_POOLS,
        refOf(object),
        { metadata: { finalizers: wanted } },
        { uid, resourceVersion, signal },
      );
    } catch (error) {
      if (!isKubeError(error, 'NotFound')) throw error;
    }
  }

  /** How many objects it remembers. */
  get size(): number {
    return this.#written.size;
  }

  /** The object is gone. */
  forget(uid: string): void {
    this.#written.delete(uid);
  }

  /** 0: now. Undefined: it is there. */
  #dueInMs(object: Stored<AgentPoolObject>, status: AgentPoolStatus): number | undefined {
    const stored = object.status as AgentPoolStatus | undefined;
    const { uid } = object.metadata;
    const written = this.#written.get(uid);
    if (isDeepStrictEqual(stored, status)) {
      // Now that the cache has it: one object for both, as there can be thousands.
      if (written !== undefined && isDeepStrictEqual(written.status, status))
        this.#written.set(uid, { ...written, status: stored ?? status });
      return undefined;
    }
    if (written === undefined) return 0;
    const ageMs = this.#options.clock.nowMs() - written.atMs;
    if (isDeepStrictEqual(written.status, status)) return Math.max(0, ECHO_MS - ageMs);
    if (!isDeepStrictEqual(withoutCounts(written.status), withoutCounts(status))) return 0;
    return Math.max(0, COUNTS_INTERVAL_MS - ageMs);
  }
}

function withoutCounts(status: AgentPoolStatus): AgentPoolStatus {
  return { ...status, tiers: [] };
}
