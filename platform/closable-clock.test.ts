import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../test/fakes/fake-clock.ts';
import { ClosableClock } from './closable-clock.ts';

let real: FakeClock;
let clock: ClosableClock;
let fired: string[];
const note = (name: string) => (): void => void fired.push(name);

beforeEach(() => {
  real = new FakeClock();
  clock = new ClosableClock(real);
  fired = [];
});

describe('a clock that can be closed', () => {
  it('tells the time and runs timers as the real one does', async () => {
    clock.after(10, note('late'));
    clock.after(5, note('cancelled')).cancel();
    void clock.sleep(7).then(note('slept'));
    await real.advance(10);
    expect(fired).toEqual(['slept', 'late']);
    expect([clock.nowMs(), clock.wallMs()]).toEqual([real.nowMs(), real.wallMs()]);
  });

  it('leaves no timer when it is closed, and takes none any more', async () => {
    const timer = clock.after(10, note('before'));
    void clock.sleep(10).then(note('slept'));
    clock.close();
    clock.after(0, note('after')).cancel();
    clock.after(0, note('after'));
    timer.cancel();
    expect(real.pendingTimers).toBe(0);
    await real.advance(1_000);
    await settle();
    expect(fired).toEqual([]);
  });
});
