/** What the runner of an instance's tasks asks of the instance, and what may wait its turn beside tasks. */
import type { AppError } from '../../core/errors.ts';
import type { ResultId } from '../../platform/store/store.ts';
import type { Caller } from './caller.ts';
import type { Committer } from './committer.ts';
import type { HostTask, Served } from './host-task.ts';
import type { Session } from './session.ts';
import type { Queued } from './task-queue.ts';

/** Something that waits its turn among the tasks but does not run in the worker. */
export interface Errand extends Queued {
  readonly type: 'errand';
  /** Never rejects. */
  run(): Promise<void>;
  /** The instance ended before it could run. */
  dropped(error: AppError): void;
}

export interface RunnerHost {
  readonly served: Served;
  readonly key: string;
  readonly committer: Committer;
  readonly session: Session | undefined;
  /** Whether anything may start now. */
  readonly mayStart: boolean;
  readonly concurrencyMax: number;
  /** A task or errand started or ended. */
  changed(): void;
  recorded(result: ResultId): void;
  /** Callers that came too late to share a task's fate: offer them again. */
  offerAgain(callers: readonly Caller[]): void;
  /** A cancelled task did not end within its grace. */
  hung(task: HostTask): void;
}
