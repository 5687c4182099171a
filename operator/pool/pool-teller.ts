/** What is told of pools as passes go over them: status, events, log lines, and views for those in the same process. Decides nothing. */
import type { AgentPoolSpec, AgentPoolStatus } from '../../api/agent-pool.ts';
import type { PoolEvent } from '../../api/pool-report.ts';
import type { PoolKey, PoolRef } from '../../core/identifiers.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Store } from '../../platform/store/store.ts';
import { addEvents, type NewEvent, STORE_UNAVAILABLE } from './events.ts';
import type { Death } from './failures.ts';
import { NO_SIGHT, observedOf } from './observed-of.ts';
import type { PoolLimits } from './pool-limits.ts';
import type { PoolRun } from './pool-run.ts';
import { statusOf } from './status.ts';
import { unheardStatus } from './unheard-status.ts';
import type { ModuleState, WantedPool } from './wanted-pool.ts';

/** What the operator knows of a pool, for those in the same process. */
export interface PoolView {
  readonly ref: PoolRef;
  readonly generation: number;
  readonly spec: AgentPoolSpec;
  readonly status: AgentPoolStatus;
  readonly events: readonly PoolEvent[];
  /** Where the agent module failed, if it did. */
  readonly failureStack?: string;
}

export interface TellerOptions {
  readonly store: Pick<Store, 'kind' | 'durability'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: PoolLimits;
  readonly endpoint?: string;
  /** A view changed. */
  readonly onView: () => void;
  readonly onEvent?: (pool: PoolRef, event: NewEvent) => void;
}

export class PoolTeller {
  readonly #options: TellerOptions;
  /** One per pool that a status was made of, and that is not gone. */
  readonly #views = new Map<PoolKey, PoolView>();

  constructor(options: TellerOptions) {
    this.#options = options;
  }

  views(): readonly PoolView[] {
    return [...this.#views.values()];
  }

  view(key: PoolKey): PoolView | undefined {
    return this.#views.get(key);
  }

  /** From what was observed last; the view follows. */
  judge(run: PoolRun, wanted: WantedPool): AgentPoolStatus {
    const { store, limits, endpoint, clock } = this.#options;
    const { ref, spec, generation, module } = wanted;
    const fresh = statusOf({
      poolName: ref.name,
      generation,
      spec,
      module,
      ...(wanted.problems === undefined ? {} : { problems: wanted.problems }),
      observed: run.observed ?? observedOf(NO_SIGHT, run.memory, undefined, run),
      memory: run.memory,
      events: run.events,
      limits,
      store: run.isStoreAway ? 'unavailable' : store.kind,
      ...(store.durability === undefined ? {} : { durability: store.durability }),
      wallMs: clock.wallMs(),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(run.status === undefined ? {} : { previous: run.status }),
    });
    const status = asHeard(run, fresh);
    run.status = status;
    const stack = stackOf(run, module);
    this.#views.set(run.key, {
      ref,
      generation,
      spec,
      status,
      events: run.events,
      ...(stack === undefined ? {} : { failureStack: stack }),
    });
    this.#options.onView();
    return status;
  }

  /** Once for each time that the store goes and comes back. */
  storeIsAway(run: PoolRun, isAway: boolean): void {
    if (run.isStoreAway === isAway) return;
    run.isStoreAway = isAway;
    this.note(run, [
      isAway ? STORE_UNAVAILABLE : { reason: 'StoreRestored', message: 'the store answers again' },
    ]);
  }

  note(run: PoolRun, events: readonly NewEvent[]): void {
    if (events.length === 0) return;
    run.events = addEvents(run.events, events, this.#options.clock.wallMs());
    for (const event of events) {
      const { reason, message } = event;
      this.#options.onEvent?.(run.ref, event);
      this.#options.log.info('pool event', keysOf(run, { reason, message }));
    }
  }

  mourn(run: PoolRun, deaths: readonly Death[]): void {
    for (const { runtime, reason, message, stack } of deaths)
      this.#options.log.warn('runtime was lost', {
        ...keysOf(run, { reason, message, stack }),
        runtime: runtime.name,
      });
  }

  /** The pool is gone. */
  forget(run: PoolRun): void {
    const { deletionPolicy } = run.spec ?? {};
    this.#views.delete(run.key);
    this.#options.log.info('pool is deleted', keysOf(run, { deletionPolicy }));
    this.#options.onView();
  }
}

function keysOf({ ref }: PoolRun, detail: Readonly<Record<string, unknown>>) {
  return { namespace: ref.namespace, pool: ref.name, detail };
}

function asHeard({ isBlind, told, status }: PoolRun, fresh: AgentPoolStatus): AgentPoolStatus {
  const hasHeard = !isBlind || (told?.atWallMs ?? 0) > 0;
  return hasHeard || status === undefined ? fresh : unheardStatus(fresh, status);
}

function stackOf(run: PoolRun, module: ModuleState): string | undefined {
  if (module.at === 'broken') return module.stack;
  const rows = [...run.memory.failures.values()];
  return rows.find(({ of, stack }) => of.revision === run.observed?.update && stack)?.stack;
}
