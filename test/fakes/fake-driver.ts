/** A driver without processes that can be slow, fail and lie: late creates, stale lists, lost events, refused calls. */
import { CreateRefused } from '../../operator/pool/create-refused.ts';
import type {
  Driver,
  DrivenRuntime,
  RuntimeRef,
  RuntimeRequest,
  RuntimeTemplate,
} from '../../operator/pool/driver.ts';
import { Hindered } from '../../operator/pool/hindered.ts';
import type { ModuleArtifact } from '../../operator/pool/wanted-pool.ts';
import type { PoolKey } from '../../core/identifiers.ts';
import type { Clock } from '../../platform/clock.ts';
import { KubeError } from '../../platform/kube/kube-error.ts';
import type { Store } from '../../platform/store/store.ts';
import { FakeRuntime, type Fate, type FakeTimes } from './fake-runtime.ts';

export interface Faults {
  /** A created runtime is in no list for so long. */
  createDelayMs: number;
  /** Lists are so old. */
  staleMs: number;
  /** Watchers are told nothing. */
  losesEvents: boolean;
  /** The next so many creates are refused. */
  refuseCreates: number;
  /** The next so many binds are carried out, and then reported as failed. */
  failBinds: number;
  /** Each preparation ends in this error; undefined: none does. */
  failPrepare: Error | undefined;
  /** The same of removals. */
  failRemove: Error | undefined;
  /** The same of reads of what was kept of a template. */
  failKept: Error | undefined;
  /** Runtimes that nobody can drain or remove, by name. */
  stuck: ReadonlySet<string>;
  /** The next so many drains are carried out, and their answers get lost. */
  unansweredDrains: number;
  /** The next so many drains get lost, and nobody knows that. */
  lostDrains: number;
}

interface Snapshot {
  readonly atMs: number;
  readonly runtimes: readonly DrivenRuntime[];
}

const SNAPSHOTS_MAX = 1_000;

/** What a driver throws when it does not know what became of its order. */
export function noAnswer(): Hindered {
  const cause = new KubeError('OutcomeUnknown', 'no answer came');
  return new Hindered('ApiServerUnavailable', cause.message, cause);
}

export class FakeDriver implements Driver {
  readonly kind = 'fake';
  enforces = { hotLimits: false };
  readonly faults: Faults = {
    createDelayMs: 0,
    staleMs: 0,
    losesEvents: false,
    refuseCreates: 0,
    failBinds: 0,
    failPrepare: undefined,
    failRemove: undefined,
    failKept: undefined,
    stuck: new Set(),
    unansweredDrains: 0,
    lostDrains: 0,
  };
  readonly times: FakeTimes = { startMs: 500, initializeMs: 200, drainMs: 300 };
  /** By revision; others serve. */
  readonly fates = new Map<string, Fate>();
  /** By the digest of the agent module; where there is none, the revision's counts. */
  readonly fateOfDigest = new Map<string, Fate>();
  /** Before both; undefined: those count. */
  fateOfRequest: ((request: RuntimeRequest) => Fate | undefined) | undefined;
  /** What becomes of a runtime that is bound. */
  fateOfBound: ((request: RuntimeRequest, project: string) => Fate) | undefined;
  /** Whether the API server refuses the pod of this. */
  refuses: ((request: RuntimeRequest) => boolean) | undefined;
  readonly isHot = new Set<string>();
  creates = 0;
  /** Pools, and whether the store still had their record. */
  readonly forgotten: [pool: PoolKey, isRecorded: boolean][] = [];
  /** What was kept for operators to come, by pool. */
  readonly kept = new Map<PoolKey, RuntimeTemplate>();
  /** What was said last to be needed. */
  modules: readonly ModuleArtifact[] = [];
  /** How often it was asked for the runtimes of a pool. */
  looks = 0;
  /** Called with the truth just after each create. */
  onCreate: ((request: RuntimeRequest) => void) | undefined;
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #runtimes = new Map<string, FakeRuntime>();
  readonly #late = new Set<string>();
  readonly #watchers = new Set<(pool: PoolKey) => void>();
  #snapshots: Snapshot[] = [];

  constructor(clock: Clock, store: Store) {
    this.#clock = clock;
    this.#store = store;
  }

  /** The truth, whatever lists say. */
  get runtimes(): readonly FakeRuntime[] {
    return [...this.#runtimes.values()];
  }

  runtime(name: string): FakeRuntime {
    const found = this.#runtimes.get(name);
    if (found === undefined) throw new Error(`no runtime ${name}`);
    return found;
  }

  async create(request: RuntimeRequest): Promise<void> {
    if (this.#runtimes.has(request.name)) return;
    if (this.faults.refuseCreates > 0) {
      this.faults.refuseCreates--;
      throw new Error('the create is refused');
    }
    if (this.refuses?.(request) === true)
      throw new CreateRefused('PodRejected', 'a policy says no');
    this.creates++;
    const changed = (): void => this.#changed(request.pool);
    this.#late.add(request.name);
    const runtime = new FakeRuntime({
      request,
      fate: this.fateOfRequest?.(request) ?? this.#fateOf(request),
      fateOfBound: (project) => this.fateOfBound?.(request, project) ?? 'Serves',
      times: { ...this.times },
      clock: this.#clock,
      store: this.#store,
      isHot: (project) => this.isHot.has(project),
      onChange: changed,
    });
    this.#runtimes.set(request.name, runtime);
    const appear = (): void => {
      this.#late.delete(request.name);
      changed();
    };
    if (this.faults.createDelayMs === 0) appear();
    else this.#clock.after(this.faults.createDelayMs, appear);
    this.onCreate?.(request);
  }

  async bind({ name }: RuntimeRef, project: string): Promise<void> {
    const runtime = this.runtime(name);
    runtime.bind(project);
    this.#changed(runtime.request.pool);
    if (this.faults.failBinds > 0) {
      this.faults.failBinds--;
      throw new Error('the answer to the bind got lost');
    }
  }

  async drain({ name }: RuntimeRef, withinMs: number): Promise<void> {
    if (this.faults.stuck.has(name)) throw new Error('a webhook says no');
    if (this.faults.lostDrains > 0) {
      this.faults.lostDrains--;
      throw noAnswer();
    }
    const runtime = this.#runtimes.get(name);
    runtime?.drain(withinMs);
    if (runtime !== undefined) this.#changed(runtime.request.pool);
    if (this.faults.unansweredDrains > 0) {
      this.faults.unansweredDrains--;
      throw noAnswer();
    }
  }

  async prepare(): Promise<void> {
    if (this.faults.failPrepare !== undefined) throw this.faults.failPrepare;
  }

  async keepTemplate(pool: PoolKey, template: RuntimeTemplate): Promise<void> {
    this.kept.set(pool, template);
  }

  async keptTemplate(pool: PoolKey, revision: string): Promise<RuntimeTemplate | undefined> {
    if (this.faults.failKept !== undefined) throw this.faults.failKept;
    const kept = this.kept.get(pool);
    return kept?.revision === revision ? kept : undefined;
  }

  async keepModules(_pool: PoolKey, modules: readonly ModuleArtifact[]): Promise<void> {
    this.modules = modules;
  }

  async forget(pool: PoolKey): Promise<void> {
    this.forgotten.push([pool, (await this.#store.listPools(pool)).length > 0]);
  }

  async remove({ name }: RuntimeRef): Promise<void> {
    if (this.faults.failRemove !== undefined) throw this.faults.failRemove;
    if (this.faults.stuck.has(name)) throw new Error('a webhook says no');
    const runtime = this.#runtimes.get(name);
    runtime?.exit('Ordered', 'was ended by SIGKILL');
    this.#runtimes.delete(name);
    if (runtime !== undefined) this.#changed(runtime.request.pool);
  }

  async list(pool: PoolKey): Promise<readonly DrivenRuntime[]> {
    this.looks += 1;
    const atMs = this.#clock.nowMs() - this.faults.staleMs;
    const known = this.#snapshots.findLast((snapshot) => snapshot.atMs <= atMs)?.runtimes ?? [];
    return known.filter((one) => one.pool === pool);
  }

  /** Somebody else ends it, and no list shows that it has ended. */
  async takeAway(name: string): Promise<void> {
    const runtime = this.runtime(name);
    runtime.drain(this.times.drainMs);
    this.#changed(runtime.request.pool);
    await this.#clock.sleep(this.times.drainMs / 2);
    this.#runtimes.delete(name);
    this.#changed(runtime.request.pool);
  }

  async listPools(): Promise<readonly PoolKey[]> {
    return [...new Set(this.runtimes.map((one) => one.request.pool))];
  }

  watch(onChange: (pool: PoolKey) => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  #fateOf({ template }: RuntimeRequest): Fate {
    const { revision, module } = template;
    return this.fateOfDigest.get(module.digest) ?? this.fates.get(revision) ?? 'Serves';
  }

  #changed(pool: PoolKey): void {
    const runtimes = this.runtimes
      .filter((one) => !this.#late.has(one.request.name))
      .map((one) => one.view());
    this.#snapshots = [...this.#snapshots, { atMs: this.#clock.nowMs(), runtimes }].slice(
      -SNAPSHOTS_MAX,
    );
    if (this.faults.losesEvents) return;
    for (const watcher of this.#watchers) watcher(pool);
    // A list that lags shows what happened only later: a real watch tells then.
    if (this.faults.staleMs > 0)
      this.#clock.after(this.faults.staleMs, () => {
        for (const watcher of this.#watchers) watcher(pool);
      });
  }
}
