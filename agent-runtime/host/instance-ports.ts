/** What the parts of an instance need from the runtime around it, and what they tell it. */
import type { ProjectKey } from '../../core/identifiers.ts';
import type { Tier } from '../../core/tier.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import type { Store } from '../../platform/store/store.ts';
import type { Caller } from './caller.ts';
import type { Lease } from './lease.ts';
import type { HostMetrics } from './metrics.ts';
import type { PoolView } from './pool-view.ts';

export interface InstancePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  readonly log: Log;
  readonly lease: Pick<Lease, 'held' | 'whenHeld' | 'stopped'>;
  readonly view: PoolView;
  readonly metrics: HostMetrics;
  /** The tier that this runtime can give the project now: a shared one serves a HOT project as WARM until its own is ready. */
  servedTier(key: ProjectKey): Tier;
}

/** What an instance tells its project. */
export interface InstanceHost {
  /** Something started, ended or was committed. */
  changed(): void;
  /** BUSY or idle, its worker is gone; the instance is in ERROR or TERMINATED. */
  workerLost(): void;
  /** The claim is another's: the instance is of no use any more. */
  claimLost(): void;
  offerAgain(callers: readonly Caller[]): void;
}
