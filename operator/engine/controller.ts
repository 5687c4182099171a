/** Workers that take keys from a queue and reconcile them, with a time-out and backoff. Knows no domain: only keys and outcomes. */
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { WorkQueue } from './work-queue.ts';

/** `again`: look at the key once more after so long, though nothing happened. */
export type Outcome =
  { readonly type: 'done' } | { readonly type: 'again'; readonly afterMs: number };

/**
 * Brings what a key stands for closer to what is wanted. Throws when it could not: it is asked again after a backoff.
 * Must settle soon after the signal is aborted: until then the key does not run again.
 */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<Outcome>;

export interface ControllerOptions {
  readonly queue: WorkQueue;
  readonly reconcile: Reconcile;
  readonly workers: number;
  /** Time that one reconciliation may take before it is told to stop. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** After each reconciliation. */
  readonly measure?: (durationMs: number, succeeded: boolean) => void;
}

export interface Controller {
  /** Takes no further key; resolves when what runs has ended. */
  stop(): Promise<void>;
}

export function startController(options: ControllerOptions): Controller {
  const stopping = new AbortController();
  const workers = Array.from({ length: options.workers }, () => work(options, stopping.signal));
  return {
    async stop() {
      options.queue.close();
      stopping.abort(new Error('the controller stops'));
      await Promise.all(workers);
    },
  };
}

async function work(options: ControllerOptions, stopping: AbortSignal): Promise<void> {
  for (;;) {
    const key = await options.queue.take();
    if (key === undefined) return;
    await reconcileOnce(key, options, stopping);
    options.queue.done(key);
  }
}

async function reconcileOnce(
  key: string,
  options: ControllerOptions,
  stopping: AbortSignal,
): Promise<void> {
  const { queue, clock, log, timeoutMs } = options;
  const startedMs = clock.nowMs();
  const limit = new AbortController();
  const timer = clock.after(timeoutMs, () => {
    limit.abort(new Error(`reconciliation took longer than ${timeoutMs} ms`));
  });
  let succeeded = false;
  try {
    const signal = AbortSignal.any([limit.signal, stopping]);
    const outcome = await options.reconcile(key, signal);
    succeeded = true;
    queue.forgetFailures(key);
    if (outcome.type === 'again') queue.addAfter(key, outcome.afterMs);
  } catch (error) {
    const delayMs = queue.addAfterFailure(key);
    if (!stopping.aborted)
      log.warn('reconciliation failed, it is tried again', {
        err: error,
        detail: { key, delayMs: Math.round(delayMs) },
      });
  } finally {
    timer.cancel();
    options.measure?.(clock.nowMs() - startedMs, succeeded);
  }
}
