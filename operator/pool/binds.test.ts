import { beforeEach, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { FakeDriver } from '../../test/fakes/fake-driver.ts';
import { SeededRandom } from '../../test/simulation/seeded-random.ts';
import { silentLog } from '../../platform/log.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import type { Hands } from './apply.ts';
import { Attempts } from './attempts.ts';
import { BoundElsewhere, NotTold } from './bind-failures.ts';
import type { RuntimeRef } from './driver.ts';
import { randomNames } from './name-runtime.ts';
import { newPoolRun, type PoolRun } from './pool-run.ts';

/** Binds of which a test says when each ends. */
class SlowDriver extends FakeDriver {
  readonly answers = new Map<string, PromiseWithResolvers<undefined>>();
  readonly removed: string[] = [];

  override async bind({ name }: RuntimeRef): Promise<void> {
    const answer = Promise.withResolvers<undefined>();
    this.answers.set(name, answer);
    await answer.promise;
  }

  override async remove({ name }: RuntimeRef): Promise<void> {
    this.removed.push(name);
  }
}

let driver: SlowDriver;
let run: PoolRun;
let hands: Hands;

beforeEach(() => {
  stop = new AbortController();
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  driver = new SlowDriver(clock, store);
  const nameRuntime = randomNames(new SeededRandom(1));
  hands = { driver, store, clock, nameRuntime, log: silentLog };
  run = newPoolRun('default~pool', { namespace: 'default', name: 'pool' }, 0);
});

let stop: AbortController;

function begin(...names: readonly string[]): void {
  const actions = names.map((name) => ({ do: 'bind', name, project: `of-${name}` }) as const);
  const plan = { actions, partial: false, isComplete: false };
  run.binds.begin(plan, run, hands, stop.signal);
}

/** What the next pass makes of it. */
async function told(): Promise<string> {
  const attempts = new Attempts();
  await run.binds.tell(attempts);
  if (!attempts.outcomes.has('bind')) return 'nothing';
  return attempts.outcomes.get('bind')?.message ?? 'done';
}

it('does not wait for one that is slow', async () => {
  begin('a');
  begin('b');
  driver.answers.get('b')?.resolve(undefined);
  await settle();
  expect(run.orders.bindingOf('a')).toEqual({ project: 'of-a', sinceMs: expect.any(Number) });
  expect(run.orders.bindingOf('b')).toMatchObject({ project: 'of-b', isTaken: true });
  expect([await told(), run.binds.isIdle]).toEqual(['done', false]);
  expect(await told()).toBe('nothing');
  driver.answers.get('a')?.resolve(undefined);
  await settle();
  expect([run.binds.isIdle, await told(), run.binds.isIdle]).toEqual([false, 'done', true]);
});

it('calls no more than sixty-four at once, and notes the others as given', async () => {
  begin(...Array.from({ length: 70 }, (_, index) => `r${index}`));
  expect(driver.answers.size).toBe(64);
  expect(run.orders.bindingOf('r69')).toMatchObject({ project: 'of-r69' });
  driver.answers.get('r3')?.resolve(undefined);
  await settle();
  expect([...driver.answers.keys()].slice(64)).toEqual(['r64']);
});

it('ends a runtime of which nobody knows whether it took its project, and says why once', async () => {
  begin('a', 'b');
  driver.answers.get('a')?.reject(new Error('no answer'));
  driver.answers.get('b')?.resolve(undefined);
  await settle();
  expect(driver.removed).toEqual(['a']);
  expect(run.orders.isRemoved('a')).toBe(true);
  expect([await told(), await told()]).toEqual(['no answer', 'nothing']);
});

it('leaves a runtime alone that has another project', async () => {
  begin('a');
  driver.answers.get('a')?.reject(new BoundElsewhere('q'));
  await settle();
  expect(driver.removed).toEqual([]);
  expect(run.orders.bindingOf('a')).toMatchObject({ project: 'q', isTaken: true });
  expect(await told()).toContain('another project, q');
});

it('ends no runtime to which nothing was said, and gives it away again', async () => {
  begin('a');
  driver.answers.get('a')?.reject(new NotTold('it does not lead'));
  await settle();
  expect([driver.removed, run.orders.bindingOf('a')]).toEqual([[], undefined]);
  expect(await told()).toBe('it does not lead');
});

it('that is told to stop says nothing to those that still wait, and ends when the others have', async () => {
  begin(...Array.from({ length: 66 }, (_, index) => `r${index}`));
  stop.abort();
  let isOver = false;
  const settled = run.binds.settled().then(() => (isOver = true));
  for (const [name, answer] of driver.answers) if (name !== 'r0') answer.resolve(undefined);
  await settle();
  expect([driver.answers.size, isOver]).toEqual([64, false]);
  driver.answers.get('r0')?.resolve(undefined);
  await settled;
  expect([driver.removed, run.orders.bindingOf('r65')]).toEqual([[], undefined]);
});

it('ends no runtime that has the name of one that went meanwhile', async () => {
  begin('a');
  run.orders.observe([], 0);
  driver.answers.get('a')?.reject(new Error('no answer'));
  await settle();
  expect([driver.removed, run.orders.bindingOf('a')]).toEqual([[], undefined]);
});
