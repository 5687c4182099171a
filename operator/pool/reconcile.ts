/** One pass over one pool, top to bottom: look, learn, decide, publish, apply. Holds what is remembered between passes. */
import type { AgentPoolSpec, AgentPoolStatus } from '../../api/agent-pool.ts';
import { type PoolKey, poolRefOfKey } from '../../core/identifiers.ts';
import { StoreError } from '../../platform/store/store.ts';
import type { Outcome, Reconcile } from '../engine/controller.ts';
import { apply, type Hands } from './apply.ts';
import { Attempts } from './attempts.ts';
import { brokenOf } from './broken.ts';
import { decide } from './decide.ts';
import { dropEndedOverrides } from './ended-overrides.ts';
import { endPool, isDraining } from './end-pool.ts';
import { forgetPool } from './erase-pool.ts';
import { ERASE_GIVEN_UP } from './events.ts';
import { lastingHindrance, noteSteps } from './hindrance.ts';
import { restInMs } from './hurry.ts';
import { sweepProjects, sweepInMs } from './idle-projects.ts';
import { learn } from './learn.ts';
import { look } from './observe.ts';
import { needsOf, observedOf } from './observed-of.ts';
import { type Plan, withoutCreates } from './plan.ts';
import type { PoolLimits } from './pool-limits.ts';
import { newPoolRun, type PoolRun } from './pool-run.ts';
import { PoolTeller, type PoolView, type TellerOptions } from './pool-teller.ts';
import { publish } from './publish.ts';
import { recall } from './recall.ts';
import { rememberPlan } from './remember-plan.ts';
import { tellEvents } from './tell-events.ts';
import {
  forgetTemplates,
  keepModules,
  keepTemplate,
  modulePathsOf,
  noteTemplates,
} from './templates.ts';
import type { PoolSource, WantedPool } from './wanted-pool.ts';

export interface PoolReconcilerOptions extends Hands, Omit<TellerOptions, 'store'> {
  readonly source: PoolSource;
  readonly installation?: string;
}

/** A state of the pool that an operator has told, and the store does not know yet: soon. */
const AT_ONCE: Outcome = { type: 'again', afterMs: 1 };

export class PoolReconciler {
  readonly #options: PoolReconcilerOptions;
  readonly #teller: PoolTeller;
  /** One per pool that is wanted, or that has not quite gone yet. */
  readonly #runs = new Map<PoolKey, PoolRun>();

  constructor(options: PoolReconcilerOptions) {
    this.#options = options;
    this.#teller = new PoolTeller(options);
  }

  views(): readonly PoolView[] {
    return this.#teller.views();
  }

  view(key: PoolKey): PoolView | undefined {
    return this.#teller.view(key);
  }

  get runs(): ReadonlyMap<PoolKey, PoolRun> {
    return this.#runs;
  }

  /** The store was away, and may have come back without what it was told last. */
  doubtStore(): void {
    for (const run of this.#runs.values()) run.comparedMs = -Infinity;
  }

  reconcile: Reconcile = async (key, signal) => {
    const wanted = this.#options.source.get(key);
    const run = this.#runOf(key, wanted);
    const spec = wanted?.spec ?? run.spec;
    if (spec === undefined) {
      const isForgotten = await forgetPool(this.#options, key, signal);
      const { blindPollMs } = this.#options.limits;
      return isForgotten ? { type: 'done' } : { type: 'again', afterMs: blindPollMs };
    }
    this.#runs.set(key, run);
    if (wanted?.isOrphaned === true) return this.#leave(run, wanted, signal);
    try {
      await this.#letGo(run, wanted, signal);
      const outcome = await this.#pass(run, spec, wanted, signal);
      return this.#foundStore(run) ? AT_ONCE : outcome;
    } catch (error) {
      if (error instanceof StoreError) await this.#lostStore(run, wanted, signal);
      throw error;
    }
  };

  /** What was remembered of an earlier pool of this name is nothing to the new one. */
  #runOf(key: PoolKey, wanted: WantedPool | undefined): PoolRun {
    const known = this.#runs.get(key);
    const isAnother = wanted?.uid !== undefined && known?.uid !== wanted.uid;
    if (known !== undefined && !isAnother) return known;
    return newPoolRun(key, poolRefOfKey(key), this.#options.clock.nowMs(), wanted);
  }

  /** A whole pass went well, with all that it wrote: only then the store is back. What was told of it is taken back at once. */
  #foundStore(run: PoolRun): boolean {
    if (!run.isStoreAway || run.isBlind) return false;
    this.#teller.storeIsAway(run, false);
    return this.#runs.has(run.key);
  }

  /** It told what is, but did not take what was to be written. */
  async #lostStore(
    run: PoolRun,
    wanted: WantedPool | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    // What it does not take now it may not have taken from runtimes either.
    run.blindUntilMs = this.#options.clock.nowMs();
    if (run.isStoreAway || wanted === undefined) return;
    this.#teller.storeIsAway(run, true);
    await this.#report(run, this.#teller.judge(run, wanted), signal);
  }

  /** Even its own runtimes are not asked anything any more; once it is gone its record goes, by the spec that is remembered here. */
  async #leave(run: PoolRun, { spec }: WantedPool, signal: AbortSignal): Promise<Outcome> {
    run.spec = spec;
    await this.#options.source.release?.(run.key, signal);
    return { type: 'again', afterMs: this.#options.limits.resyncMs };
  }

  async #letGo(run: PoolRun, wanted: WantedPool | undefined, signal: AbortSignal): Promise<void> {
    const { clock, limits } = this.#options;
    if (wanted?.isDeleting === true) run.goingSinceMs ??= clock.nowMs();
    if (wanted?.isOverdue !== true || isDraining(run, limits, clock.nowMs())) return;
    this.#teller.note(run, [ERASE_GIVEN_UP]);
    await this.#options.source.release?.(run.key, signal);
  }

  async #pass(
    run: PoolRun,
    spec: AgentPoolSpec,
    wanted: WantedPool | undefined,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { limits, clock, driver } = this.#options;
    const nowMs = clock.nowMs();
    const sight = await look(run, spec, this.#options, { nowMs, wallMs: clock.wallMs() });
    signal.throwIfAborted();
    const { isBlind, runtimes } = sight;
    if (isBlind) this.#teller.storeIsAway(run, true);
    const before = run.memory;
    const update = await noteTemplates(run, spec, wanted?.module, { driver, signal });
    const seen = { ...sight, spec, update, limits };
    const lesson = learn(recall(run, isBlind), seen, nowMs);
    run.memory = lesson.memory;
    forgetTemplates(run, update, runtimes);
    this.#keepModules();
    const observed = observedOf(sight, run.memory, update, run);
    const isDeleted = wanted === undefined || wanted.isDeleting === true;
    const plan = decide({ spec, isDeleted }, observed, limits, nowMs);
    this.#teller.mourn(run, lesson.deaths);
    this.#teller.note(
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
    run.memory = rememberPlan(run.memory, plan, { runtimes, limits }, nowMs);
    run.spec = spec;
    if (wanted !== undefined) run.broken = brokenOf(wanted);
    run.observed = observed;
    if (wanted !== undefined) run.generation = wanted.generation;
    if (wanted === undefined || isDeleted) return this.#passOfDeleted(run, plan, signal);
    const againMs = await this.#publishAndApply(run, wanted, plan, signal);
    return this.#outcome(run, plan, againMs);
  }

  /** Binds before all, as projects wait for them. The record before the rest, so that routes lead to the new revision before the old one drains. */
  async #publishAndApply(
    run: PoolRun,
    wanted: WantedPool,
    plan: Plan,
    signal: AbortSignal,
  ): Promise<number> {
    const { clock, driver } = this.#options;
    const attempts = new Attempts();
    run.binds.begin(plan, run, this.#options, signal);
    await run.binds.tell(attempts);
    const leftMs = attempts.haveFailed ? 0 : this.#restInMs(run, plan);
    if (leftMs > 0) return this.#noteSteps(run, attempts) ? 0 : leftMs;
    const status = this.#teller.judge(run, wanted);
    const content = { spec: wanted.spec, status, revision: run.memory.served ?? '' };
    const againMs: number[] = [];
    if (!run.isBlind)
      await attempts.try('publish', async () => {
        againMs.push((await publish(run, content, this.#options, clock.nowMs())) ?? Infinity);
      });
    await attempts.try('keepTemplate', () => keepTemplate(run, driver, signal));
    await attempts.try('report', async () => {
      againMs.push((await this.#report(run, status, signal)) ?? Infinity);
    });
    await attempts.try('keepModules', () => keepModules(run, driver, signal));
    const isPrepared = await attempts.try('prepare', () => this.#prepare(run, wanted.spec, signal));
    const rest = isPrepared ? plan : withoutCreates(plan);
    if (hasToApply(rest))
      await attempts.try('apply', () => apply(rest, run, this.#options, signal));
    await attempts.try('tidy', () => this.#tidy(run, wanted.spec, signal));
    const isOver = this.#noteSteps(run, attempts);
    attempts.throwFirst();
    return isOver ? 0 : Math.min(...againMs);
  }

  #restInMs(run: PoolRun, plan: Plan): number {
    const { clock, limits } = this.#options;
    return run.isStoreAway ? 0 : restInMs(run, plan, limits, clock.nowMs());
  }

  /** @returns whether something is over that was told: that is to be told, too, and soon. */
  #noteSteps(run: PoolRun, { outcomes }: Attempts): boolean {
    const { clock, limits } = this.#options;
    const time = { nowMs: clock.nowMs(), hindranceMs: limits.hindranceMs };
    const stepFailures = noteSteps(run.memory.stepFailures, outcomes, time);
    run.memory = { ...run.memory, stepFailures };
    return run.observed?.hindrance !== undefined && lastingHindrance(stepFailures) === undefined;
  }

  /** Nobody waits for it. */
  async #tidy(run: PoolRun, spec: AgentPoolSpec, signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#options;
    await dropEndedOverrides(run, store, clock.wallMs());
    this.#teller.note(run, await sweepProjects(run, spec, this.#options, signal));
  }

  async #report(
    run: PoolRun,
    status: AgentPoolStatus,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    return this.#options.source.report?.(run.key, status, signal);
  }

  /** A pool that has no runtimes, and is to have none, needs nothing else either. */
  async #prepare(run: PoolRun, spec: AgentPoolSpec, signal: AbortSignal): Promise<void> {
    const needs = needsOf(spec, run.status, run.observed);
    const isIdle = needs.shared + needs.dedicated + (run.observed?.runtimes.length ?? 0) === 0;
    if (!isIdle) await this.#options.driver.prepare?.(run.key, needs, signal);
  }

  async #passOfDeleted(run: PoolRun, plan: Plan, signal: AbortSignal): Promise<Outcome> {
    const { limits } = this.#options;
    const attempts = new Attempts();
    const end = endPool(run, plan, this.#options, signal);
    await attempts.try('end', () => end);
    this.#noteSteps(run, attempts);
    // Not only when all pools are looked at: somebody waits for the end of it.
    if (!(await end)) return { type: 'again', afterMs: limits.blindPollMs };
    this.#runs.delete(run.key);
    this.#keepModules();
    this.#teller.forget(run);
    return { type: 'done' };
  }

  #outcome(run: PoolRun, plan: Plan, againMs: number): Outcome {
    const { limits, clock } = this.#options;
    const afterMs = Math.min(
      plan.wakeInMs ?? Infinity,
      againMs,
      (run.orders.nextTimeoutMs ?? Infinity) - clock.nowMs(),
      lookAgainMs(run, plan, limits),
      run.isBlind ? limits.blindPollMs : Infinity,
      run.binds.isIdle ? Infinity : limits.hurryMs,
      sweepInMs(run, clock.nowMs()),
    );
    return { type: 'again', afterMs: Math.max(1, afterMs) };
  }

  #keepModules(): void {
    this.#options.source.keep?.(new Set([...this.#runs.values()].flatMap(modulePathsOf)));
  }
}

/** A pool that has all it wants is well without any action; one that waits for something is not known to be. */
function hasToApply({ actions, isComplete }: Plan): boolean {
  return isComplete || actions.some((action) => action.do !== 'bind');
}

/** Though nothing happens. */
function lookAgainMs({ observed }: PoolRun, plan: Plan, limits: PoolLimits): number {
  if (plan.partial) return limits.demotionPollMs;
  const isEmpty = plan.actions.length === 0 && observed?.runtimes.length === 0;
  return isEmpty ? limits.emptyResyncMs : limits.resyncMs;
}
