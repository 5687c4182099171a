/**
 * The driver port: what the operator asks of whatever makes runtimes (process, later Kubernetes), in the operator's words.
 * Every driver, the fake included, passes test/conformance/driver.ts.
 */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { Role } from '../../api/names.ts';
import type { PoolKey, ProjectKey } from '../../core/identifiers.ts';
import type { Hindrance } from './hindrance.ts';
import type { ModuleArtifact } from './wanted-pool.ts';

/** A lower case DNS label of at most 63 characters; no two runtimes of a pool have the same at one time. */
export type RuntimeName = string;

export interface RuntimeRef {
  readonly pool: PoolKey;
  readonly name: RuntimeName;
}

/** What a runtime as a whole may use; a standby only serves projects of an equal class. */
export interface ResourceClass {
  /** Absent: no limit that the driver would enforce. */
  readonly memoryMb?: number;
  /** Of one core. Absent: no such limit. */
  readonly cpuPercent?: number;
}

/** All that a runtime cannot change while it runs: equal revision, equal template. */
export interface RuntimeTemplate {
  readonly revision: string;
  readonly module: ModuleArtifact;
  /** The spec of that revision: for all that a driver makes a runtime of. */
  readonly spec: AgentPoolSpec;
}

export interface RuntimeRequest {
  readonly name: RuntimeName;
  readonly pool: PoolKey;
  readonly role: Role;
  readonly template: RuntimeTemplate;
  readonly resources: ResourceClass;
}

/** Why a runtime ended, from a closed set. */
export type ExitReason =
  /** We asked it to. */
  | 'Ordered'
  /** It said before it ended that its agent module cannot be used. */
  | 'AgentModuleInvalid'
  /** It ended by itself: a crash, a signal, a kill. */
  | 'Crashed'
  /** It used more memory than it may, as a whole. */
  | 'OutOfMemory'
  /** Its machine had no room for it any more, or went away: no fault of what runs in it. */
  | 'Evicted'
  /** It could not even be started. */
  | 'StartFailed';

/** What keeps a runtime from being started, though it was asked for: it is waited for, as a new one would fare no better. */
export type StartProblemReason =
  | 'ImagePullFailed'
  | 'Unschedulable'
  /** A ConfigMap, Secret or key that it needs is not there. */
  | 'ContainerConfigInvalid';

export interface StartProblem {
  readonly reason: StartProblemReason;
  /** One sentence. */
  readonly message: string;
}

export type RuntimePhase =
  /** Asked for; nothing of it runs yet. `takenUpByMs`: it has a machine, which must have begun with it by then (monotonic ms of the operator's clock). */
  | { readonly at: 'pending'; readonly problem?: StartProblem; readonly takenUpByMs?: number }
  | { readonly at: 'running' }
  /** It ran when it was last heard of; its machine does not answer those who manage it, but it may run and serve all the same. */
  | { readonly at: 'unseen' }
  /** It runs, but its event loop has not answered for `silentMs` of the driver's limits. */
  | { readonly at: 'silent' }
  /** Asked to end, not gone yet. */
  | { readonly at: 'ending' }
  | {
      readonly at: 'exited';
      readonly reason: ExitReason;
      /** One sentence. */
      readonly message: string;
      readonly stack?: string;
    };

/** It runs, as far as anybody knows. */
export function isUp(at: RuntimePhase['at']): boolean {
  return at === 'running' || at === 'unseen';
}

/** One runtime as the driver sees it now; exited ones stay until they are removed. */
export interface DrivenRuntime {
  readonly name: RuntimeName;
  readonly pool: PoolKey;
  readonly role: Role;
  readonly revision: string;
  readonly resources: ResourceClass;
  /** When it last began to run, as far as this operator has seen; until then, when it was made. Monotonic ms of the operator's clock. */
  readonly createdMs: number;
  /** The project that it was given, as far as it was marked. */
  readonly binding?: { readonly project: ProjectKey; readonly sinceMs: number };
  readonly phase: RuntimePhase;
}

/** How many runtimes of each role a pool should have. */
export type PoolNeeds = Readonly<Record<Role, number>> & { readonly spec: AgentPoolSpec };

export interface Driver {
  readonly kind: string;
  /** What of the spec it enforces itself; `describe` tells what is missing. */
  readonly enforces: {
    /** `memoryMb` and `cpuPercent` of a HOT project's quota, as limits of its whole runtime. */
    readonly hotLimits: boolean;
  };
  /** Resolves when the runtime is being made; that it fails later shows as an exit. The same name again changes nothing. */
  create(request: RuntimeRequest, signal: AbortSignal): Promise<void>;
  /**
   * Gives a standby its one project, for life: the runtime itself takes it, or has another one (`BoundElsewhere`), or nothing was said to it
   * (`NotTold`). The same project again is answered like the first time.
   */
  bind(runtime: RuntimeRef, project: ProjectKey, signal: AbortSignal): Promise<void>;
  /** Writes down what a runtime took, so that `list` shows it, also to the operators to come. Left out: `list` shows it by itself. */
  mark?(runtime: RuntimeRef, project: ProjectKey, signal: AbortSignal): Promise<void>;
  /**
   * Asks it to finish what it does, release what it owns and end; after `withinMs` it is ended. Does not wait for that. What it throws says
   * that nothing was done, unless nobody knows (`isOutcomeUnknown`); the same of `remove`.
   */
  drain(runtime: RuntimeRef, withinMs: number): Promise<void>;
  /** Ends it now if it still runs, and forgets it once it is gone. Unknown names are fine. */
  remove(runtime: RuntimeRef): Promise<void>;
  /**
   * Brings what the pool has besides its runtimes to what is wanted: before each create, and whenever the needs may have changed.
   * Left out: there is nothing of the kind.
   */
  prepare?(pool: PoolKey, needs: PoolNeeds, signal: AbortSignal): Promise<void>;
  /** The pool is gone with its runtimes: so is what it had outside of the cluster. Left out: there is nothing of the kind. */
  forget?(pool: PoolKey): Promise<void>;
  /** What somebody in the pool lacks and who writes manifests can mend, while all else goes on. Left out: never anything. */
  complaintOf?(pool: PoolKey): Hindrance | undefined;
  /**
   * The modules of all runtimes that are there or will be made: what the driver has made for others may go, and what is missing for
   * these is made again. Left out: it makes nothing for modules.
   */
  keepModules?(
    pool: PoolKey,
    modules: readonly ModuleArtifact[],
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Keeps for operators to come what the good runtimes are made of, in place of what was kept before. In every pass.
   * Left out: no runtime outlives the operator.
   */
  keepTemplate?(pool: PoolKey, template: RuntimeTemplate, signal: AbortSignal): Promise<void>;
  /**
   * What an operator has kept of a revision, on top of all that a spec may change while runtimes live. Undefined: nothing, or nothing that can be
   * trusted.
   */
  keptTemplate?(
    pool: PoolKey,
    revision: string,
    spec: AgentPoolSpec,
    signal: AbortSignal,
  ): Promise<RuntimeTemplate | undefined>;
  /** Names that cannot be had in the pool's place, as far as is known, whoever has them. Left out: those that `list` shows. */
  namesInUse?(pool: PoolKey): readonly RuntimeName[];
  list(pool: PoolKey): Promise<readonly DrivenRuntime[]>;
  /** Pools that have runtimes. */
  listPools(): Promise<readonly PoolKey[]>;
  /** Calls back when a runtime of the pool may have changed; may be spurious. Returns its end. */
  watch(onChange: (pool: PoolKey) => void): () => void;
}
