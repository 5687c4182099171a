/**
 * A runtime without its process: joins lease, pool view, workers and projects, and is what the link server hands tasks and calls to.
 * Everything that touches the machine comes in as a port, so it runs unchanged in the simulation.
 */
import { plainVariables } from '../../api/cluster-fields.ts';
import { AppError } from '../../core/errors.ts';
import { heapClassMb } from '../../core/heap-class.ts';
import { poolKeyOfProject, type ProjectKey } from '../../core/identifiers.ts';
import type { Timer } from '../../platform/clock.ts';
import type { RuntimeCall } from '../../platform/link/frames.ts';
import type { IncomingTask, TaskHandler } from '../../platform/link/task-link.ts';
import type { RuntimeRecord } from '../../platform/store/store.ts';
import type { WorkerAgent } from '../worker/protocol.ts';
import { Binding } from './binding.ts';
import { Caller } from './caller.ts';
import { Calls } from './calls.ts';
import { drainProjects } from './draining.ts';
import { FailureHistory } from './failure-history.ts';
import type { HostIdentity, HostPorts } from './host-ports.ts';
import { Lease } from './lease.ts';
import { createHostMetrics, type HostMetrics } from './metrics.ts';
import { servedTier } from './placement.ts';
import { PoolView } from './pool-view.ts';
import { Projects } from './projects.ts';
import { runtimeFigures, runtimeRecord } from './runtime-record.ts';
import { Watchdog } from './watchdog.ts';
import type { WorkerReady } from './worker-handle.ts';
import { workerLimitsOf } from './worker-limits.ts';
import { Workers } from './workers.ts';

/** Idle projects are compared with their tier so often, beside each time that something changes: overrides expire silently. */
const SETTLE_MS = 10_000;
const SHARED_HEAP_MB = 4_096;

export class RuntimeHost implements TaskHandler {
  readonly #ports: HostPorts;
  readonly #identity: HostIdentity;
  readonly #view: PoolView;
  readonly #lease: Lease;
  readonly #workers: Workers;
  readonly #projects: Projects;
  readonly #binding: Binding;
  readonly #calls: Calls;
  readonly #watchdog: Watchdog;
  readonly #metrics: HostMetrics;
  #agents: readonly WorkerAgent[] = [];
  /** Of this runtime's revision: a pool that is changed now gets other runtimes. */
  #isolation: 'WorkerThread' | 'Shared' = 'WorkerThread';
  #phase: 'starting' | 'open' | 'draining' | 'stopped' = 'starting';
  #onView: (() => void)[] = [];
  #settleTimer: Timer | undefined;

  constructor(ports: HostPorts, identity: HostIdentity) {
    this.#ports = ports;
    this.#identity = identity;
    const { clock, store, log, tenantSecrets } = ports;
    const secrets = tenantSecrets === undefined ? {} : { tenantSecrets };
    this.#view = new PoolView(
      { clock, store, log, ...secrets, onChange: () => this.#viewChanged() },
      identity.pool,
      identity.role,
    );
    this.#lease = this.#createLease();
    this.#workers = this.#createWorkers();
    this.#metrics = createHostMetrics(ports.metrics, identity, () =>
      runtimeFigures(this.#projects, this.#workers, ports.processMemory().rssBytes),
    );
    const shared = {
      ...ports,
      metrics: this.#metrics,
      lease: this.#lease,
      view: this.#view,
      workers: this.#workers,
    };
    this.#binding = new Binding({ ...shared, publish: () => this.#lease.publish() });
    const base = {
      ...shared,
      incarnation: identity.incarnation,
      servedTier: (key: ProjectKey) => servedTier(identity.role, this.#view.tierOf(key)),
    };
    this.#projects = new Projects(
      {
        ...base,
        failures: new FailureHistory(
          ports.clock,
          () => this.#view.spec.recovery.maxFailuresPerHour,
        ),
        agents: () => this.#agents,
        takePrepared: (key) => this.#binding.take(key),
        moved: (key, epoch, to) => ports.hub.moved(key, epoch, to),
      },
      {
        role: identity.role,
        draining: () => this.#phase !== 'open',
        takes: (key) => this.#takes(key),
        memoryBytes: () => this.#usedBytes(),
      },
    );
    this.#calls = new Calls(base, this.#projects);
    this.#watchdog = this.#createWatchdog();
  }

  /**
   * Reads the pool, registers (not ready yet) and imports the agent module in a first worker. What that said is the answer: only
   * after `ready` may it be opened.
   */
  async start(): Promise<WorkerReady> {
    await this.#view.start();
    this.#isolation = this.#view.spec.runtime.isolation;
    const first = this.#workers.first(heapClassMb(this.#firstQuotaMb()));
    await this.#lease.start();
    const ready = await first.ready;
    if (ready.type === 'ready') this.#agents = ready.agents;
    return ready;
  }

  /** From now on tasks are taken; gateways learn it from the store. */
  open(): void {
    if (this.#phase !== 'starting') return;
    this.#phase = 'open';
    this.#lease.publish();
    this.#watchdog.start();
    this.#settleLater();
  }

  /** The pool's spec has changed. */
  onSpec(callback: () => void): void {
    this.#onView.push(callback);
  }

  /** The environment of workers: what the manifest names, nothing of this process. */
  get workerEnv(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      plainVariables(this.#view.spec).map(({ name, value }) => [name, value]),
    );
  }

  get maxConcurrentTasks(): number {
    return this.#view.spec.runtime.maxConcurrentTasks;
  }

  task(task: IncomingTask): void {
    this.#projects.offer(new Caller(this.#ports.clock, task));
  }

  call(request: RuntimeCall): Promise<unknown> {
    return this.#calls.handle(request);
  }

  /** The operator gives a standby its project. */
  async bind(project: ProjectKey): Promise<void> {
    if (this.#identity.role !== 'dedicated' || this.#phase !== 'open') {
      throw new AppError('RUNTIME_LOST', 'this runtime is no standby: bind another one', {
        retryAfterMs: 1000,
      });
    }
    this.#binding.bind(project);
  }

  yieldProject(project: ProjectKey, withinMs: number): Promise<boolean> {
    return this.#calls.yieldProject(project, withinMs);
  }

  /** Lets go of every project, then of the lease. Safe to call twice. */
  async drain(): Promise<void> {
    if (this.#phase === 'stopped' || this.#phase === 'draining') return;
    this.#phase = 'draining';
    await drainProjects({
      ...this.#ports,
      projects: this.#projects,
      graceMs: this.#identity.graceMs,
      taskTimeoutMs: () => this.#view.spec.limits.taskTimeoutSeconds * 1000,
      publish: () => this.#lease.publish(),
    });
    this.stop();
    try {
      await this.#ports.store.deregister(this.#identity.incarnation);
    } catch (error) {
      this.#ports.log.debug('not deregistered: the lease will expire', { err: error });
    }
  }

  /** Ends at once; nothing is acknowledged after it. */
  stop(): void {
    this.#phase = 'stopped';
    this.#lease.stop();
    this.#view.stop();
    this.#watchdog.stop();
    this.#settleTimer?.cancel();
    this.#workers.stop();
  }

  #takes(key: ProjectKey): boolean {
    if (this.#phase !== 'open' || poolKeyOfProject(key) !== this.#identity.pool) return false;
    return this.#identity.role === 'shared' || this.#binding.project === key;
  }

  #record(held: boolean): RuntimeRecord {
    return runtimeRecord({
      identity: this.#identity,
      binding: this.#binding,
      agents: this.#agents,
      maxConcurrentTasks: this.maxConcurrentTasks,
      projects: this.#projects,
      workers: this.#workers,
      serving: held && this.#phase !== 'starting',
      draining: this.#phase === 'draining',
    });
  }

  #createLease(): Lease {
    const { clock, store, log } = this.#ports;
    return new Lease({
      clock,
      store,
      log,
      record: ({ held }) => this.#record(held),
      onFenced: () => this.#projects.fence(),
      verify: async () => {
        await this.#projects.verify();
        void this.#view.refreshAll();
      },
      onRestored: () => this.#projects.resume(),
    });
  }

  #createWorkers(): Workers {
    const { clock, log, startWorker } = this.#ports;
    const view = this.#view;
    return new Workers(
      {
        clock,
        log,
        startWorker,
        modulePath: this.#identity.modulePath,
        limits: () => workerLimitsOf(view.spec),
      },
      {
        isolation: () => this.#isolation,
        blanksPerClass: () => this.#blanksWanted(),
        keptClassMb: () => (this.#isStandby() ? heapClassMb(this.#firstQuotaMb()) : undefined),
        coldStartsMax: () => view.spec.tiers.cold.maxConcurrentActivations,
        busy: () => this.#projects.activating,
        sharedHeapMb: SHARED_HEAP_MB,
        disposeMs: () => view.spec.limits.cancelGraceSeconds * 1000,
        loadMs: () => view.spec.health.initializeTimeoutSeconds * 1000,
      },
    );
  }

  #createWatchdog(): Watchdog {
    const { clock, log } = this.#ports;
    return new Watchdog({
      clock,
      log,
      processMemory: () => this.#ports.processMemory(),
      workers: () => [...this.#workers.alive],
      projects: () => this.#projects.all,
      hasHeapQuota: () => this.#isolation === 'WorkerThread',
      looked: ({ short }) => {
        this.#projects.hibernate({ memoryShort: short });
      },
    });
  }

  /** A standby keeps one blank for its project to come; bound, it needs none any more. */
  #blanksWanted(): number {
    if (this.#phase === 'draining') return 0;
    if (this.#identity.role === 'shared') return this.#view.spec.tiers.warm.blankWorkers;
    return this.#isStandby() ? 1 : 0;
  }

  #isStandby = (): boolean => this.#identity.role === 'dedicated' && this.#binding.isFree;

  #firstQuotaMb(): number {
    const { default: tier, hot, warm, cold } = this.#view.spec.tiers;
    if (this.#identity.role === 'dedicated') return hot.quota.memoryMb;
    return tier === 'COLD' ? cold.quota.memoryMb : warm.quota.memoryMb;
  }

  #viewChanged(): void {
    for (const callback of this.#onView) callback();
    if (this.#phase === 'open') this.#projects.settleAll();
    this.#workers.relimit();
    this.#workers.refill();
  }

  #settleLater(): void {
    this.#settleTimer = this.#ports.clock.after(SETTLE_MS, () => {
      this.#projects.settleAll();
      this.#workers.trim();
      this.#settleLater();
    });
  }

  #usedBytes(): number {
    const used = [...this.#workers.alive].map(({ use }) => use?.memoryBytes ?? 0);
    return used.reduce((sum, bytes) => sum + bytes, 0);
  }
}
