import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { LeaseWatch } from './lease-watch.ts';

const POOL = 'default~main';

describe('who looks when a lease ends', () => {
  let clock: FakeClock;
  let watch: LeaseWatch;
  let startMs: number;
  /** When a pool was looked at, in ms since the beginning. */
  let looks: number[];
  let pools: string[];
  let answers: (number | undefined | Error)[];
  let delayMs: number;

  beforeEach(async () => {
    clock = new FakeClock();
    startMs = clock.nowMs();
    [looks, pools, answers, delayMs] = [[], [POOL], [], 0];
    watch = new LeaseWatch(
      {
        pools: async () => pools,
        expire: async () => {
          looks.push(clock.nowMs() - startMs);
          if (delayMs > 0) await clock.sleep(delayMs);
          const answer = answers.shift();
          if (answer instanceof Error) throw answer;
          return answer;
        },
      },
      clock,
    );
  });

  const at = async (ms: number): Promise<void> => {
    await clock.advance(startMs + ms - clock.nowMs());
    await settle();
  };

  async function start(...inMs: (number | undefined | Error)[]): Promise<void> {
    answers.push(...inMs);
    watch.start();
    await settle();
  }

  it('looks when the first ends, and not for each change before: leases only get longer', async () => {
    await start(8_000, 9_000);
    for (const ms of [10, 20, 5_000]) {
      await at(ms);
      watch.changed(POOL);
    }
    await at(9_000);
    expect(looks).toEqual([0, 8_000]);
    watch.stop();
  });

  it('looks at the first change of a pool that had no lease', async () => {
    await start(undefined);
    await at(70);
    answers.push(10_000);
    watch.changed(POOL);
    await settle();
    watch.changed(POOL);
    await at(9_000);
    expect(looks).toEqual([0, 70]);
    watch.stop();
  });

  it('looks once more where the first lease came while a look found none', async () => {
    delayMs = 50;
    await start(undefined, 10_000);
    await at(20);
    watch.changed(POOL);
    watch.changed(POOL);
    await at(5_000);
    expect(looks).toEqual([0, 50]);
    watch.stop();
  });

  it('looks again soon after a look that failed, and is in no hurry for changes until then', async () => {
    await start(new Error('away'), 10_000);
    await at(300);
    watch.changed(POOL);
    await at(2_000);
    expect(looks).toEqual([0, 1_000]);
    watch.stop();
  });

  it('looks after one lease time though Redis says later: its clock may have been set back', async () => {
    await start(3_600_000, 10_000);
    await at(10_000);
    expect(looks).toEqual([0, 10_000]);
    watch.stop();
  });

  it.each([NaN, Infinity])(
    'looks after one lease time where a lease ends in %p ms',
    async (inMs) => {
      await start(inMs, 10_000);
      await at(9_999);
      expect(looks).toEqual([0]);
      await at(10_000);
      expect(looks).toEqual([0, 10_000]);
      watch.stop();
    },
  );

  it('looks at all when told so, whatever is due', async () => {
    await start(10_000, 10_000);
    await at(500);
    pools.push('default~other');
    watch.lookAtAll();
    await settle();
    expect(looks).toEqual([0, 500, 500]);
    watch.stop();
  });
});
