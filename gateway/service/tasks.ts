/** Runs tasks for the edges: one Call per task through the stages, counted when it ends. Also the gateway's drain. */
import { AppError } from '../../core/errors.ts';
import { statusOfError } from '../metrics.ts';
import { Call, type CallOptions, type TaskAnswer } from '../task/call.ts';
import { createPipeline } from '../stages/pipeline.ts';
import type { Next } from '../stages/stage.ts';
import type { StageContext } from '../stages/stage-context.ts';

export interface TaskHandle {
  /** As the caller gave it, or as it was made here. */
  readonly requestId: string;
  /** Rejects with an AppError only. */
  readonly answer: Promise<TaskAnswer>;
  /** The caller's connection is gone: cancels, unless on_disconnect says CONTINUE. */
  leave(): void;
  /** The caller wants no answer any more. */
  cancel(): void;
}

const DRAINING_RETRY_MS = 1_000;
export const STOPPING = 'this gateway is stopping: try again, on another one';

export class Tasks {
  readonly #context: StageContext;
  readonly #pipeline: Next;
  readonly #calls = new Set<Call>();
  #isDraining = false;
  #onIdle: (() => void) | undefined;

  constructor(context: StageContext) {
    this.#context = context;
    this.#pipeline = createPipeline(context);
  }

  /** Tasks on their way. */
  get active(): number {
    return this.#calls.size;
  }

  start(options: CallOptions): TaskHandle {
    const call = new Call(options, this.#context.clock.nowMs(), this.#context.random);
    return {
      requestId: call.requestId,
      answer: this.#run(call),
      // Edges say so at the end of every call, also where the task is over: then an error would be made for nothing.
      leave: () => {
        if (this.#calls.has(call)) call.leave();
      },
      cancel: () => {
        if (this.#calls.has(call))
          call.abort(new AppError('CANCELLED', 'the caller cancelled the task'));
      },
    };
  }

  /** New tasks get DRAINING from now on; resolves when those on their way have ended. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#calls.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** Ends what is still on its way. */
  abortAll(): void {
    for (const call of this.#calls) call.abort(draining());
  }

  async #run(call: Call): Promise<TaskAnswer> {
    this.#calls.add(call);
    try {
      if (this.#isDraining) throw draining();
      await this.#pipeline(call);
      if (call.answer === undefined)
        throw new AppError('INTERNAL', 'the task ended without an answer');
      this.#count(call, undefined);
      return call.answer;
    } catch (thrown) {
      throw this.#report(call, thrown);
    } finally {
      this.#calls.delete(call);
      if (this.#calls.size === 0) this.#onIdle?.();
    }
  }

  #report(call: Call, thrown: unknown): AppError {
    const error = AppError.from(thrown);
    this.#count(call, error);
    if (error.reason === 'INTERNAL') {
      const { tenant, project } = call.request;
      this.#context.log.error('task failed inside the gateway', {
        err: thrown,
        tenant,
        project,
        request_id: call.requestId,
      });
    }
    return error;
  }

  #count(call: Call, error: AppError | undefined): void {
    const { clock, metrics } = this.#context;
    const { header } = call.answer ?? {};
    metrics.ended(call.pool, {
      status: error === undefined ? 'success' : statusOfError(error),
      tier: header?.tier ?? call.tier,
      durationMs: clock.nowMs() - call.arrivedMs,
      ...(header === undefined ? {} : { hit: header.hit }),
    });
  }
}

/** This gateway goes: the same on another one. */
export function draining(): AppError {
  return new AppError('DRAINING', STOPPING, { retryAfterMs: DRAINING_RETRY_MS });
}
