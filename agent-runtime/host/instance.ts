/**
 * One live incarnation of a project: its state machine (A5), claim, session, tasks and flags. Moves only along the machine's edges.
 * Who activates, keeps or ends it decides elsewhere (project.ts).
 */
import type { AppError } from '../../core/errors.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { InstanceState } from '../../core/instance-state.ts';
import type { ProjectQuota } from '../../core/quota.ts';
import type { RateBucket } from '../../core/rate.ts';
import type { Tier } from '../../core/tier.ts';
import type { Timer } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type {
  Activation,
  ClientLease,
  ProjectRecord,
  ResultId,
} from '../../platform/store/store.ts';
import { aliveLeases } from './client-leases.ts';
import type { Caller } from './caller.ts';
import type { Change, Committer, Settled } from './committer.ts';
import type { HostTask } from './host-task.ts';
import { createInstanceCommitter } from './instance-committer.ts';
import { InstanceMachine } from './instance-machine.ts';
import type { InstanceHost, InstancePorts } from './instance-ports.ts';
import { RecordedResults } from './recorded-results.ts';
import { errorOfWorkerEnd, storeLost } from './run-outcome.ts';
import type { Session } from './session.ts';
import type { RunnerHost } from './runner-host.ts';
import { TaskRunner } from './task-runner.ts';
import type { WorkerEnd } from './worker-handle.ts';

/** A commit without an outcome for so long: its callers are told, whatever becomes of it. */
const DOUBT_MS_MAX = 5_000;

export class Instance implements RunnerHost {
  readonly key: ProjectKey;
  readonly tier: Tier;
  readonly createdMs: number;
  readonly tasks: TaskRunner;
  readonly #ports: InstancePorts;
  readonly #host: InstanceHost;
  readonly #log: Log;
  readonly machine: InstanceMachine;
  #session: Session | undefined;
  #committer: Committer | undefined;
  #results = new RecordedResults([]);
  #leases: readonly ClientLease[] = [];
  #rate: RateBucket | undefined;
  #rateDirty = false;
  #paused = false;
  #doubt: Timer | undefined;
  /** Why it failed last; empty: it did not. */
  message = '';
  lastUsedMs: number;
  requests = 0;

  constructor(ports: InstancePorts, host: InstanceHost, key: ProjectKey) {
    this.#ports = ports;
    this.#host = host;
    this.key = key;
    this.tier = ports.servedTier(key);
    this.createdMs = ports.clock.wallMs();
    this.lastUsedMs = this.createdMs;
    this.#log = ports.log.with({ instance_id: key });
    this.machine = this.#createMachine();
    this.tasks = new TaskRunner({ ...ports, log: this.#log }, this);
  }

  get state(): InstanceState {
    return this.machine.state;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get served(): { readonly instanceId: string; readonly tier: Tier } {
    return { instanceId: this.key, tier: this.tier };
  }

  get quota(): ProjectQuota {
    return this.#ports.view.quotaOf(this.key, this.tier);
  }

  get concurrencyMax(): number {
    return this.quota.maxConcurrentRequests;
  }

  /** False: never claimed. */
  get claimed(): boolean {
    return this.#committer !== undefined;
  }

  get committer(): Committer {
    if (this.#committer === undefined) throw new Error('the instance has no claim yet');
    return this.#committer;
  }

  get epoch(): number {
    return this.#committer?.claim.epoch ?? 0;
  }

  /** Resolves when nothing of it is on its way to the store. */
  async committerSettled(): Promise<void> {
    await this.#committer?.settled();
  }

  get results(): RecordedResults {
    return this.#results;
  }

  /** What callers hold now. */
  get leases(): readonly ClientLease[] {
    return aliveLeases(this.#leases, this.#ports.clock.wallMs());
  }

  get rate(): RateBucket | undefined {
    return this.#rate;
  }

  /** Tokens were taken that no commit has carried yet. */
  get rateDirty(): boolean {
    return this.#rateDirty;
  }

  /** Intake is stopped; tasks get PAUSED. */
  get paused(): boolean {
    return this.#paused;
  }

  get idleMs(): number {
    return this.quiescent ? this.machine.restingMs : 0;
  }

  /** Nothing runs, waits or is on its way to the store. */
  get quiescent(): boolean {
    const { active, queued } = this.tasks;
    const still = this.machine.isResting && active === 0 && queued === 0;
    return still && this.#committer?.idle !== false;
  }

  get mayStart(): boolean {
    if (!this.machine.isServing || this.#session?.alive !== true) return false;
    return !this.committer.inDoubt && this.#ports.lease.held;
  }

  /** The store granted the project. False: not the claim that this instance had, which so is lost. */
  takeClaim(activation: Activation): boolean {
    const { claim } = activation;
    const had = this.#committer?.claim;
    if (had !== undefined && (had.claimId !== claim.claimId || had.seq !== claim.seq)) return false;
    this.#committer ??= this.#createCommitter(activation);
    this.#results = new RecordedResults(activation.results);
    this.#leases = activation.leases;
    this.#rate = activation.rate;
    this.#paused = activation.paused;
    return true;
  }

  /** INITIALIZING → READY, and on to PAUSED or BUSY where that is due. */
  serve(session: Session): void {
    this.#session = session;
    session.listen({
      chunk: (run, kind, payload) => {
        this.tasks.chunk(run, kind, payload);
      },
      needTurns: (run, conversationId) => void this.tasks.loadTurns(run, conversationId),
      finished: (run, outcome) => {
        this.tasks.finished(run, outcome);
      },
      log: ({ level, message, fields }) => {
        this.#log[level](message, { detail: fields });
      },
      ended: (end) => {
        this.#workerEnded(end);
      },
    });
    this.machine.move('READY');
    this.#follow();
    this.tasks.pump();
  }

  takeRate(bucket: RateBucket): void {
    this.#rate = bucket;
    this.#rateDirty = true;
  }

  /** Resolves when it is in the store; `lost`: the claim is not ours any more. */
  commit(change: Omit<Change, 'settled' | 'bytes'>): Promise<Settled> {
    if (change.leases !== undefined) this.#leases = change.leases;
    return new Promise((resolve) => {
      this.committer.add({ ...change, bytes: 0, settled: resolve });
    });
  }

  /** Stops or opens the intake; the flag in the store is the caller's to commit. */
  setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#follow();
    this.tasks.pump();
  }

  /** The lease of this runtime is lost. */
  fence(): void {
    this.tasks.fence();
  }

  /** Whether it can go on from what the store remembers. */
  matches(record: ProjectRecord | undefined): boolean {
    return this.#committer === undefined || this.#committer.matches(record);
  }

  /** Ends it here and now, along the machine's edges. What runs fails with the error; the session is handed out to be ended. */
  end(error: AppError): Session | undefined {
    this.machine.end();
    const session = this.#session;
    this.#session = undefined;
    this.#doubt?.cancel();
    this.tasks.failRunning(error);
    this.#committer?.end();
    return session;
  }

  changed(): void {
    this.#follow();
    this.#host.changed();
  }

  recorded(result: ResultId): void {
    this.requests += 1;
    this.lastUsedMs = this.#ports.clock.wallMs();
    this.#results.add(result, this.#ports.view.spec.checkpoint.retention.resultsPerProjectMax);
  }

  offerAgain(callers: readonly Caller[]): void {
    this.#host.offerAgain(callers);
  }

  hung(task: HostTask): void {
    this.#log.warn('cancelled task did not end', { request_id: task.requestId, agent: task.agent });
    const seconds = this.#ports.view.spec.limits.cancelGraceSeconds;
    const message = `a cancelled task did not end within ${seconds} s`;
    this.#session?.worker.terminate({ type: 'ordered', message });
  }

  #follow(): void {
    const busy = this.tasks.active > 0;
    this.machine.follow({ busy, paused: this.#paused });
    this.#session?.worker.setBusy(this, busy);
  }

  #createMachine(): InstanceMachine {
    const { metrics } = this.#ports;
    return new InstanceMachine(this.#ports.clock, {
      moved: (from, to) => {
        this.#log.debug('instance moved', { epoch: this.epoch, detail: { from, to } });
        if (to === 'ERROR') metrics.instanceFailed();
      },
      refused: (from, to) => {
        this.#log.warn('instance move refused', { epoch: this.epoch, detail: { from, to } });
        metrics.moveRefused(from, to);
      },
    });
  }

  #workerEnded(end: WorkerEnd): void {
    const busy = this.state === 'BUSY';
    const alone = (this.#session?.worker.busyAtEnd ?? 0) <= 1;
    this.#session = undefined;
    this.message = end.message;
    this.machine.move(busy ? 'ERROR' : 'TERMINATED');
    this.tasks.failRunning(errorOfWorkerEnd(end, alone));
    this.#host.workerLost();
  }

  #createCommitter(activation: Activation): Committer {
    return createInstanceCommitter({ ...this.#ports, log: this.#log }, activation.claim, this, {
      rate: () => {
        this.#rateDirty = false;
        return this.#rate;
      },
      onLost: () => this.#host.claimLost(),
      onIdle: () => this.changed(),
      onDoubt: (inDoubt) => this.#doubted(inDoubt),
    });
  }

  #doubted(inDoubt: boolean): void {
    this.#doubt?.cancel();
    if (!inDoubt) {
      this.tasks.pump();
      return;
    }
    this.#doubt = this.#ports.clock.after(DOUBT_MS_MAX, () => {
      this.tasks.failStaged(storeLost());
      this.tasks.dropQueued(storeLost());
    });
  }
}
