/** Carries out a plan: thin, several actions at once, each order noted before it is given. Decides nothing. */
import type { Role } from '../../api/names.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Store } from '../../platform/store/store.ts';
import { CreateRefused, NameTaken } from './create-refused.ts';
import type { Driver, RuntimeName } from './driver.ts';
import { Hindered } from './hindered.ts';
import { isOutcomeUnknown } from './hindered-by.ts';
import type { Memory } from './memory.ts';
import type { NameRuntime } from './name-runtime.ts';
import { NamesOfPass } from './names-of-pass.ts';
import type { Action, CreateAction, Plan } from './plan.ts';
import type { PoolRun } from './pool-run.ts';

export interface Hands {
  readonly driver: Driver;
  readonly store: Store;
  readonly clock: Clock;
  readonly nameRuntime: NameRuntime;
  readonly log: Log;
}

/** Actions of a pool that are under way at the same time. */
const AT_ONCE_MAX = 16;
/** In a fixed order: it decides who gets the last place of a quota. */
const ROLES: readonly Role[] = ['shared', 'dedicated'];

/**
 * All but the binds. Tries every action, but makes no runtime in place of one that would not go: there could be too many; nor one that would fare like
 * those that just failed. Then throws the first failure, or why one does not go still: the pass is repeated, and what succeeded is seen by then.
 */
export async function apply(
  plan: Plan,
  run: PoolRun,
  hands: Hands,
  signal: AbortSignal,
): Promise<void> {
  if (plan.isComplete) run.memory = withoutRefusals(run.memory);
  const attempt = attemptWith(run, hands, signal);
  const applied = plan.actions.filter((action) => action.do !== 'bind');
  const of = (...kinds: readonly Applied['do'][]): readonly Applied[] =>
    applied.filter((action) => kinds.includes(action.do));
  const failures = await attemptAll(of('remove', 'drain'), attempt);
  const stays = stayingBy(run);
  for (const role of ROLES) {
    const wanted = of('create').filter((action) => 'role' in action && action.role === role);
    const ended = of('remove', 'drain').filter((one) => 'name' in one && stays(one.name, role));
    const creates = wanted.slice(0, Math.max(0, wanted.length - ended.length));
    failures.push(...(await attemptWhileTheySucceed(creates, attempt)));
  }
  // Last: nobody waits for them.
  failures.push(...(await attemptAll(of('mark'), attempt)));
  failures.push(...run.orders.stuck);
  if (failures.length > 0) throw failures[0];
}

/** Whether it was to go, would not, and takes a place of this role: what has ended already takes none. */
function stayingBy({ orders, observed }: PoolRun): (name: RuntimeName, role: Role) => boolean {
  return (name, role) => {
    const one = observed?.runtimes.find((runtime) => runtime.name === name);
    const hasEnded = one?.state.at === 'exited';
    return orders.isStuck(name) && !hasEnded && (one === undefined || one.role === role);
  };
}

/** Answers the failures. */
type Attempt = (actions: readonly Applied[]) => Promise<unknown[]>;
/** Binds are begun before (binds.ts). */
type Applied = Exclude<Action, { do: 'bind' }>;

/** Of one pool, for one pass. */
interface Pass {
  readonly run: PoolRun;
  readonly hands: Hands;
  readonly names: NamesOfPass;
}

function attemptWith(run: PoolRun, hands: Hands, signal: AbortSignal): Attempt {
  const pass: Pass = { run, hands, names: new NamesOfPass(run, hands) };
  return async (actions) => {
    signal.throwIfAborted();
    const tried = await Promise.allSettled(actions.map((one) => act(one, pass, signal)));
    return tried.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  };
}

async function attemptAll(actions: readonly Applied[], attempt: Attempt): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (let next = 0; next < actions.length; next += AT_ONCE_MAX)
    failures.push(...(await attempt(actions.slice(next, next + AT_ONCE_MAX))));
  return failures;
}

/** First one, with each success one more at once: a template or a quota refuses a few of them, not hundreds; and none waits for the slowest of others. */
function attemptWhileTheySucceed(
  actions: readonly Applied[],
  attempt: Attempt,
): Promise<readonly unknown[]> {
  return new Promise((resolve) => {
    const failures: unknown[] = [];
    const left = [...actions].reverse();
    let underWay = 0;
    let atOnce = 1;
    const tryOne = async (action: Applied): Promise<void> => {
      underWay += 1;
      // Also when the pass is told to stop, what is under way ends first: the next one must not meet it.
      failures.push(...(await attempt([action]).catch((error: unknown) => [error])));
      underWay -= 1;
      atOnce = Math.min(AT_ONCE_MAX, atOnce + 1);
      tryMore();
    };
    const tryMore = (): void => {
      const isOver = left.length === 0 || failures.length > 0;
      if (isOver && underWay === 0) resolve(failures);
      while (failures.length === 0 && underWay < atOnce) {
        const action = left.pop();
        if (action === undefined) return;
        void tryOne(action);
      }
    };
    tryMore();
  });
}

async function act(action: Applied, pass: Pass, signal: AbortSignal): Promise<void> {
  const { run, hands } = pass;
  const { driver, store, clock, log } = hands;
  switch (action.do) {
    case 'create':
      return create(action, pass, signal);
    case 'mark':
      return driver.mark?.({ pool: run.key, name: action.name }, action.project, signal);
    case 'drain':
      log.info('runtime is drained', { runtime: action.name, detail: { why: action.why } });
      run.orders.drain(action.name, clock.nowMs());
      try {
        await driver.drain({ pool: run.key, name: action.name }, action.withinMs);
      } catch (error) {
        if (!isOutcomeUnknown(error)) run.orders.refuseDrain(action.name);
        throw stuck(action.name, run, hands, error);
      }
      return;
    case 'remove':
      if (action.why === 'Unheard') await proveTaking(run, store);
      // First the store: whoever needs the dead runtime's projects can claim them at once.
      await Promise.allSettled(action.incarnations.map((one) => store.deregister(one)));
      try {
        await driver.remove({ pool: run.key, name: action.name });
      } catch (error) {
        throw stuck(action.name, run, hands, error);
      }
      run.orders.remove(action.name, clock.nowMs());
      return;
  }
}

/** Named, so that somebody can see to it. */
function stuck(name: RuntimeName, { orders }: PoolRun, { clock }: Hands, error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  const reason = error instanceof Hindered ? error.reason : 'ReconcileFailed';
  const isUnknown = isOutcomeUnknown(error);
  const said = isUnknown
    ? `nobody knows whether the runtime ${name} ends: ${message}`
    : `the runtime ${name} cannot be ended: ${message}`;
  const cause = new Hindered(reason, said, error);
  if (isUnknown) orders.doubt(name, cause, clock.nowMs());
  else orders.hold(name, cause, clock.nowMs());
  return cause;
}

/** A store that answers and takes nothing, as one that is full, hears of nobody either: then it is at fault, and says so here. */
async function proveTaking({ published }: PoolRun, store: Store): Promise<void> {
  if (published !== undefined) await store.putPool(published);
}

async function create(
  action: CreateAction,
  { run, hands, names }: Pass,
  signal: AbortSignal,
): Promise<void> {
  const { driver, clock, log } = hands;
  const template = run.templates.get(action.revision);
  if (template === undefined) return;
  const { role, resources, revision } = action;
  const name = names.next(role, revision);
  log.info('runtime is created', { runtime: name, detail: { role, revision } });
  run.orders.create(name, action, clock.nowMs());
  try {
    await driver.create({ name, pool: run.key, role, template, resources }, signal);
    run.memory = withoutRefusals(run.memory);
  } catch (error) {
    run.orders.refuseCreate(name);
    if (error instanceof NameTaken) run.orders.avoid(name, clock.nowMs());
    if (error instanceof CreateRefused)
      run.memory = withRefusal(run.memory, revision, error, clock);
    throw error;
  }
}

function withoutRefusals(memory: Memory): Memory {
  return memory.refusals.size === 0 ? memory : { ...memory, refusals: new Map() };
}

function withRefusal(
  memory: Memory,
  revision: string,
  { reason, message }: CreateRefused,
  clock: Clock,
): Memory {
  const count = (memory.refusals.get(revision)?.count ?? 0) + 1;
  const row = { revision, count, lastMs: clock.nowMs(), reason, message };
  return { ...memory, refusals: new Map([...memory.refusals, [revision, row]]) };
}
