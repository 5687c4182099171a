/** Gives standbys their projects. Passes do not wait for the answers: in a crowd the slowest would hold up all others. */
import type { PoolKey } from '../../core/identifiers.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Attempts } from './attempts.ts';
import { BoundElsewhere, NotTold } from './bind-failures.ts';
import type { Driver, RuntimeName } from './driver.ts';
import type { Action, Plan } from './plan.ts';
import type { Binding, OwnOrders } from './see-runtimes.ts';

type BindAction = Extract<Action, { do: 'bind' }>;

export interface BindHands {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly log: Log;
}

/** Of the pool: what is noted of each runtime, before it is told and after. */
interface BindRun {
  readonly key: PoolKey;
  readonly orders: Pick<OwnOrders, 'bindingOf'> & {
    bind(name: RuntimeName, binding: Binding): void;
    refuseBind(name: RuntimeName): void;
    remove(name: RuntimeName, nowMs: number): void;
  };
}

/** Each is one call to another runtime. What is over it waits here, and is noted as given already. */
const AT_ONCE_MAX = 64;

/** Those of one pool. Bounded by its standbys: each is given away once, and answers are told with the next pass. */
export class Binds {
  readonly #waiting: (() => Promise<void>)[] = [];
  /** Of those that have ended since a pass was told. */
  #ended: { readonly failure?: unknown }[] = [];
  readonly #underWay = new Set<Promise<void>>();

  /** False: there are answers to wait for, or to be told. */
  get isIdle(): boolean {
    return this.#underWay.size === 0 && this.#ended.length === 0;
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  begin(plan: Plan, run: BindRun, hands: BindHands, signal: AbortSignal): void {
    for (const action of plan.actions) {
      if (action.do !== 'bind') continue;
      note(action, run, hands, {});
      this.#waiting.push(() => bind(action, run, hands, signal));
    }
    this.#goOn();
  }

  /** What has ended since it was asked last counts as this step of the pass; nothing has: the step was not tried. */
  async tell(attempts: Attempts): Promise<void> {
    const ended = this.#ended;
    this.#ended = [];
    if (ended.length === 0) return;
    await attempts.try('bind', async () => {
      for (const one of ended) if ('failure' in one) throw one.failure;
    });
  }

  #goOn(): void {
    while (this.#underWay.size < AT_ONCE_MAX) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const one = next()
        .then(
          () => this.#ended.push({}),
          (failure: unknown) => this.#ended.push({ failure }),
        )
        .then(() => {
          this.#underWay.delete(one);
          this.#goOn();
        });
      this.#underWay.add(one);
    }
  }
}

async function bind(
  action: BindAction,
  run: BindRun,
  hands: BindHands,
  signal: AbortSignal,
): Promise<void> {
  const { name, project } = action;
  const { driver, clock } = hands;
  // The runtime may have gone meanwhile, and its name be another one's.
  const isStillGiven = (): boolean => run.orders.bindingOf(name)?.project === project;
  try {
    if (signal.aborted) throw new NotTold('the operator stops, or the pass took too long');
    await driver.bind({ pool: run.key, name }, project, signal);
    if (isStillGiven()) note(action, run, hands, { isTaken: true });
  } catch (error) {
    if (!isStillGiven()) throw error;
    if (error instanceof NotTold) run.orders.refuseBind(name);
    else if (error instanceof BoundElsewhere)
      note({ ...action, project: error.project }, run, hands, { isTaken: true });
    else {
      // Whether it took the project is unknown, and it serves nobody yet: another one is cheaper than finding out.
      await driver.remove({ pool: run.key, name });
      run.orders.remove(name, clock.nowMs());
    }
    throw error;
  }
}

function note(
  { name, project }: BindAction,
  { orders }: BindRun,
  { clock, log }: BindHands,
  more: { readonly isTaken?: true },
): void {
  const before = orders.bindingOf(name);
  if (before === undefined) log.info('standby is bound', { runtime: name, instance_id: project });
  const sinceMs = before?.project === project ? before.sinceMs : clock.nowMs();
  orders.bind(name, { project, sinceMs, ...more });
}
