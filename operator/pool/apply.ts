/** Carries out a plan, one action after the other: thin, and each order noted before it is given. Decides nothing. */
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import type { Store } from '../../platform/store/store.ts';
import { CreateRefused } from './create-refused.ts';
import type { Driver } from './driver.ts';
import type { Memory } from './memory.ts';
import type { NameRuntime } from './name-runtime.ts';
import type { Action, CreateAction, Plan } from './plan.ts';
import type { PoolRun } from './pool-run.ts';

export interface Hands {
  readonly driver: Driver;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly nameRuntime: NameRuntime;
  readonly log: Log;
}

/** Tries every action, then throws the first failure: the pass is repeated, and what succeeded is seen by then. */
export async function apply(
  plan: Plan,
  run: PoolRun,
  hands: Hands,
  signal: AbortSignal,
): Promise<void> {
  if (plan.isComplete) run.memory = withoutRefusal(run.memory);
  const failures: unknown[] = [];
  for (const action of plan.actions) {
    signal.throwIfAborted();
    try {
      await act(action, run, hands, signal);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function act(action: Action, run: PoolRun, hands: Hands, signal: AbortSignal): Promise<void> {
  const { driver, store, clock, log } = hands;
  switch (action.do) {
    case 'create':
      return create(action, run, hands, signal);
    case 'bind':
      return bind(action, run, hands, signal);
    case 'drain':
      log.info('runtime is drained', { runtime: action.name, detail: { why: action.why } });
      run.orders.drain(action.name);
      try {
        await driver.drain({ pool: run.key, name: action.name }, action.withinMs);
      } catch (error) {
        run.orders.refuseDrain(action.name);
        throw error;
      }
      return;
    case 'remove':
      // First the store: whoever needs the dead runtime's projects can claim them at once.
      await Promise.allSettled(action.incarnations.map((one) => store.deregister(one)));
      await driver.remove({ pool: run.key, name: action.name });
      run.orders.remove(action.name, clock.nowMs());
      return;
  }
}

async function create(
  action: CreateAction,
  run: PoolRun,
  { driver, clock, nameRuntime, log }: Hands,
  signal: AbortSignal,
): Promise<void> {
  const template = run.templates.get(action.revision);
  if (template === undefined) return;
  const { role, resources, revision } = action;
  const name = nameRuntime({ pool: run.ref, role, revision, taken: run.orders.names });
  log.info('runtime is created', { runtime: name, detail: { role, revision } });
  run.orders.create(name, action, clock.nowMs());
  try {
    await driver.create({ name, pool: run.key, role, template, resources }, signal);
    run.memory = withoutRefusal(run.memory);
  } catch (error) {
    run.orders.refuseCreate(name);
    if (error instanceof CreateRefused)
      run.memory = { ...run.memory, refusal: oneMore(run.memory.refusal, revision, error, clock) };
    throw error;
  }
}

function withoutRefusal({ refusal: _, ...memory }: Memory): Memory {
  return memory;
}

function oneMore(
  before: Memory['refusal'],
  revision: string,
  { reason, message }: CreateRefused,
  clock: Clock,
): NonNullable<Memory['refusal']> {
  const count = before?.revision === revision ? before.count + 1 : 1;
  return { revision, count, lastMs: clock.nowMs(), reason, message };
}

async function bind(
  { name, project }: Extract<Action, { do: 'bind' }>,
  run: PoolRun,
  { driver, clock, random, log }: Hands,
  signal: AbortSignal,
): Promise<void> {
  log.info('standby is bound', { runtime: name, instance_id: project });
  run.orders.bind(name, { project, sinceMs: clock.nowMs() });
  try {
    await driver.bind({ pool: run.key, name }, { project, id: random.id() }, signal);
  } catch (error) {
    // Whether it took the project is unknown, and it serves nobody yet: another one is cheaper than finding out.
    await driver.remove({ pool: run.key, name });
    run.orders.remove(name, clock.nowMs());
    throw error;
  }
}
