import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { watchLiveness } from './liveness.ts';

const LIMITS = { pingIntervalMs: 1_500, pingTimeoutMs: 1_000, silentMs: 5_000 };
type Answer = 'alive' | 'refused' | 'silent';

describe('liveness', () => {
  let clock: FakeClock;
  let answer: Answer;
  let silentAtMs: number | undefined;
  let end: AbortController;
  beforeEach(() => {
    clock = new FakeClock();
    answer = 'alive';
    silentAtMs = undefined;
    end = new AbortController();
    const ping = async (timeoutMs: number): Promise<Answer> => {
      if (answer === 'silent') await clock.sleep(timeoutMs);
      return answer;
    };
    const startMs = clock.nowMs();
    void watchLiveness(
      {
        ping,
        onSilent: () => {
          silentAtMs = clock.nowMs() - startMs;
        },
      },
      LIMITS,
      clock,
      end.signal,
    );
  });

  it('says nothing of a child that answers', async () => {
    await clock.advance(60_000);
    expect(silentAtMs).toBeUndefined();
  });

  it('says nothing of a child that has not answered yet: it starts', async () => {
    answer = 'refused';
    await clock.advance(60_000);
    expect(silentAtMs).toBeUndefined();
  });

  it.each([
    ['silent', 6_500],
    ['refused', 7_500],
  ] as const)('tells after five seconds: %s', async (how, afterMs) => {
    await clock.advance(1_500);
    answer = how;
    await clock.advance(60_000);
    expect(silentAtMs).toBeGreaterThanOrEqual(6_500);
    expect(silentAtMs).toBeLessThanOrEqual(afterMs + 2_000);
  });

  it('forgives a short silence', async () => {
    await clock.advance(1_500);
    answer = 'silent';
    await clock.advance(3_000);
    answer = 'alive';
    await clock.advance(60_000);
    expect(silentAtMs).toBeUndefined();
  });

  it('stops when the child is gone', async () => {
    end.abort();
    await clock.advance(10_000);
    expect(clock.pendingTimers).toBe(0);
  });
});

it('does not hold a pause of its own against the child', async () => {
  const clock = new FakeClock();
  let pausedMs = 0;
  let isSilent = false;
  const late = { ...clockOf(clock), nowMs: () => clock.nowMs() + pausedMs };
  let answer: Answer = 'alive';
  void watchLiveness(
    {
      ping: async () => answer,
      onSilent: () => {
        isSilent = true;
      },
    },
    LIMITS,
    late,
    new AbortController().signal,
  );
  await clock.advance(1_600);
  // Both stood still for a minute; the first ping after it still fails.
  pausedMs = 60_000;
  answer = 'silent';
  await clock.advance(1_500);
  answer = 'alive';
  await clock.advance(10_000);
  expect(isSilent).toBe(false);
});

function clockOf(clock: FakeClock) {
  return {
    wallMs: () => clock.wallMs(),
    after: (ms: number, fn: () => void) => clock.after(ms, fn),
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
  };
}
