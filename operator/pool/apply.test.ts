import { expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { FakeDriver } from '../../test/fakes/fake-driver.ts';
import { spec } from '../../test/builders/pool-builders.ts';
import { silentLog } from '../../platform/log.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { apply, type Hands } from './apply.ts';
import type { RuntimeRequest } from './driver.ts';
import type { NameRuntime } from './name-runtime.ts';
import type { Plan } from './plan.ts';
import { newPoolRun } from './pool-run.ts';

/** Creates of which a test says when each ends. */
class SlowDriver extends FakeDriver {
  readonly underWay: PromiseWithResolvers<undefined>[] = [];
  readonly given: string[] = [];
  asked = 0;

  namesInUse(): readonly string[] {
    this.asked += 1;
    return ['0', '2'];
  }

  override async create({ name }: RuntimeRequest): Promise<void> {
    this.given.push(name);
    const end = Promise.withResolvers<undefined>();
    this.underWay.push(end);
    await end.promise;
  }
}

/** The lowest number that is free. */
const numbered: NameRuntime = ({ taken, after }) => {
  const first = after === undefined ? 0 : Number(after) + 1;
  for (let number = first; ; number += 1) if (!taken.has(`${number}`)) return `${number}`;
};

function begin(count: number) {
  const [clock, nameRuntime] = [new FakeClock(), numbered];
  const store = new MemoryStore(clock);
  const driver = new SlowDriver(clock, store);
  const hands: Hands = { driver, store, clock, nameRuntime, log: silentLog };
  const run = newPoolRun('default~pool', { namespace: 'default', name: 'pool' }, 0);
  const module = { digest: 'one', path: '/one.mjs' };
  run.templates.set('new', { revision: 'new', module, spec: spec() });
  const create = { do: 'create', role: 'shared', revision: 'new', resources: {} } as const;
  const plan: Plan = { actions: Array(count).fill(create), partial: false, isComplete: false };
  const stop = new AbortController();
  let isOver = false;
  const ended = apply(plan, run, hands, stop.signal).finally(() => (isOver = true));
  ended.catch(() => undefined);
  return { ended, isOver: () => isOver, stop, driver, underWay: driver.underWay };
}

it('makes one first, and with each that succeeds one more at once', async () => {
  const { ended, underWay } = begin(6);
  await settle();
  const counts = [underWay.length];
  for (let next = 0; next < 6; next += 1) {
    underWay[next]?.resolve(undefined);
    await settle();
    counts.push(underWay.length);
  }
  await ended;
  expect(counts).toEqual([1, 3, 5, 6, 6, 6, 6]);
});

it('makes no more once one has failed, and ends when all that were begun have', async () => {
  const { ended, isOver, underWay } = begin(9);
  await settle();
  underWay[0]?.resolve(undefined);
  await settle();
  underWay[1]?.reject(new Error('full'));
  await settle();
  expect([underWay.length, isOver()]).toEqual([3, false]);
  underWay[2]?.resolve(undefined);
  await expect(ended).rejects.toThrow('full');
  expect(underWay).toHaveLength(3);
});

it('that is told to stop makes no more, and ends when all that were begun have', async () => {
  const { ended, isOver, stop, underWay } = begin(9);
  await settle();
  underWay[0]?.resolve(undefined);
  await settle();
  stop.abort(new Error('not the leader any more'));
  underWay[1]?.resolve(undefined);
  await settle();
  expect([underWay.length, isOver()]).toEqual([3, false]);
  underWay[2]?.resolve(undefined);
  await expect(ended).rejects.toThrow('not the leader any more');
  expect(underWay).toHaveLength(3);
});

it('gives each the lowest name that is free, and asks once which are not', async () => {
  const { ended, driver, underWay } = begin(4);
  for (let next = 0; next < 4; next += 1) {
    await settle();
    underWay[next]?.resolve(undefined);
  }
  await ended;
  expect(driver.given).toEqual(['1', '3', '4', '5']);
  expect(driver.asked).toBe(1);
});
