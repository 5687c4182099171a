/** One link per live runtime of the served pools: opened ahead of the first task, closed when the runtime is gone and nothing runs there. */
import type { PoolKey, ProjectKey } from '../../core/identifiers.ts';
import type { LinkEvents, RuntimeLink } from '../../platform/link/task-link.ts';
import type { AgentInfo, RuntimeRecord } from '../../platform/store/store.ts';
import type { PoolView } from '../pool-view.ts';

/** Makes the link to a runtime; it reconnects by itself until it is closed. */
export type ConnectRuntime = (
  record: RuntimeRecord,
  pool: PoolView,
  events: LinkEvents,
) => RuntimeLink;

/** A runtime as the gateway sees it. */
export class Runtime {
  record: RuntimeRecord;
  readonly link: RuntimeLink;
  /** Tasks that were let in here and have not ended. */
  unfinished = 0;
  /** Of these, the ones that the link does not know of yet. */
  reserved = 0;
  /** The suspect whose task is being tried here. */
  probed: ProjectKey | undefined;
  wasReady = false;
  /** It said so on the link; the record may say it later. */
  saidDraining = false;
  isGone = false;

  constructor(record: RuntimeRecord, link: RuntimeLink) {
    this.record = record;
    this.link = link;
  }

  get incarnation(): string {
    return this.record.incarnation;
  }

  /** A runtime without a lease may answer still, but what it has can be claimed by others. */
  get isReachable(): boolean {
    return this.link.state === 'ready' && !this.isGone;
  }

  /** Its end is wanted: a death of it is no fault of a task. */
  get isDraining(): boolean {
    return this.saidDraining || this.record.draining;
  }

  /** Takes projects that it does not have yet. */
  get isOpen(): boolean {
    return this.isReachable && this.record.ready && !this.isDraining;
  }

  /** Tasks that may be sent now. */
  get credit(): number {
    return this.link.credit - this.reserved;
  }
}

export interface RuntimeSetEvents {
  /** Where tasks of the pool may go has changed. */
  changed(pool: PoolKey): void;
  creditChanged(runtime: Runtime): void;
  moved: LinkEvents['moved'];
}

export class RuntimeSet {
  readonly #connect: ConnectRuntime;
  readonly #events: RuntimeSetEvents;
  readonly #runtimes = new Map<string, Runtime>();
  readonly #byPool = new Map<PoolKey, Runtime[]>();
  readonly #agents = new Map<PoolKey, ReadonlyMap<string, AgentInfo>>();

  constructor(connect: ConnectRuntime, events: RuntimeSetEvents) {
    this.#connect = connect;
    this.#events = events;
  }

  /**
   * Makes the pool's part of the set what the store says: opens, updates, closes.
   * @param view undefined: the pool is not served.
   */
  reconcile(pool: PoolKey, view: PoolView | undefined, records: readonly RuntimeRecord[]): void {
    const live = new Set<string>();
    this.#agents.delete(pool);
    if (view !== undefined)
      for (const record of records) {
        live.add(record.incarnation);
        this.#see(record, view);
      }
    for (const runtime of this.of(pool)) {
      if (live.has(runtime.incarnation)) continue;
      runtime.isGone = true;
      this.closeIfIdle(runtime);
    }
    this.#events.changed(pool);
  }

  get(incarnation: string): Runtime | undefined {
    return this.#runtimes.get(incarnation);
  }

  of(pool: PoolKey): readonly Runtime[] {
    return this.#byPool.get(pool) ?? [];
  }

  /** What can be called in the pool, by name, those of the current revision first; empty while no runtime has said so. */
  agentsOf({ key, revision }: PoolView): ReadonlyMap<string, AgentInfo> {
    let agents = this.#agents.get(key);
    if (agents === undefined) {
      const records = this.of(key).map(({ record }) => record);
      const current = records.filter((record) => record.revision === revision);
      const inOrder = [
        ...current,
        ...records.filter((record) => !current.includes(record)),
      ].flatMap((record) => record.agents);
      const first = inOrder.filter(
        (agent, index) => inOrder.findIndex(({ name }) => name === agent.name) === index,
      );
      agents = new Map(first.map((agent) => [agent.name, agent]));
      if (records.length > 0) this.#agents.set(key, agents);
    }
    return agents;
  }

  /** After a task has ended there. */
  closeIfIdle(runtime: Runtime): void {
    if (!runtime.isGone || runtime.unfinished > 0) return;
    this.#runtimes.delete(runtime.incarnation);
    const { pool } = runtime.record;
    const rest = this.of(pool).filter((other) => other !== runtime);
    if (rest.length > 0) this.#byPool.set(pool, rest);
    else this.#byPool.delete(pool);
    this.#agents.delete(pool);
    runtime.link.close();
  }

  closeAll(): void {
    for (const runtime of this.#runtimes.values()) runtime.link.close();
    this.#runtimes.clear();
    this.#byPool.clear();
  }

  #see(record: RuntimeRecord, pool: PoolView): void {
    const known = this.#runtimes.get(record.incarnation);
    if (known !== undefined) {
      known.record = record;
      known.isGone = false;
      known.link.retime(pool.spec.link);
      return;
    }
    const runtime: Runtime = new Runtime(
      record,
      this.#connect(record, pool, this.#eventsOf(record)),
    );
    runtime.wasReady = runtime.isReachable;
    this.#runtimes.set(record.incarnation, runtime);
    this.#byPool.set(record.pool, [...this.of(record.pool), runtime]);
  }

  #eventsOf({ incarnation, pool }: RuntimeRecord): LinkEvents {
    const known = (act: (runtime: Runtime) => void): void => {
      const runtime = this.#runtimes.get(incarnation);
      if (runtime !== undefined) act(runtime);
    };
    return {
      stateChanged: () => {
        known((runtime) => {
          runtime.wasReady ||= runtime.isReachable;
          this.#events.changed(pool);
        });
      },
      creditChanged: () => {
        known((runtime) => {
          this.#events.creditChanged(runtime);
        });
      },
      draining: () => {
        known((runtime) => {
          runtime.saidDraining = true;
          this.#events.changed(pool);
        });
      },
      moved: (project, epoch, to) => {
        this.#events.moved(project, epoch, to);
      },
    };
  }
}
