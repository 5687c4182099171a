/** Has V8 rather collect than grow where a process rests most of the time. Knows nothing of what the process does. */
import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from './clock.ts';

/** The start is work that is done once. */
const START_MS = 10_000;
const LOOK_EVERY_MS = 2_000;
/** Part of the time that its thread is at work. Above it collecting costs more than memory does. */
const BUSY_SHARE = 0.1;
/** A collection stops the process for some 50 ms. */
const COLLECT_EVERY_MS = 20_000;

/** What is asked of Node, and told. */
export interface Engine {
  /** Part of the time since it was last asked that the event loop did not wait. */
  busyShare(): number;
  preferSmall(isPreferred: boolean): void;
  /** Everything that is garbage; what becomes free is the machine's again. */
  collect(): void;
}

/** Always, for as long as the process lives; what work has left behind is collected when it is over. Best before most code is loaded. */
export function keepHeapSmall(clock: Clock, engine: Engine = nodeEngine()): void {
  engine.preferSmall(true);
  let isDue = true;
  let notBeforeMs = 0;
  eachLook(clock, engine, (isBusy) => {
    isDue ||= isBusy;
    if (isBusy || !isDue || clock.nowMs() < notBeforeMs) return;
    engine.collect();
    isDue = false;
    notBeforeMs = clock.nowMs() + COLLECT_EVERY_MS;
  });
}

/** Now, and whenever the process rests; while it works its heap may grow, which costs less time. It is stopped for one collection only, after the start. */
export function keepHeapSmallAtRest(clock: Clock, engine: Engine = nodeEngine()): void {
  engine.preferSmall(true);
  let isSmall = true;
  let isCollected = false;
  eachLook(clock, engine, (isBusy) => {
    if (isSmall === isBusy) engine.preferSmall(!isBusy);
    isSmall = !isBusy;
    if (isBusy || isCollected) return;
    engine.collect();
    isCollected = true;
  });
}

function eachLook(clock: Clock, engine: Engine, tell: (isBusy: boolean) => void): void {
  const look = (): void => {
    tell(engine.busyShare() >= BUSY_SHARE);
    clock.after(LOOK_EVERY_MS, look);
  };
  clock.after(START_MS, () => {
    engine.busyShare();
    clock.after(LOOK_EVERY_MS, look);
  });
}

type Collect = (options: {
  readonly type: 'major';
  readonly execution: 'sync';
  /** The only one that gives pages back. */
  readonly flavor: 'last-resort';
}) => void;

function nodeEngine(): Engine {
  let last = performance.eventLoopUtilization();
  return {
    busyShare() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    preferSmall(isPreferred) {
      // V8 asks for it at each collection.
      setFlagsFromString(isPreferred ? '--optimize-for-size' : '--no-optimize-for-size');
    },
    collect() {
      // Contexts that are made while the flag is set have the function, no others.
      setFlagsFromString('--expose-gc');
      const collect = runInNewContext('gc') as Collect;
      setFlagsFromString('--no-expose-gc');
      collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    },
  };
}
