import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../test/fakes/fake-clock.ts';
import { type Engine, keepHeapSmall, keepHeapSmallAtRest } from './small-heap.ts';

const [IDLE, BUSY] = [0.01, 0.8];

class FakeEngine implements Engine {
  share = BUSY;
  isSmall: boolean | undefined;
  collected = 0;

  busyShare(): number {
    return this.share;
  }

  preferSmall(isPreferred: boolean): void {
    this.isSmall = isPreferred;
  }

  collect(): void {
    this.collected++;
  }
}

let clock: FakeClock;
let engine: FakeEngine;
const pass = async (share: number, ms: number): Promise<void> => {
  engine.share = share;
  await clock.advance(ms);
};

beforeEach(() => {
  clock = new FakeClock();
  engine = new FakeEngine();
});

describe('a heap that is always kept small', () => {
  beforeEach(() => {
    keepHeapSmall(clock, engine);
  });

  it('is so through start and work', async () => {
    await pass(BUSY, 60_000);
    expect(engine).toMatchObject({ isSmall: true, collected: 0 });
  });

  it('is collected once when the start is over, and not again while nothing is done', async () => {
    await pass(IDLE, 10 * 60_000);
    expect(engine.collected).toBe(1);
  });

  it('is collected after each time of work, every 20 s at most', async () => {
    await pass(IDLE, 13_000);
    expect(engine.collected).toBe(1);
    await pass(BUSY, 4_000);
    await pass(IDLE, 4_000);
    expect(engine.collected).toBe(1);
    await pass(IDLE, 20_000);
    expect(engine.collected).toBe(2);
  });
});

describe('a heap that is kept small at rest', () => {
  beforeEach(() => {
    keepHeapSmallAtRest(clock, engine);
  });

  it('is so through the start, however busy', async () => {
    await pass(BUSY, 9_000);
    expect(engine.isSmall).toBe(true);
  });

  it('may grow while there is work, and is small again after it', async () => {
    await pass(BUSY, 14_000);
    expect(engine.isSmall).toBe(false);
    await pass(IDLE, 4_000);
    expect(engine.isSmall).toBe(true);
  });

  it('is collected once, at the first rest after the start: callers are not to wait for it', async () => {
    await pass(BUSY, 14_000);
    expect(engine.collected).toBe(0);
    await pass(IDLE, 60_000);
    await pass(BUSY, 60_000);
    await pass(IDLE, 60_000);
    expect(engine.collected).toBe(1);
  });
});
