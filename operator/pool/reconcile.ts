/** One pass over one pool, top to bottom: look, learn, decide, publish, apply. Holds what is remembered between passes. */
import type { AgentPoolSpec, AgentPoolStatus } from '../../api/agent-pool.ts';
import type { PoolEvent } from '../../api/pool-report.ts';
import { type PoolKey, type PoolRef, poolRefOfKey } from '../../core/identifiers.ts';
import { type PoolRecord, StoreError } from '../../platform/store/store.ts';
import type { Outcome } from '../engine/controller.ts';
import { apply, type Hands } from './apply.ts';
import { brokenOf } from './broken.ts';
import { decide } from './decide.ts';
import { erasePool, forgetPool } from './erase-pool.ts';
import { addEvents, type NewEvent } from './events.ts';
import type { Death } from './failures.ts';
import { learn } from './learn.ts';
import { look } from './observe.ts';
import { needsOf, NO_SIGHT, observedOf } from './observed-of.ts';
import { type Plan, withoutCreates } from './plan.ts';
import type { PoolLimits } from './pool-limits.ts';
import { newPoolRun, type PoolRun } from './pool-run.ts';
import { publish } from './publish.ts';
import { statusOf } from './status.ts';
import { tellEvents } from './tell-events.ts';
import { forgetTemplates, modulePathsOf, noteTemplate } from './templates.ts';
import type { ModuleState, PoolSource, WantedPool } from './wanted-pool.ts';

/** What the operator knows of a pool, for those in the same process. */
export interface PoolView {
  readonly ref: PoolRef;
  readonly generation: number;
  readonly spec: AgentPoolSpec;
  readonly status: AgentPoolStatus;
  readonly events: readonly PoolEvent[];
  /** Where the agent module failed, if it did. */
  readonly failureStack?: string;
}

export interface PoolReconcilerOptions extends Hands {
  readonly source: PoolSource;
  readonly limits: PoolLimits;
  readonly endpoint?: string;
  /** A view changed. */
  readonly onView: () => void;
  readonly onEvent?: (pool: PoolRef, event: NewEvent) => void;
}

export class PoolReconciler {
  readonly #options: PoolReconcilerOptions;
  /** One per pool that is wanted, or that has not quite gone yet. */
  readonly #runs = new Map<PoolKey, PoolRun>();
  readonly #views = new Map<PoolKey, PoolView>();

  constructor(options: PoolReconcilerOptions) {
    this.#options = options;
  }

  views(): readonly PoolView[] {
    return [...this.#views.values()];
  }

  view(key: PoolKey): PoolView | undefined {
    return this.#views.get(key);
  }

  reconcile = async (key: PoolKey, signal: AbortSignal): Promise<Outcome> => {
    const wanted = this.#options.source.get(key);
    const run = this.#runs.get(key) ?? newPoolRun(key, poolRefOfKey(key), wanted?.status);
    const spec = wanted?.spec ?? run.spec;
    if (spec === undefined) return this.#forget(key, signal);
    this.#runs.set(key, run);
    try {
      await this.#letGo(run, wanted, signal);
      const outcome = await this.#pass(run, spec, wanted, signal);
      if (run.isStoreAway) this.#storeChanged(run, false);
      return outcome;
    } catch (error) {
      if (error instanceof StoreError) await this.#lostStore(run, signal);
      throw error;
    }
  };

  async #lostStore(run: PoolRun, signal: AbortSignal): Promise<void> {
    if (run.isStoreAway) return;
    this.#storeChanged(run, true);
    if (run.status !== undefined) await this.#report(run, run.status, signal);
  }

  async #letGo(run: PoolRun, wanted: WantedPool | undefined, signal: AbortSignal): Promise<void> {
    if (wanted?.isOverdue !== true) return;
    const message = 'its projects could not be erased in time: they stay in the store';
    this.#note(run, [{ reason: 'EraseGivenUp', message }]);
    await this.#options.source.release?.(run.key, signal);
  }

  async #pass(
    run: PoolRun,
    spec: AgentPoolSpec,
    wanted: WantedPool | undefined,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { limits, clock } = this.#options;
    const nowMs = clock.nowMs();
    const sight = await look(run, spec, this.#options, { nowMs, wallMs: clock.wallMs() });
    signal.throwIfAborted();
    const before = run.memory;
    const update = noteTemplate(run, spec, wanted?.module);
    const lesson = learn(before, { spec, runtimes: sight.runtimes, update, limits }, nowMs);
    run.memory = lesson.memory;
    forgetTemplates(run, update, sight.runtimes);
    this.#keepModules();
    const observed = observedOf(sight, run.memory, update);
    const isDeleted = wanted === undefined || wanted.isDeleting === true;
    const plan = decide({ spec, isDeleted }, observed, limits, nowMs);
    this.#mourn(run, lesson.deaths);
    this.#note(
      run,
      tellEvents({
        specBefore: run.spec,
        spec,
        brokenBefore: run.broken,
        broken: brokenOf(wanted),
        before,
        after: run.memory,
        deaths: lesson.deaths,
        observedBefore: run.observed,
        observed,
        plan,
        limits,
      }),
    );
    run.spec = spec;
    if (wanted !== undefined) run.broken = brokenOf(wanted);
    run.observed = observed;
    if (wanted !== undefined) run.generation = wanted.generation;
    if (wanted === undefined || isDeleted) return this.#passOfDeleted(run, spec, plan, signal);
    const againMs = await this.#publishAndApply(run, wanted, plan, signal);
    return this.#outcome(run, plan, againMs);
  }

  /** The record first, so that routes lead to the new revision before the old one drains. */
  async #publishAndApply(
    run: PoolRun,
    wanted: WantedPool,
    plan: Plan,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const { clock } = this.#options;
    const status = this.#judge(run, wanted);
    const revision = run.memory.served ?? '';
    let againMs: number | undefined;
    const failures: unknown[] = [];
    const attempt = async (step: () => Promise<unknown>): Promise<boolean> => {
      try {
        await step();
        return true;
      } catch (error) {
        failures.push(error);
        return false;
      }
    };
    await attempt(async () => {
      const content = { spec: wanted.spec, status, revision };
      againMs = await publish(run, content, this.#options, clock.nowMs());
    });
    await attempt(() => this.#report(run, status, signal));
    const isPrepared = await attempt(() => this.#prepare(run, wanted.spec, signal));
    await attempt(() =>
      apply(isPrepared ? plan : withoutCreates(plan), run, this.#options, signal),
    );
    if (failures.length > 0) throw failures[0];
    return againMs;
  }

  async #report(run: PoolRun, status: AgentPoolStatus, signal: AbortSignal): Promise<void> {
    await this.#options.source.report?.(run.key, status, signal);
  }

  /** A pool that has no runtimes, and is to have none, needs nothing else either. */
  async #prepare(run: PoolRun, spec: AgentPoolSpec, signal: AbortSignal): Promise<void> {
    const needs = needsOf(spec, run.status);
    const isIdle = needs.shared + needs.dedicated + (run.observed?.runtimes.length ?? 0) === 0;
    if (!isIdle) await this.#options.driver.prepare?.(run.key, needs, signal);
  }

  /** Tasks are refused while it drains; its projects go only when nobody can write them any more. */
  async #passOfDeleted(
    run: PoolRun,
    spec: AgentPoolSpec,
    plan: Plan,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { store, limits, log } = this.#options;
    if (run.published !== undefined && run.published.deleting !== true) {
      run.spec = { ...spec, operatingMode: 'Suspended' };
      const record: PoolRecord = { ...run.published, spec: run.spec, deleting: true };
      await store.putPool(record);
      run.published = record;
    }
    await apply(plan, run, this.#options, signal);
    if ((run.observed?.runtimes ?? []).length > 0)
      return { type: 'again', afterMs: limits.resyncMs };
    await erasePool(store, run.key, spec.deletionPolicy, signal);
    await this.#options.source.release?.(run.key, signal);
    this.#runs.delete(run.key);
    this.#keepModules();
    this.#views.delete(run.key);
    log.info('pool is deleted', this.#keysOf(run, { deletionPolicy: spec.deletionPolicy }));
    this.#options.onView();
    return { type: 'done' };
  }

  async #forget(key: PoolKey, signal: AbortSignal): Promise<Outcome> {
    await forgetPool(this.#options, key, signal);
    return { type: 'done' };
  }

  #outcome(run: PoolRun, plan: Plan, againMs: number | undefined): Outcome {
    const { limits, clock } = this.#options;
    const afterMs = Math.min(
      plan.wakeInMs ?? Infinity,
      againMs ?? Infinity,
      (run.orders.nextTimeoutMs ?? Infinity) - clock.nowMs(),
      plan.partial ? limits.demotionPollMs : limits.resyncMs,
    );
    return { type: 'again', afterMs: Math.max(1, afterMs) };
  }

  #judge(run: PoolRun, wanted: WantedPool): AgentPoolStatus {
    const { store, limits, endpoint, clock } = this.#options;
    const { ref, spec, generation, module } = wanted;
    const status = statusOf({
      poolName: ref.name,
      generation,
      spec,
      module,
      ...(wanted.problems === undefined ? {} : { problems: wanted.problems }),
      observed: run.observed ?? observedOf(NO_SIGHT, run.memory, undefined),
      memory: run.memory,
      limits,
      store: run.isStoreAway ? 'unavailable' : store.kind,
      ...(store.durability === undefined ? {} : { durability: store.durability }),
      wallMs: clock.wallMs(),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(run.status === undefined ? {} : { previous: run.status }),
    });
    run.status = status;
    const stack = stackOf(run, module);
    this.#views.set(run.key, {
      ref,
      generation,
      spec,
      status,
      events: run.events,
      ...(stack === undefined ? {} : { failureStack: stack }),
    });
    this.#options.onView();
    return status;
  }

  #storeChanged(run: PoolRun, isAway: boolean): void {
    run.isStoreAway = isAway;
    this.#note(run, [
      isAway
        ? { reason: 'StoreUnavailable', message: 'the store does not answer' }
        : { reason: 'StoreRestored', message: 'the store answers again' },
    ]);
    const wanted = this.#options.source.get(run.key);
    if (wanted !== undefined) this.#judge(run, wanted);
  }

  #note(run: PoolRun, events: readonly NewEvent[]): void {
    if (events.length === 0) return;
    run.events = addEvents(run.events, events, this.#options.clock.wallMs());
    for (const event of events) {
      const { reason, message } = event;
      this.#options.onEvent?.(run.ref, event);
      this.#options.log.info('pool event', this.#keysOf(run, { reason, message }));
    }
  }

  #keepModules(): void {
    this.#options.source.keep?.(new Set([...this.#runs.values()].flatMap(modulePathsOf)));
  }

  #mourn(run: PoolRun, deaths: readonly Death[]): void {
    for (const { runtime, reason, message, stack } of deaths)
      this.#options.log.warn('runtime was lost', {
        ...this.#keysOf(run, { reason, message, stack }),
        runtime: runtime.name,
      });
  }

  #keysOf(run: PoolRun, detail: Readonly<Record<string, unknown>>) {
    return { namespace: run.ref.namespace, pool: run.ref.name, detail };
  }
}

function stackOf(run: PoolRun, module: ModuleState): string | undefined {
  if (module.at === 'broken') return module.stack;
  return run.memory.failuresByRevision.get(run.observed?.update ?? '')?.stack;
}
