import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLog } from '../../platform/log.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { type Controller, type Outcome, type Reconcile, startController } from './controller.ts';
import { WorkQueue } from './work-queue.ts';

describe('the controller', () => {
  let clock: FakeClock;
  let queue: WorkQueue;
  let controller: Controller | undefined;
  let measured: boolean[];
  beforeEach(() => {
    clock = new FakeClock();
    measured = [];
    queue = new WorkQueue(
      clock,
      { float: () => 1, id: () => 'id' },
      { backoffMinMs: 100, backoffMaxMs: 1_000 },
    );
  });
  afterEach(async () => controller?.stop());
  const start = (reconcile: Reconcile, workers = 2): void => {
    controller = startController({
      queue,
      reconcile,
      workers,
      timeoutMs: 1_000,
      clock,
      log: silentLog,
      measure: (_ms, succeeded) => measured.push(succeeded),
    });
  };

  it('runs different keys at the same time, equal ones never', async () => {
    const running: string[] = [];
    const ends: (() => void)[] = [];
    start((key) => {
      running.push(key);
      return new Promise<Outcome>((resolve) => ends.push(() => resolve({ type: 'done' })));
    });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await clock.advance(0);
    queue.add('a');
    await clock.advance(0);
    expect(running).toEqual(['a', 'b']);
    ends[0]?.();
    await clock.advance(0);
    expect(running).toEqual(['a', 'b', 'c']);
    for (const end of ends) end();
    await clock.advance(0);
    expect(running).toEqual(['a', 'b', 'c', 'a']);
    for (const end of ends) end();
  });

  it('looks again after the time that was asked for', async () => {
    const atMs: number[] = [];
    start(async () => {
      atMs.push(clock.nowMs());
      return atMs.length < 3 ? { type: 'again', afterMs: 300 } : { type: 'done' };
    });
    const startMs = clock.nowMs();
    queue.add('a');
    await clock.advance(0);
    await clock.advance(5_000);
    expect(atMs.map((ms) => ms - startMs)).toEqual([0, 300, 600]);
  });

  it('backs off from failures, and starts anew after a success', async () => {
    const atMs: number[] = [];
    start(async () => {
      atMs.push(clock.nowMs());
      if (atMs.length !== 3) throw new Error('refused');
      return { type: 'again', afterMs: 50 };
    });
    const startMs = clock.nowMs();
    queue.add('a');
    await clock.advance(0);
    await clock.advance(500);
    expect(atMs.map((ms) => ms - startMs)).toEqual([0, 100, 300, 350, 450]);
    expect(measured).toEqual([false, false, true, false, false]);
  });

  it('tells one that takes too long to stop, and waits for it', async () => {
    let reason: unknown;
    let runs = 0;
    start((_key, signal) => {
      runs++;
      return new Promise<Outcome>((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
          clock.after(500, () => reject(signal.reason as Error));
        });
      });
    });
    queue.add('a');
    await clock.advance(0);
    await clock.advance(1_400);
    expect(String(reason)).toBe('Error: reconciliation took longer than 1000 ms');
    queue.add('a');
    await clock.advance(0);
    expect(runs).toBe(1);
    await clock.advance(1_000);
    expect(runs).toBe(2);
    await Promise.all([controller?.stop(), clock.advance(2_000)]);
  });

  it('when stopped aborts what runs and waits for its end', async () => {
    let aborted = false;
    start(
      (_key, signal) =>
        new Promise<Outcome>((resolve) => {
          signal.addEventListener('abort', () => {
            aborted = true;
            resolve({ type: 'again', afterMs: 1 });
          });
        }),
    );
    queue.add('a');
    await clock.advance(0);
    await controller?.stop();
    expect(aborted).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });
});
