/**
 * When it is a task's turn: fair between tenants, then by priority; only with a slot of its project and credit of the
 * runtime that has it, so nobody waits behind a task that could not run anyway. Sends nothing.
 */
import { AppError } from '../../core/errors.ts';
import { queueTimeout } from '../../core/time-up.ts';
import { poolKeyOfProject, type PoolKey, type ProjectKey } from '../../core/identifiers.ts';
import type { Quarantine } from '../../core/quarantine.ts';
import type { Clock } from '../../platform/clock.ts';
import { isPlaceBlocker, type Router } from '../routing/router.ts';
import type { Runtime, RuntimeSet } from '../routing/runtime-set.ts';
import type { PoolView } from '../pool-view.ts';
import type { Call } from '../task/call.ts';
import { suspended } from '../find-pool.ts';
import type { Grant } from '../task/grant.ts';
import { PoolQueue, type Decision, type Go } from './pool-queue.ts';

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly router: Pick<Router, 'place'>;
  readonly runtimes: Pick<RuntimeSet, 'closeIfIdle'>;
  readonly quarantine: Pick<Quarantine, 'verdict'>;
  /** As it is now: limits change while tasks wait. */
  readonly poolOf: (key: PoolKey) => PoolView | undefined;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #queues = new Map<PoolKey, PoolQueue>();
  readonly #slots = new Map<ProjectKey, number>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** The grant, at once where nothing stands in the way. Rejects with QUEUE_FULL, QUEUE_TIMEOUT, CIRCUIT_OPEN, or the call's own end. */
  acquire(call: Call, pool: PoolView): Grant | Promise<Grant> {
    const queue = this.#queueOf(pool);
    if (!queue.hasWaiting(call.project)) {
      const decision = this.#decide(call, pool);
      if (decision.type === 'refused') throw decision.error;
      if (decision.type === 'go') return this.#grant(call, decision);
    }
    return queue.wait(call, pool);
  }

  /** Gives the old grant back and gets in line again, before those that came later; never refused for a full queue. */
  reacquire(call: Call, pool: PoolView): Grant | Promise<Grant> {
    const freed = this.#giveBack(call);
    try {
      return this.acquire(call, pool);
    } finally {
      freed?.();
    }
  }

  release(call: Call): void {
    this.#giveBack(call)?.();
  }

  /** Credit came back, or more was granted. */
  creditChanged(runtime: Runtime): void {
    const queue = this.#queues.get(runtime.record.pool);
    if (queue === undefined || queue.size === 0 || runtime.credit <= 0) return;
    queue.unblock(linkBlocker(runtime), runtime.credit);
  }

  /** Where tasks of the pool may go has changed: everything that waits is looked at again. */
  placesChanged(pool: PoolKey): void {
    this.#queues.get(pool)?.unblockAll();
  }

  /** The project's route has changed: its tasks may have waited for the wrong thing. */
  routeChanged(project: ProjectKey): void {
    this.#queues.get(poolKeyOfProject(project))?.wake(project);
  }

  waiting(pool: PoolKey): number {
    return this.#queues.get(pool)?.size ?? 0;
  }

  #queueOf(pool: PoolView): PoolQueue {
    let queue = this.#queues.get(pool.key);
    if (queue === undefined) {
      queue = new PoolQueue({
        clock: this.#options.clock,
        decide: (call, view) => this.#decide(call, view),
        grant: (call, go) => this.#grant(call, go),
        timedOut: waitedInVain,
      });
      this.#queues.set(pool.key, queue);
    }
    return queue;
  }

  /** What the task must wait for, where it may go, or why it must not. Changes nothing. */
  #decide(call: Call, arrivedIn: PoolView): Decision {
    const { project, request } = call;
    const pool = this.#options.poolOf(arrivedIn.key) ?? arrivedIn;
    if (pool.isSuspended) return { type: 'refused', error: suspended() };
    const slots = this.#slots.get(project) ?? 0;
    if (slots >= pool.concurrencyOf(request.tenant, request.project, call.tier))
      return { type: 'blocked', by: projectBlocker(project) };
    const { clock, quarantine, router } = this.#options;
    const verdict = quarantine.verdict(
      project,
      clock.nowMs(),
      pool.spec.circuitBreaker.resetTimeoutSeconds * 1000,
    );
    if (verdict.type === 'open')
      return { type: 'refused', error: circuitOpen(verdict.retryAfterMs) };
    const placement = router.place(project, pool, call.tier);
    if (placement.type === 'blocked') return placement;
    const { runtime, takeover } = placement;
    const isProbe = verdict.type === 'suspect';
    if (isProbe && runtime.probed !== undefined)
      return { type: 'blocked', by: probeBlocker(runtime) };
    if (runtime.credit <= 0) return { type: 'blocked', by: linkBlocker(runtime) };
    return { type: 'go', runtime, takeover, isProbe };
  }

  #grant(call: Call, { runtime, takeover, isProbe }: Go): Grant {
    this.#slots.set(call.project, (this.#slots.get(call.project) ?? 0) + 1);
    runtime.unfinished += 1;
    runtime.reserved += 1;
    if (isProbe) runtime.probed = call.project;
    runtime.link.setDemand(runtime.unfinished + this.waiting(runtime.record.pool));
    call.wasAdmitted = true;
    call.grant = { runtime, takeover, isProbe, isSent: false };
    return call.grant;
  }

  /** Answers what lets others have what was given back. */
  #giveBack(call: Call): (() => void) | undefined {
    const { grant, project } = call;
    if (grant === undefined) return undefined;
    call.grant = undefined;
    const { runtime, isProbe } = grant;
    runtime.unfinished -= 1;
    if (!grant.isSent) runtime.reserved -= 1;
    this.#giveSlot(project);
    if (isProbe) runtime.probed = undefined;
    return () => {
      runtime.link.setDemand(runtime.unfinished + this.waiting(runtime.record.pool));
      this.#options.runtimes.closeIfIdle(runtime);
      this.#freed(runtime, project, isProbe);
    };
  }

  #giveSlot(project: ProjectKey): void {
    const slots = (this.#slots.get(project) ?? 1) - 1;
    if (slots === 0) this.#slots.delete(project);
    else this.#slots.set(project, slots);
  }

  #freed(runtime: Runtime, project: ProjectKey, wasProbe: boolean): void {
    const queue = this.#queues.get(runtime.record.pool);
    if (queue === undefined) return;
    if (queue.size === 0) {
      this.#queues.delete(runtime.record.pool);
      return;
    }
    queue.unblock(projectBlocker(project));
    if (wasProbe) queue.unblock(probeBlocker(runtime));
    this.creditChanged(runtime);
  }
}

const RETRY_MS = 1_000;

function projectBlocker(project: ProjectKey): string {
  return `project:${project}`;
}

function linkBlocker(runtime: Runtime): string {
  return `link:${runtime.incarnation}`;
}

function probeBlocker(runtime: Runtime): string {
  return `probe:${runtime.incarnation}`;
}

function circuitOpen(retryAfterMs: number): AppError {
  return new AppError(
    'CIRCUIT_OPEN',
    'tasks of this project ended two runtimes in a row: it is tried again after a while',
    {
      retryAfterMs: Math.ceil(retryAfterMs),
    },
  );
}

/** A task that waited for a place, not for its turn, says so. */
function waitedInVain(decision: Decision): AppError {
  if (decision.type === 'refused') return decision.error;
  if (decision.type === 'blocked' && isPlaceBlocker(decision.by))
    return new AppError(
      'OWNER_UNREACHABLE',
      "no runtime that could serve the project was there in time: the pool's conditions say why",
      { retryAfterMs: RETRY_MS },
    );
  return queueTimeout();
}
