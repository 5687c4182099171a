/** Asks the runtime that has a project for something that is no task. Follows a project that moved; repeats nothing that may have happened. */
import { AppError } from '../../core/errors.ts';
import type { RuntimeCall } from '../../platform/link/frames.ts';
import type { Owner } from '../../platform/store/store.ts';
import { HOPS_MAX } from '../routing/router.ts';
import type { Runtime } from '../routing/runtime-set.ts';
import { suspended } from '../find-pool.ts';
import type { PoolView } from '../pool-view.ts';
import type { StageContext } from '../stages/stage-context.ts';
import type { ProjectTarget } from './project-target.ts';

export interface OwnerAnswer {
  readonly answer: unknown;
  readonly runtime: Runtime;
}

export const CALL_MS_MAX = 5_000;
const RETRY_MS = 1_000;
/** On top of what the runtime waits for: the way there and back. */
export const SLACK_MS = 5_000;

/** For what waits until a task has ended, or cancels it. */
export function drainMs({ spec: { limits } }: PoolView): number {
  return (limits.drainSeconds + limits.cancelGraceSeconds) * 1000 + SLACK_MS;
}

/** Between two looks for a runtime that is ready. */
const LOOK_AGAIN_MS = 50;

interface OwnerCall {
  readonly request: RuntimeCall;
  readonly timeoutMs: number;
  readonly find: () => Promise<Runtime | undefined>;
}

type CallContext = Pick<StageContext, 'clock' | 'membership' | 'router' | 'runtimes' | 'store'>;

export class OwnerCalls {
  readonly #context: CallContext;
  /** What ends the calls that are on their way. */
  readonly #enders = new Set<(reason: AppError) => void>();
  #end: AppError | undefined;
  #onIdle: (() => void) | undefined;

  constructor(context: CallContext) {
    this.#context = context;
  }

  /** By the store's word of who has the project. Undefined: no live runtime. */
  async ask(
    target: ProjectTarget,
    request: RuntimeCall,
    timeoutMs = CALL_MS_MAX,
  ): Promise<OwnerAnswer | undefined> {
    return this.#follow(target, { request, timeoutMs, find: () => this.#owner(target) });
  }

  /** By the route, where there is one: for what any runtime that could activate the project may do. Undefined: no live runtime has it. */
  async askRoute(
    target: ProjectTarget,
    request: RuntimeCall,
    timeoutMs = CALL_MS_MAX,
  ): Promise<OwnerAnswer | undefined> {
    return this.#follow(target, {
      request,
      timeoutMs,
      find: async () => this.#known(target) ?? this.#owner(target),
    });
  }

  /** The owner, or where the project would be activated: for what makes it live. Waits for a runtime as a task would. */
  async askOrPlace(
    target: ProjectTarget,
    request: RuntimeCall,
    timeoutMs = CALL_MS_MAX,
  ): Promise<OwnerAnswer> {
    const find = async (): Promise<Runtime | undefined> =>
      this.#known(target) ?? (await this.#owner(target)) ?? this.#place(target);
    const answer = await this.#follow(target, { request, timeoutMs, find });
    if (answer === undefined)
      throw new AppError(
        'OWNER_UNREACHABLE',
        'no runtime of the pool is ready: its conditions say why',
        {
          retryAfterMs: RETRY_MS,
        },
      );
    return answer;
  }

  /** Resolves when none is on its way. */
  async drain(): Promise<void> {
    if (this.#enders.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** Whoever waits is told this, from now on; what a runtime was asked for may happen yet. */
  abortAll(reason: AppError): void {
    this.#end = reason;
    for (const end of this.#enders) end(reason);
  }

  async #follow(target: ProjectTarget, call: OwnerCall): Promise<OwnerAnswer | undefined> {
    if (this.#end !== undefined) throw this.#end;
    const { promise: ended, reject } = Promise.withResolvers<never>();
    this.#enders.add(reject);
    try {
      return await Promise.race([this.#askInTurn(target, call), ended]);
    } finally {
      this.#enders.delete(reject);
      if (this.#enders.size === 0) this.#onIdle?.();
    }
  }

  async #askInTurn(target: ProjectTarget, call: OwnerCall): Promise<OwnerAnswer | undefined> {
    for (let hop = 1; ; hop += 1) {
      const runtime = await call.find();
      if (runtime === undefined) return undefined;
      try {
        const answer = await runtime.link.call(call.request, call.timeoutMs);
        this.#learn(target, runtime, call.request);
        return { answer, runtime };
      } catch (thrown) {
        const error = AppError.from(thrown);
        if (hop === HOPS_MAX || !this.#moved(target, runtime, error)) throw error;
      }
    }
  }

  #learn({ key }: ProjectTarget, runtime: Runtime, { method }: RuntimeCall): void {
    if (method === 'discard' || method === 'remove') this.#context.router.forget(key);
    else this.#context.router.served(key, runtime, false);
  }

  /** True: the runtime said that it does not have the project, or takes none any more, and the route is corrected. */
  #moved({ key }: ProjectTarget, runtime: Runtime, error: AppError): boolean {
    if (error.reason !== 'OWNER_UNREACHABLE') return false;
    const { epoch } = error.metadata;
    if (epoch !== undefined)
      this.#context.router.elsewhere(key, runtime, ownerIn(error), Number(epoch));
    else if (runtime.isDraining) this.#context.router.forget(key);
    else return false;
    return true;
  }

  #known({ key }: ProjectTarget): Runtime | undefined {
    return this.#context.router.reachableOwner(key);
  }

  async #owner({ key, pool }: ProjectTarget): Promise<Runtime | undefined> {
    const { membership, runtimes, store } = this.#context;
    const owner = await store.readOwner(key);
    if (owner === undefined) return undefined;
    if (runtimes.get(owner.incarnation) === undefined) await membership.refreshRuntimes(pool.key);
    const runtime = runtimes.get(owner.incarnation);
    if (runtime?.isReachable === true) return runtime;
    throw new AppError(
      'OWNER_UNREACHABLE',
      'the runtime that has the project cannot be reached: try again',
      {
        retryAfterMs: RETRY_MS,
      },
    );
  }

  async #place({ key, pool, tenant, project }: ProjectTarget): Promise<Runtime | undefined> {
    const { clock, membership, router } = this.#context;
    if (pool.isSuspended) throw suspended();
    const { tier } = pool.tierOf(tenant, project, membership.override(pool, key), clock.wallMs());
    const untilMs = clock.nowMs() + pool.spec.queue.waitMsMax;
    for (;;) {
      const placement = router.place(key, pool, tier);
      if (placement.type === 'runtime') return placement.runtime;
      if (clock.nowMs() >= untilMs || this.#end !== undefined) return undefined;
      await clock.sleep(LOOK_AGAIN_MS);
    }
  }
}

function ownerIn({
  metadata: { incarnation, address = '', epoch = '0' },
}: AppError): Owner | undefined {
  return incarnation === undefined ? undefined : { incarnation, address, epoch: Number(epoch) };
}
