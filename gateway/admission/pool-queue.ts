/** The tasks of one pool that wait in this gateway: bounded, fair, each with its own patience. What blocks a task it is told. */
import { AppError } from '../../core/errors.ts';
import { FairQueue, type QueueLimits, type Ticket } from '../../core/fair-queue.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { Clock, Timer } from '../../platform/clock.ts';
import { PRIORITIES } from '../../platform/link/frames.ts';
import type { PoolView } from '../pool-view.ts';
import type { Takeover } from '../routing/router.ts';
import type { Runtime } from '../routing/runtime-set.ts';
import type { Call } from '../task/call.ts';
import type { Grant } from '../task/grant.ts';

export interface Go {
  readonly type: 'go';
  readonly runtime: Runtime;
  readonly takeover: Takeover | undefined;
  readonly isProbe: boolean;
}
export type Decision =
  | Go
  | { readonly type: 'blocked'; readonly by: string }
  | { readonly type: 'refused'; readonly error: AppError };

export interface PoolQueueOptions {
  readonly clock: Clock;
  readonly decide: (call: Call, pool: PoolView) => Decision;
  readonly grant: (call: Call, go: Go) => Grant;
  /** The error for a task whose patience ended while it waited for this. */
  readonly timedOut: (decision: Decision) => AppError;
}

interface Waiter {
  readonly call: Call;
  readonly pool: PoolView;
  decision: Decision | undefined;
  settle: (end: Grant | AppError) => void;
}

const FULL_RETRY_MS = 1_000;
const NO_LIMITS: QueueLimits = { depthMax: Infinity, tenantDepthMax: Infinity };

export class PoolQueue {
  readonly #options: PoolQueueOptions;
  readonly #queue = new FairQueue<Waiter>();

  constructor(options: PoolQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#queue.size;
  }

  hasWaiting(project: ProjectKey): boolean {
    return this.#queue.size > 0 && this.#queue.hasGroup(project);
  }

  /** Rejects when the queue is full, the patience ends or the call is aborted. */
  wait(call: Call, pool: PoolView): Promise<Grant> {
    return new Promise<Grant>((resolve, reject) => {
      const waiter: Waiter = {
        call,
        pool,
        decision: undefined,
        settle: (end) => {
          if (end instanceof AppError) reject(end);
          else resolve(end);
        },
      };
      if (call.signal.aborted) waiter.settle(AppError.from(call.signal.reason));
      else this.#enter(waiter);
    });
  }

  /** What was named is over, for at most so many projects. */
  unblock(blocker: string, projectsMax = Infinity): void {
    this.#queue.unblock(blocker, projectsMax);
    this.#pump();
  }

  unblockAll(): void {
    this.#queue.unblockAll();
    this.#pump();
  }

  /** Whatever the project waits for: its route has changed. */
  wake(project: ProjectKey): void {
    this.#queue.wake(project);
    this.#pump();
  }

  #enter(waiter: Waiter): void {
    const { call, pool } = waiter;
    const { tenant, priority } = call.request;
    const item = {
      tenant,
      group: call.project,
      level: PRIORITIES.indexOf(priority),
      value: waiter,
    };
    const ticket = this.#queue.push(
      item,
      call.wasAdmitted ? NO_LIMITS : limitsOf(pool, tenant),
      call.arrivedMs,
    );
    if (ticket === undefined) {
      waiter.settle(this.#full(limitsOf(pool, tenant)));
      return;
    }
    this.#watch(waiter, ticket);
    this.#pump();
  }

  #full({ depthMax, tenantDepthMax }: QueueLimits): AppError {
    const message =
      this.#queue.size >= depthMax
        ? `${depthMax} tasks of the pool wait in this gateway already (queue.depthMax): try again later`
        : `${tenantDepthMax} tasks of the tenant wait in this gateway already (queueDepthMax of its limits): try again later`;
    return new AppError('QUEUE_FULL', message, { retryAfterMs: FULL_RETRY_MS });
  }

  /** Ends the wait by patience or by the call's own end. */
  #watch(waiter: Waiter, ticket: Ticket<Waiter>): void {
    const { call, pool, settle } = waiter;
    const { clock, decide, timedOut } = this.#options;
    const sinceMs = clock.nowMs();
    const patienceMs = patienceOf(call, pool);
    const leave = (): void => {
      this.#queue.remove(ticket);
      waiter.settle(AppError.from(call.signal.reason));
    };
    const timer: Timer = clock.after(patienceMs, () => {
      this.#queue.remove(ticket);
      waiter.settle(timedOut(decide(call, pool)));
    });
    call.signal.addEventListener('abort', leave, { once: true });
    waiter.settle = (end) => {
      timer.cancel();
      call.signal.removeEventListener('abort', leave);
      call.queuedMs += clock.nowMs() - sinceMs;
      settle(end);
    };
  }

  #pump(): void {
    for (let waiter = this.#take(); waiter !== undefined; waiter = this.#take()) {
      const { call, decision } = waiter;
      if (decision?.type === 'go') waiter.settle(this.#options.grant(call, decision));
      else if (decision?.type === 'refused') waiter.settle(decision.error);
    }
  }

  #take(): Waiter | undefined {
    return this.#queue.take((waiter) => {
      const decision = this.#options.decide(waiter.call, waiter.pool);
      waiter.decision = decision;
      return decision.type === 'blocked' ? decision.by : undefined;
    });
  }
}

/** Time that the task may still wait; all its waits together count. */
export function patienceOf(call: Call, pool: PoolView): number {
  const { waitMsMax } = pool.spec.queue;
  const { maxWaitMs } = call.request;
  const allowedMs = maxWaitMs > 0 ? Math.min(maxWaitMs, waitMsMax) : waitMsMax;
  return Math.max(0, allowedMs - call.queuedMs);
}

function limitsOf(pool: PoolView, tenant: string): QueueLimits {
  return {
    depthMax: pool.spec.queue.depthMax,
    tenantDepthMax: pool.tenantLimits(tenant).queueDepthMax ?? Infinity,
  };
}
