/** What the operator sees of one pool at one moment, as plain data: the input of `decide` and `statusOf`. */
import type { Role } from '../../api/names.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { TierCounts } from '../../core/tier.ts';
import type { RefusalReason } from './create-refused.ts';
import type { Hindrance } from './hindrance.ts';
import type { Start, StartKey } from './start-key.ts';
import type { ExitReason, ResourceClass, RuntimeName, RuntimePhase } from './driver.ts';

export type RuntimeState =
  /** Made by us, not in any list yet. */
  | { readonly at: 'expected' }
  /** Asked for; nothing of it runs yet, and no time-out counts but that of its machine. */
  | Extract<RuntimePhase, { at: 'pending' }>
  /** Never ready yet; for a bound runtime: never since it was bound. */
  | {
      readonly at: 'starting';
      /** Its time-out counts from here at the earliest (monotonic ms): before that nobody could see it become ready. */
      readonly countsFromMs?: number;
      /** What it says itself. */
      readonly problem?: string;
    }
  | { readonly at: 'ready'; readonly sinceMs: number }
  /** It was ready and is not now: fenced, or the store lost sight of it. */
  | { readonly at: 'unready' }
  | { readonly at: 'silent' }
  | { readonly at: 'ending' }
  | Extract<RuntimePhase, { at: 'exited' }>;

export interface SeenRuntime {
  readonly name: RuntimeName;
  /** What it calls itself in the store; two for a moment after a restart in place, none before it has said anything. */
  readonly incarnations: readonly string[];
  readonly role: Role;
  readonly revision: string;
  readonly resources: ResourceClass;
  readonly createdMs: number;
  readonly state: RuntimeState;
  /** Since when it runs without a live lease (monotonic ms); absent: it is heard of, or has ended, or was asked to. */
  readonly unheardSinceMs?: number;
  /** It has no live lease, and may serve all the same: there was no time yet to hear of it. */
  readonly mayServe?: true;
  /**
   * It would not be ended a moment ago: it stays for now, and counts. One that is `ending` may go or stay, as nobody knows what became of
   * the order: it is not counted on, and nothing takes its place.
   */
  readonly isStuck?: true;
  /** Its machine does not answer those who manage it. */
  readonly isUnseen?: boolean;
  /** Dedicated: the project it was given, and since when; `isUnmarked`: only it and this operator know. */
  readonly binding?: {
    readonly project: ProjectKey;
    readonly sinceMs: number;
    readonly isUnmarked?: true;
  };
  /** It owns its project, or (shared) any instance. */
  readonly isServing: boolean;
  /** Live ones, by the tier that they are served in. */
  readonly instances: TierCounts;
  /** Prewarmed workers that wait for an instance. */
  readonly blanks: number;
}

/** Why a project is HOT; also the order in which places are given away. */
export type HotSource = 'Project' | 'Override' | 'Default';

export interface HotProject {
  readonly project: ProjectKey;
  readonly source: HotSource;
  readonly resources: ResourceClass;
  /** Wall-clock ms: of the override, or of the last use. */
  readonly sinceMs: number;
  /** For how long nothing was asked of it; 0 when unknown. */
  readonly idleMs: number;
}

/** A run of failures without a success between. */
export interface Failures {
  readonly of: Start;
  readonly count: number;
  /** Those of them that what runs in it is to blame for, not its node. */
  readonly faults: number;
  readonly lastMs: number;
  readonly reason: ExitReason | 'StartTimeout' | 'Silent';
  readonly message: string;
  readonly stack?: string;
  /** The last one that ended had been ready: its agents ended it, not its start. */
  readonly hadServed?: boolean;
}

/** Creates that were refused in a row. */
export interface Refusal {
  readonly revision: string;
  readonly count: number;
  readonly lastMs: number;
  readonly reason: RefusalReason;
  readonly message: string;
}

export type Rollout =
  | { readonly at: 'settled'; readonly revision: string }
  | {
      readonly at: 'rolling';
      /** Absent: the first revision of the pool. */
      readonly from?: string;
      readonly to: string;
      readonly progressMs: number;
      readonly readyCount: number;
    }
  | {
      readonly at: 'stalled';
      readonly from?: string;
      readonly to: string;
      /** One of `to` that becomes ready after this, and stays so, ends it (monotonic ms). */
      readonly sinceMs: number;
      readonly readyCount: number;
      readonly why:
        'AgentModuleInvalid' | 'RuntimeCrashLooping' | 'PodRejected' | 'ProgressDeadline';
      readonly message: string;
    };

export interface Observed {
  /** The store does not answer: who owns what, and who became ready, is what it told last. */
  readonly isBlind?: boolean;
  /** Revision of the spec as it is now; absent: its agent module has never loaded. */
  readonly update?: string;
  /** Revision whose runtimes get new projects. */
  readonly served?: string;
  readonly runtimes: readonly SeenRuntime[];
  /** Every project whose tier is HOT now, whether or not there is room for it. */
  readonly hot: readonly HotProject[];
  /** What standbys are made of. */
  readonly standbyResources: ResourceClass;
  readonly rollout: Rollout;
  /** Revision of which a runtime last became ready while it was the pool's; absent: none has yet. */
  readonly good?: string;
  /** Runtimes that ended before they served. */
  readonly failures: ReadonlyMap<StartKey, Failures>;
  /** By revision: creates that were refused since one was not, while more are wanted. */
  readonly refusals: ReadonlyMap<string, Refusal>;
  /** What has kept passes from doing all that they should, for some time. */
  readonly hindrance?: Hindrance;
  /** What somebody in the pool lacks, though nothing keeps the pool from anything. */
  readonly complaint?: Hindrance;
  /** Time until a tier override ends, if one does. */
  readonly nextTierChangeInMs?: number;
}
