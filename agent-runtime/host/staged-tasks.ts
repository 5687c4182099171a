/**
 * Tasks whose agent has succeeded and whose commit is on its way: nobody is told before the store has it. What is waiting longer than
 * its caller wants is given up for the caller only; the commit goes on.
 */
import type { AppError } from '../../core/errors.ts';
import type { Payload, ResultId, StoredResult } from '../../platform/store/store.ts';
import type { RunOutcome } from '../worker/protocol.ts';
import type { Caller } from './caller.ts';
import type { Committer, Settled } from './committer.ts';
import { GraceTimers } from './grace-timers.ts';
import type { HostTask, Served } from './host-task.ts';
import type { InstancePorts } from './instance-ports.ts';
import { commitGivenUp, runtimeLost, storeLost } from './run-outcome.ts';

type Success = Extract<RunOutcome, { readonly type: 'success' }>;

/** What a write or a turn costs beside its text. */
const ENTRY_BYTES = 100;

export interface StagedHost {
  readonly committer: Committer;
  readonly served: Served;
  recorded(result: ResultId): void;
  /** The task is over; `tell` answers its callers. */
  ended(task: HostTask, tell: () => readonly Caller[]): void;
}

export class StagedTasks {
  readonly #ports: InstancePorts;
  readonly #host: StagedHost;
  readonly #tasks = new Set<HostTask>();
  readonly #graces: GraceTimers;

  constructor(ports: InstancePorts, host: StagedHost) {
    this.#ports = ports;
    this.#host = host;
    this.#graces = new GraceTimers(ports.clock);
  }

  get size(): number {
    return this.#tasks.size;
  }

  add(task: HostTask, success: Success): void {
    task.staged();
    this.#tasks.add(task);
    const { output, writes, turns } = success;
    const { requestId, digest, conversationId } = task.header;
    const finishedAtMs = this.#ports.clock.wallMs();
    const about = { requestId, digest, agent: task.agent, conversationId };
    const result: StoredResult = { ...about, output, finishedAtMs };
    this.#host.committer.add({
      task: { result, writes, turns },
      bytes: sizeOf(success),
      settled: (outcome) => {
        this.#settled(task, output, outcome);
      },
    });
  }

  /** Their callers are answered; the commits go on. */
  failCallers(error: AppError): void {
    for (const task of this.#tasks) task.failCallers(error);
  }

  /** The agent has won against the caller's leaving; only a commit without an answer could keep the caller too long. */
  abandoned(task: HostTask, reason: AppError): void {
    const graceMs = this.#ports.view.spec.limits.cancelGraceSeconds * 1000;
    this.#graces.start(task, graceMs, () => {
      task.failCallers(reason);
    });
  }

  #settled(task: HostTask, output: Payload, outcome: Settled): void {
    this.#graces.cancel(task);
    this.#tasks.delete(task);
    if (outcome !== 'committed') {
      const error =
        outcome === 'lost'
          ? runtimeLost('the project left this runtime before the answer was safe')
          : commitGivenUp();
      this.#host.ended(task, () => task.failed(error));
      return;
    }
    this.#host.recorded({ requestId: task.requestId, digest: task.header.digest });
    // Asked once more: the answer may have come after the lease was lost, and then it must not be acknowledged.
    const { held } = this.#ports.lease;
    this.#host.ended(task, () =>
      held ? task.succeeded(output, this.#host.served) : task.failed(storeLost()),
    );
  }
}

function sizeOf({ output, writes, turns }: Success): number {
  const entries = [...writes, ...turns];
  return entries.reduce(
    (sum, { json = '' }) => sum + json.length + ENTRY_BYTES,
    output.body.length + ENTRY_BYTES,
  );
}
