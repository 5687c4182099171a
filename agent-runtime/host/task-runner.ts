/**
 * Runs the tasks of one instance: starts them in order within the quota, hears their worker, stages what succeeded for the commit,
 * and answers callers only after it. Knows nothing of activation, eviction or the instance's state machine.
 */
import { AppError } from '../../core/errors.ts';
import { deadlinePassed } from '../../core/time-up.ts';
import type { ChunkKind } from '../../platform/link/frames.ts';
import type { Payload, ResultId } from '../../platform/store/store.ts';
import type { RunNumber, RunOutcome } from '../worker/protocol.ts';
import type { Caller } from './caller.ts';
import type { Committer } from './committer.ts';
import { GraceTimers } from './grace-timers.ts';
import { cancelReasonOf, type HostTask, type Served, type TaskEvents } from './host-task.ts';
import type { InstancePorts } from './instance-ports.ts';
import { errorOfOutcome, storeLost } from './run-outcome.ts';
import type { Errand, RunnerHost } from './runner-host.ts';
import { StagedTasks, type StagedHost } from './staged-tasks.ts';
import { TaskQueue } from './task-queue.ts';
import { loadTurns } from './turn-loader.ts';

type Job = HostTask | Errand;

export class TaskRunner implements TaskEvents, StagedHost {
  readonly #ports: InstancePorts;
  readonly #host: RunnerHost;
  readonly #queue = new TaskQueue<Job>();
  /** All that is queued, running or staged, by request id. */
  readonly #tasks = new Map<string, HostTask>();
  readonly #running = new Map<RunNumber, HostTask>();
  readonly #staged: StagedTasks;
  readonly #graces: GraceTimers;
  #errands = 0;

  constructor(ports: InstancePorts, host: RunnerHost) {
    this.#ports = ports;
    this.#host = host;
    this.#staged = new StagedTasks(ports, this);
    this.#graces = new GraceTimers(ports.clock);
  }

  /** Tasks that have started and not ended, staged ones included. */
  get active(): number {
    return this.#running.size + this.#staged.size + this.#errands;
  }

  get running(): number {
    return this.#running.size;
  }

  get queued(): number {
    return this.#queue.size;
  }

  find(requestId: string): HostTask | undefined {
    return this.#tasks.get(requestId);
  }

  add(task: HostTask): void {
    this.#tasks.set(task.requestId, task);
    this.#queue.add(task);
    this.pump();
    if (task.phase.type !== 'queued') return;
    if (this.#running.size >= this.#host.concurrencyMax)
      this.#ports.metrics.quotaRejected('concurrency');
    for (const caller of task.callers) caller.waitInQueue();
  }

  addErrand(errand: Errand): void {
    this.#queue.add(errand);
    this.pump();
  }

  /** False: it runs already, or has run. */
  withdraw(errand: Errand): boolean {
    return this.#queue.remove(errand);
  }

  /** Starts what may start. */
  pump(): void {
    while (this.#host.mayStart && this.#running.size < this.#host.concurrencyMax) {
      const job = this.#queue.takeNext();
      if (job === undefined) return;
      if ('type' in job) void this.#runErrand(job);
      else this.#start(job);
    }
  }

  chunk(run: RunNumber, kind: ChunkKind, payload: Payload): void {
    this.#running.get(run)?.chunk(kind, payload);
  }

  finished(run: RunNumber, outcome: RunOutcome): void {
    const task = this.#running.get(run);
    if (task === undefined) return;
    // Looked at before anything is told: a runtime that was frozen must not answer from what it believed before.
    const { held } = this.#ports.lease;
    this.#running.delete(run);
    this.#graces.cancel(task);
    if (outcome.type === 'success') this.#staged.add(task, outcome);
    else this.#end(task, () => task.failed(held ? this.#errorOf(task, outcome) : storeLost()));
    this.#queue.release(task);
    this.pump();
    this.#host.changed();
  }

  /** The worker has no window of this conversation. */
  async loadTurns(run: RunNumber, conversationId: string): Promise<void> {
    const { session, key, committer } = this.#host;
    if (session === undefined) return;
    const wanted = (): boolean => this.#host.session === session && this.#running.has(run);
    const asked = { key, session, committer, run, conversationId, wanted };
    const error = await loadTurns(this.#ports, asked);
    const task = error === undefined ? undefined : this.#running.get(run);
    if (error !== undefined && task !== undefined && wanted()) this.#cancel(task, error);
  }

  /** The lease is lost: callers are told, runs are aborted; what was staged stays with the committer. */
  fence(): void {
    this.dropQueued(storeLost());
    this.#staged.failCallers(storeLost());
    for (const task of this.#running.values()) {
      this.#cancel(task, storeLost());
      task.failCallers(storeLost());
    }
    this.#host.changed();
  }

  /** A commit has had no outcome for too long: callers are told, the committer goes on. */
  failStaged(error: AppError): void {
    this.#staged.failCallers(error);
  }

  dropQueued(error: AppError): void {
    for (const job of this.#queue.takeAll()) {
      if ('type' in job) job.dropped(error);
      else this.#end(job, () => job.failed(error));
    }
  }

  /** The callers of all that has not started, in order; they are nobody's here any more. */
  handOverQueued(error: AppError): readonly Caller[] {
    const callers: Caller[] = [];
    for (const job of this.#queue.takeAll()) {
      if ('type' in job) job.dropped(error);
      else {
        this.#tasks.delete(job.requestId);
        callers.push(...job.handOver());
      }
    }
    return callers;
  }

  /** Cancels what runs; each is answered with this error when its worker has let it go. */
  cancelRunning(error: AppError): void {
    for (const task of this.#running.values()) this.#cancel(task, error);
  }

  /** What runs ends now: the worker is gone or not listened to any more. A cancelled task ends as cancelled. */
  failRunning(error: AppError): void {
    for (const task of [...this.#running.values()]) {
      const { phase } = task;
      this.#graces.cancel(task);
      this.#queue.release(task);
      this.#end(task, () =>
        task.failed((phase.type === 'running' ? phase.cancelled : undefined) ?? error),
      );
    }
    this.#running.clear();
    this.#host.changed();
  }

  abandoned(task: HostTask, reason: AppError): void {
    switch (task.phase.type) {
      case 'queued':
        this.#queue.remove(task);
        this.#end(task, () => task.failed(reason));
        this.#host.changed();
        return;
      case 'running':
        this.#cancel(task, reason);
        return;
      case 'staged':
        this.#staged.abandoned(task, reason);
        return;
      case 'ended':
    }
  }

  unwanted(task: HostTask): void {
    if (!this.#queue.remove(task)) return;
    this.#tasks.delete(task.requestId);
    this.#host.offerAgain(task.handOver());
    this.#host.changed();
  }

  taken(task: HostTask, bytes: number): void {
    if (task.phase.type === 'running') this.#host.session?.window(task.phase.run, bytes);
  }

  #start(task: HostTask): void {
    const { session } = this.#host;
    if (session === undefined || task.remainingMs <= 0) {
      this.#queue.release(task);
      this.#end(task, () => task.failed(deadlinePassed()));
      return;
    }
    const { header, input, agent, remainingMs } = task;
    const { requestId, attempt, conversationId, metadata, priority, newConversation, traceparent } =
      header;
    const trace = traceparent === undefined ? {} : { traceparent };
    const user = header.principal;
    const about = {
      requestId,
      attempt,
      agent,
      conversationId,
      input,
      metadata,
      priority,
      newConversation,
    };
    const run = session.run({ ...about, remainingMs, user, ...trace });
    this.#running.set(run, task);
    task.started(run, this.#host.served);
    this.#host.changed();
  }

  async #runErrand(errand: Errand): Promise<void> {
    this.#errands += 1;
    this.#host.changed();
    await errand.run();
    this.#errands -= 1;
    this.#queue.release(errand);
    this.pump();
    this.#host.changed();
  }

  #cancel(task: HostTask, reason: AppError): void {
    const { phase } = task;
    if (phase.type !== 'running' || phase.cancelled !== undefined) return;
    task.cancelled(reason);
    this.#host.session?.cancel(phase.run, cancelReasonOf(reason));
    const graceMs = this.#ports.view.spec.limits.cancelGraceSeconds * 1000;
    this.#graces.start(task, graceMs, () => {
      this.#host.hung(task);
    });
  }

  #errorOf(task: HostTask, outcome: Exclude<RunOutcome, { readonly type: 'success' }>): AppError {
    if (outcome.type === 'error') {
      if (outcome.stack !== undefined) this.#logFailure(task, outcome);
      return errorOfOutcome(outcome);
    }
    const cancelled = task.phase.type === 'running' ? task.phase.cancelled : undefined;
    return cancelled ?? new AppError('CANCELLED', 'the task was cancelled');
  }

  #logFailure(
    task: HostTask,
    outcome: { readonly message: string; readonly stack?: string },
  ): void {
    const { agent, requestId } = task;
    const { conversationId } = task.header;
    this.#ports.log.info('agent failed', {
      agent,
      request_id: requestId,
      conversation_id: conversationId,
      detail: { message: outcome.message, stack: outcome.stack },
    });
  }

  ended(task: HostTask, tell: () => readonly Caller[]): void {
    this.#end(task, tell);
    this.#host.changed();
  }

  get served(): Served {
    return this.#host.served;
  }

  get committer(): Committer {
    return this.#host.committer;
  }

  recorded(result: ResultId): void {
    this.#host.recorded(result);
  }

  #end(task: HostTask, tell: () => readonly Caller[]): void {
    this.#tasks.delete(task.requestId);
    const successors = tell();
    if (successors.length > 0) this.#host.offerAgain(successors);
  }
}
