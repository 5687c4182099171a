/** Group commit and unknown outcomes, against a store that loses requests and answers. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../test/fakes/fake-clock.ts';
import { FlakyStore, type CallPlan } from '../../test/fakes/flaky-store.ts';
import { silentLog } from '../../platform/log.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import type { Claim, Commit, TaskCommit } from '../../platform/store/store.ts';
import { Committer, type Change } from './committer.ts';

const KEY = 'default~assistants~acme~one';

let clock: FakeClock;
let store: MemoryStore;
let held: boolean;
/** For each commit in turn; then undefined: it works. */
let plans: (CallPlan | undefined)[];
let commits: Commit[];
let told: string[];

beforeEach(() => {
  clock = new FakeClock();
  store = new MemoryStore(clock);
  held = true;
  plans = [];
  commits = [];
  told = [];
});

async function claim(claimId = 'mine'): Promise<Claim> {
  const answer = await store.claim({ key: KEY, incarnation: 'r1', claimId });
  if (answer.type !== 'claimed') throw new Error(answer.type);
  return answer.activation.claim;
}

async function committer(): Promise<Committer> {
  const flaky = new FlakyStore(store, {
    clock,
    timeoutMs: 500,
    plan: (method, args) => {
      if (method !== 'commit') return undefined;
      commits.push(args[0] as Commit);
      return plans.shift();
    },
  });
  return new Committer(
    {
      clock,
      store: flaky.store,
      log: silentLog,
      lease: {
        get held() {
          return held;
        },
        stopped: false,
        whenHeld: async () => {
          while (!held) await clock.sleep(10);
        },
      },
      retention: () => ({
        resultMs: 1e9,
        resultsMax: 100,
        resultBytesMax: 1e9,
        turnsMaxPerConversation: 100,
      }),
      flush: () => false,
      rate: () => undefined,
      counted: () => undefined,
      kept: () => undefined,
      onLost: () => told.push('LOST'),
      onIdle: () => told.push('idle'),
      onDoubt: (inDoubt) => told.push(inDoubt ? 'doubt' : 'known'),
    },
    await claim(),
  );
}

function task(requestId: string): TaskCommit {
  const output = { arm: 'text' as const, body: new Uint8Array() };
  const result = {
    requestId,
    digest: 'd',
    agent: 'a',
    conversationId: 'c',
    output,
    finishedAtMs: 1,
  };
  return { result, writes: [], turns: [] };
}

function change(requestId: string, extra: Partial<Change> = {}): Change {
  const settled = (outcome: string): void => {
    told.push(`${requestId} ${outcome}`);
  };
  return { task: task(requestId), bytes: 10, settled, ...extra };
}

const sizes = (): readonly number[] => commits.map(({ tasks }) => tasks.length);

describe('what is ready together', () => {
  it('travels together, and what comes meanwhile with the next commit', async () => {
    const made = await committer();
    plans = [{ answerDelayMs: 10 }];
    made.add(change('a'));
    made.add(change('b'));
    await settle();
    made.add(change('c'));
    made.add(change('d'));
    await clock.advance(10);
    expect(sizes()).toEqual([2, 2]);
    expect(told).toEqual(['a committed', 'b committed', 'c committed', 'd committed', 'idle']);
    expect(made.claim.seq).toBe(2);
  });

  it('is bounded in count and bytes', async () => {
    const made = await committer();
    for (let at = 0; at < 130; at += 1) made.add(change(`q${at}`));
    made.add(change('large', { bytes: 9_000_000 }));
    await settle();
    expect(sizes()).toEqual([128, 2, 1]);
  });

  it('keeps an erased conversation apart from its tasks before and after', async () => {
    const made = await committer();
    made.add(change('a'));
    made.add({ forget: 'c', bytes: 0, settled: () => undefined });
    made.add(change('b'));
    await settle();
    expect(commits.map(({ tasks, forget }) => [tasks.length, forget])).toEqual([
      [1, undefined],
      [0, ['c']],
      [1, undefined],
    ]);
  });
});

describe('an outcome that is not known', () => {
  it.each([{ fault: 'lost' as const }, { fault: 'before' as const }])(
    '$fault: is read back, and the identical one sent again',
    async ({ fault }) => {
      const made = await committer();
      plans = [{ fault }];
      made.add(change('a'));
      await settle();
      await clock.advance(1_000);
      expect(told).toEqual(['doubt', 'known', 'a committed', 'idle']);
      expect(commits).toHaveLength(2);
      expect(commits[1]).toEqual(commits[0]);
      expect((await store.readProject(KEY))?.seq).toBe(1);
    },
  );

  it('after: what can be read may not be safe yet, so nobody is answered before a commit that follows it is', async () => {
    const made = await committer();
    plans = [{ fault: 'after' }, { fault: 'after' }, { answerDelayMs: 50 }];
    made.add(change('a'));
    await settle();
    expect(told).toEqual(['doubt']);
    await clock.advance(149);
    expect(told).toEqual(['doubt']);
    await clock.advance(1);
    expect(told).toEqual(['doubt', 'known', 'a committed', 'idle']);
    expect(sizes()).toEqual([1, 0, 0]);
    expect(await store.readProject(KEY)).toMatchObject({ seq: 3, requests: 1 });
    made.add(change('b'));
    await settle();
    expect(told.slice(4)).toEqual(['b committed', 'idle']);
  });

  it('holds back the next commit', async () => {
    const made = await committer();
    plans = [{ fault: 'lost' }, { fault: 'lost' }];
    made.add(change('a'));
    await settle();
    made.add(change('b'));
    await clock.advance(600);
    expect(made.inDoubt).toBe(true);
    expect(sizes()).toEqual([1, 1]);
    await clock.advance(1_000);
    expect(told.filter((word) => word.endsWith('committed'))).toEqual([
      'a committed',
      'b committed',
    ]);
  });

  const lost = { fault: 'lost' as const };

  it('is given up where the store answers what is asked of it, but never this commit', async () => {
    const made = await committer();
    plans = [lost, lost, lost, lost, lost];
    made.add(change('a'));
    await settle();
    made.add(change('b'));
    await clock.advance(60_000);
    expect(commits).toHaveLength(5);
    expect(told).toEqual(['doubt', 'known', 'a given-up', 'b lost', 'LOST']);
    expect((await store.readProject(KEY))?.seq).toBe(0);
  });

  it.each([
    ['the last sending was applied', [lost, lost, lost, lost, { fault: 'after' as const }]],
    [
      'it was refused for want of memory in between',
      [lost, ...Array.from({ length: 20 }, () => ({ fault: 'before' as const }))],
    ],
    [
      'what follows it is not answered either',
      [
        { fault: 'after' as const },
        ...Array.from({ length: 20 }, () => ({ fault: 'after' as const })),
      ],
    ],
  ])('is not given up where %s', async (_, faults: CallPlan[]) => {
    const made = await committer();
    plans = faults;
    made.add(change('a'));
    await settle();
    await clock.advance(60_000);
    expect(told).toEqual(['doubt', 'known', 'a committed', 'idle']);
    expect((await store.readProject(KEY))?.requests).toBe(1);
  });

  it('that comes after it was given up comes before the next claim, or is refused', async () => {
    const made = await committer();
    plans = [lost, lost, lost, lost, { fault: 'late', requestDelayMs: 5_000 }];
    made.add(change('a'));
    await settle();
    await clock.advance(4_000);
    expect(told).toContain('a given-up');
    await claim('next');
    await clock.advance(10_000);
    expect(await store.readProject(KEY)).toMatchObject({ seq: 0, requests: 0 });
  });

  it('is committed when the first sending arrives after the second was refused or before it', async () => {
    const made = await committer();
    // The first arrives long after the caller gave up: in between the record is unchanged, so it is sent again.
    plans = [{ fault: 'late', requestDelayMs: 505 }, { requestDelayMs: 20 }];
    made.add(change('a'));
    await settle();
    await clock.advance(2_000);
    expect(told).toContain('a committed');
    expect((await store.readProject(KEY))?.requests).toBe(1);
  });

  it("is lost when the project is another claim's by then", async () => {
    const made = await committer();
    plans = [{ fault: 'lost' }];
    made.add(change('a'));
    await settle();
    made.add(change('b'));
    await claim('stolen');
    await clock.advance(1_000);
    expect(told).toEqual(['doubt', 'known', 'a lost', 'b lost', 'LOST']);
  });

  it('is lost when the project was erased', async () => {
    const made = await committer();
    plans = [{ fault: 'lost' }];
    made.add(change('a'));
    await settle();
    await store.eraseProject(KEY);
    await clock.advance(1_000);
    expect(told).toEqual(['doubt', 'known', 'a lost', 'LOST']);
  });
});

describe('a refused commit', () => {
  it('loses everything, once, and what comes later at once', async () => {
    const made = await committer();
    await claim('stolen');
    made.add(change('a'));
    await settle();
    made.add(change('b'));
    expect(told).toEqual(['a lost', 'LOST', 'b lost']);
  });
});

describe('without the lease', () => {
  it('nothing is sent; what waits is sent when it is back', async () => {
    const made = await committer();
    held = false;
    made.add(change('a'));
    await clock.advance(1_000);
    expect(commits).toEqual([]);
    held = true;
    await clock.advance(10);
    expect(told).toEqual(['a committed', 'idle']);
  });

  it('an unknown outcome waits for it too', async () => {
    const made = await committer();
    plans = [{ fault: 'lost' }];
    made.add(change('a'));
    await settle();
    held = false;
    await clock.advance(5_000);
    expect(commits).toHaveLength(1);
    held = true;
    await clock.advance(10);
    expect(told).toContain('a committed');
  });
});

describe('the end', () => {
  it('loses what waits at once, and tells nobody of what was on its way', async () => {
    const made = await committer();
    plans = [{ answerDelayMs: 10 }];
    made.add(change('a'));
    await settle();
    made.add(change('b'));
    made.end();
    expect(told).toEqual(['b lost']);
    await clock.advance(10);
    expect(told).toEqual(['b lost', 'a lost']);
  });
});

describe('a record', () => {
  it('matches where the committer can go on from it', async () => {
    const made = await committer();
    const base = { ...(await store.readProject(KEY)) } as NonNullable<
      Awaited<ReturnType<MemoryStore['readProject']>>
    >;
    expect(made.matches(base)).toBe(true);
    expect(made.matches({ ...base, seq: 1 })).toBe(false);
    expect(made.matches(undefined)).toBe(false);
    expect(made.matches({ ...base, owner: { incarnation: 'r1', claimId: 'other' } })).toBe(false);
    plans = [{ answerDelayMs: 10 }];
    made.add(change('a'));
    await settle();
    expect([
      made.matches(base),
      made.matches({ ...base, seq: 1 }),
      made.matches({ ...base, seq: 2 }),
    ]).toEqual([true, true, false]);
  });
});
