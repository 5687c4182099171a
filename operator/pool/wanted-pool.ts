/** A pool as its source (manifest files, later the Kubernetes API) wants it, and the port of such sources. */
import type { AgentPoolSpec, AgentPoolStatus } from '../../api/agent-pool.ts';
import type { PoolKey, PoolRef } from '../../core/identifiers.ts';

/** The agents' code, ready to be run. */
export interface ModuleArtifact {
  /** Changes whenever the content does. */
  readonly digest: string;
  /** Where a runtime finds it. */
  readonly path: string;
  /** What pods of it run: of a pool that names none, that of the installation at the time. Left out: not in a cluster. */
  readonly image?: string;
  /** Where it is not in an image. */
  readonly mounted?: MountedModule;
}

/** A key of a ConfigMap, whose text may change while runtimes with this one live. */
export interface MountedModule {
  readonly configMap: string;
  readonly key: string;
  /** Of the text. */
  readonly digest: string;
}

export type ModuleState =
  | { readonly at: 'loaded'; readonly artifact: ModuleArtifact }
  /** It does not load now; `last`: what it was when it last did, which goes on being served. */
  | {
      readonly at: 'broken';
      readonly message: string;
      readonly stack?: string;
      readonly last?: ModuleArtifact;
    };

export interface WantedPool {
  readonly ref: PoolRef;
  /** Of pools that had this name one after another it tells which; left out: there is only one. */
  readonly uid?: string;
  /** Counts changes of the spec. */
  readonly generation: number;
  readonly spec: AgentPoolSpec;
  readonly module: ModuleState;
  /** What is wrong with the manifest now, a line each: the pool is what it was before. */
  readonly problems?: readonly string[];
  /** As an earlier operator left it: where this one goes on from. */
  readonly status?: AgentPoolStatus;
  /** It is to go, and is held until `release`. */
  readonly isDeleting?: boolean;
  /** It is to go, and all that it has is to outlive it, its projects too: nothing is done about that. Its spec says Retain. */
  readonly isOrphaned?: boolean;
  /** It has been held for as long as it may be: it goes now, and what is left of it is erased later, if ever. */
  readonly isOverdue?: boolean;
}

export interface PoolSource {
  /** Undefined: nobody wants this pool (any more). */
  get(key: PoolKey): WantedPool | undefined;
  list(): readonly PoolKey[];
  /** False: whether anybody wants this pool cannot be known here. Left out: it always can. */
  covers?(key: PoolKey): boolean;
  /** False: neither the pool nor its runtimes can be seen now, so nothing may be done about them until `watch` tells. Left out: they always can. */
  sees?(key: PoolKey): boolean;
  /** Calls back when a pool came, changed or went; undefined: some can be seen that could not. Returns its end. */
  watch(onChange: (key: PoolKey | undefined) => void): () => void;
  /** Told when it changes: paths of the artifacts that runtimes have or will be given. Of all others only what `get` answers is needed. */
  keep?(paths: ReadonlySet<string>): void;
  /**
   * Tells the pool's authors its status, where this source has a place for that. Called in every pass: writes what changed.
   *
   * @returns in how many ms to call again, where it was too soon to write.
   */
  report?(key: PoolKey, status: AgentPoolStatus, signal: AbortSignal): Promise<number | undefined>;
  /** The pool that is being deleted has nothing left: it may go. */
  release?(key: PoolKey, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
