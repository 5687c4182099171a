import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  checkCommit,
  checkPauseEpoch,
  decideClaim,
  holdsClaim,
  type ClaimAttempt,
  type ClaimSituation,
  type OwnedRecord,
} from './ownership.ts';

const OWNED: OwnedRecord = { owner: { incarnation: 'a', claimId: 'c1' }, epoch: 3, seq: 7 };
const FREE: OwnedRecord = { epoch: 3, seq: 7 };
const INTERVAL_MS = 5_000;
const NOW_MS = 100_000;

function situation(overrides: Partial<ClaimSituation> = {}): ClaimSituation {
  return {
    record: OWNED,
    ownerLeaseAlive: true,
    takeoverAtMs: undefined,
    takeoverIntervalMs: INTERVAL_MS,
    nowMs: NOW_MS,
    ...overrides,
  };
}
const takeover = (refused = false, incarnation = 'a', epoch = 3) => ({
  takeover: { incarnation, epoch, refused },
});

describe('decideClaim', () => {
  const granted = { type: 'granted', takeoverCounted: false };
  const counted = { type: 'granted', takeoverCounted: true };
  const moved = { type: 'moved' };
  const rows: readonly [string, Partial<ClaimAttempt>, Partial<ClaimSituation>, object][] = [
    ['grants what nobody knows', {}, { record: undefined, ownerLeaseAlive: false }, granted],
    ['grants what is free', {}, { record: FREE, ownerLeaseAlive: false }, granted],
    ['grants when the owner’s lease has ended', {}, { ownerLeaseAlive: false }, granted],
    ['says moved while the owner lives', {}, {}, moved],
    ['grants to the owner itself', { incarnation: 'a' }, {}, granted],
    [
      'grants to the owner itself without a lease',
      { incarnation: 'a' },
      { ownerLeaseAlive: false },
      granted,
    ],
    [
      'answers the claim that holds again',
      { incarnation: 'a', claimId: 'c1' },
      {},
      { type: 'again' },
    ],
    ['says moved to another runtime with the same claim id', { claimId: 'c1' }, {}, moved],
    ['grants the first takeover and counts it', takeover(), {}, counted],
    ['grants a refused takeover uncounted', takeover(true), {}, granted],
    [
      'limits a takeover just after one',
      takeover(),
      { takeoverAtMs: NOW_MS },
      { type: 'limited', retryAfterMs: 5_000 },
    ],
    [
      'limits until the interval is over',
      takeover(),
      { takeoverAtMs: NOW_MS - 4_999.5 },
      { type: 'limited', retryAfterMs: 1 },
    ],
    ['grants when the interval is over', takeover(), { takeoverAtMs: NOW_MS - 5_000 }, counted],
    ['never limits a refused takeover', takeover(true), { takeoverAtMs: NOW_MS }, granted],
    ['says moved to a takeover of another owner', takeover(true, 'b'), {}, moved],
    ['says moved to a takeover of an older epoch', takeover(true, 'a', 2), {}, moved],
    ['says moved to a takeover of a newer epoch', takeover(true, 'a', 4), {}, moved],
    [
      'grants uncounted when the owner is dead anyway',
      takeover(),
      { ownerLeaseAlive: false, takeoverAtMs: NOW_MS },
      granted,
    ],
  ];
  it.each(rows)('%s', (_, attempt, given, expected) => {
    expect(decideClaim({ incarnation: 'b', claimId: 'c2', ...attempt }, situation(given))).toEqual(
      expected,
    );
  });
});

describe('checkCommit', () => {
  it.each([
    ['accepts the claim in sequence', OWNED, { claimId: 'c1', seq: 7 }, 'accepted'],
    ['refuses an older sequence number', OWNED, { claimId: 'c1', seq: 6 }, 'refused'],
    ['refuses a newer sequence number', OWNED, { claimId: 'c1', seq: 8 }, 'refused'],
    ['refuses another claim', OWNED, { claimId: 'c2', seq: 7 }, 'refused'],
    ['refuses a released project', FREE, { claimId: 'c1', seq: 7 }, 'refused'],
    ['refuses an erased project', undefined, { claimId: 'c1', seq: 7 }, 'refused'],
  ] as const)('%s', (_, record, claim, expected) => {
    expect(checkCommit(record, claim)).toBe(expected);
  });

  it('holdsClaim asks for the claim alone', () => {
    expect([OWNED, FREE, undefined].map((record) => holdsClaim(record, 'c1'))).toEqual([
      true,
      false,
      false,
    ]);
    expect(holdsClaim(OWNED, 'c2')).toBe(false);
  });
});

describe('checkPauseEpoch', () => {
  it.each([
    ['accepts the epoch that the caller saw', [FREE, false, 3], 'accepted'],
    ['accepts 0 for a project that nobody knows', [undefined, false, 0], 'accepted'],
    ['is changed under a living owner', [OWNED, true, 3], 'changed'],
    ['is changed at another epoch', [FREE, false, 2], 'changed'],
    ['is changed when the project has vanished', [undefined, false, 3], 'changed'],
  ] as const)('%s', (_, [record, alive, epoch], expected) => {
    expect(checkPauseEpoch(record, alive, epoch)).toBe(expected);
  });
});

interface ClaimStep {
  readonly by: string;
  readonly forced: boolean;
  readonly refused: boolean;
  readonly fresh: boolean;
}

/** One project, its claimants, and what must hold after each step. */
class Contest {
  record: OwnedRecord | undefined;
  takeoverAtMs: number | undefined;
  nowMs = 0;
  readonly alive = new Set(['a', 'b', 'c']);
  readonly claims: { readonly claimId: string; seq: number }[] = [];

  claim(step: ClaimStep): void {
    const { record } = this;
    const owner = record?.owner;
    const claimId = step.fresh || owner === undefined ? `c${this.claims.length}` : owner.claimId;
    const takeover = {
      incarnation: owner?.incarnation ?? '',
      epoch: record?.epoch ?? 0,
      refused: step.refused,
    };
    const attempt = { incarnation: step.by, claimId, ...(step.forced ? { takeover } : {}) };
    const ownerLeaseAlive = owner !== undefined && this.alive.has(owner.incarnation);
    const { takeoverAtMs, nowMs } = this;
    const decision = decideClaim(attempt, {
      record,
      ownerLeaseAlive,
      takeoverAtMs,
      takeoverIntervalMs: INTERVAL_MS,
      nowMs,
    });
    if (decision.type === 'granted') this.#grant(attempt, decision.takeoverCounted);
    else if (decision.type !== 'again') expect(ownerLeaseAlive).toBe(true);
  }

  #grant({ incarnation, claimId }: ClaimAttempt, counted: boolean): void {
    if (counted) {
      expect(this.nowMs - (this.takeoverAtMs ?? -Infinity)).toBeGreaterThanOrEqual(INTERVAL_MS);
      this.takeoverAtMs = this.nowMs;
    }
    const { epoch, seq } = this.record ?? { epoch: 0, seq: 0 };
    this.record = { owner: { incarnation, claimId }, epoch: epoch + 1, seq };
    this.claims.push({ claimId, seq });
  }

  commit(index: number, skew: number): void {
    const claim = this.claims[index];
    if (claim === undefined) return;
    const seq = claim.seq + skew;
    const answer = checkCommit(this.record, { claimId: claim.claimId, seq });
    const due = this.record?.owner?.claimId === claim.claimId && this.record.seq === seq;
    expect(answer).toBe(due ? 'accepted' : 'refused');
    if (!due || this.record === undefined) return;
    this.record = { ...this.record, seq: seq + 1 };
    claim.seq = seq + 1;
  }

  release(index: number): void {
    const claim = this.claims[index];
    if (claim === undefined || this.record === undefined || !holdsClaim(this.record, claim.claimId))
      return;
    this.record = { epoch: this.record.epoch, seq: this.record.seq };
  }
}

describe('whatever is claimed, released and committed in whatever order', () => {
  const names = fc.constantFrom('a', 'b', 'c');
  const flag = fc.boolean();
  const step: fc.Arbitrary<(contest: Contest) => void> = fc.oneof(
    fc
      .record({ by: names, forced: flag, refused: flag, fresh: flag })
      .map((claim) => (it: Contest) => it.claim(claim)),
    fc.tuple(fc.nat(30), fc.constantFrom(-1, 0, 0, 0, 1)).map(
      ([index, skew]) =>
        (it: Contest) =>
          it.commit(index, skew),
    ),
    fc.nat(30).map((index) => (it: Contest) => it.release(index)),
    names.map((name) => (it: Contest) => void it.alive.delete(name)),
    names.map((name) => (it: Contest) => void it.alive.add(name)),
    fc.nat(4_000).map((ms) => (it: Contest) => void (it.nowMs += ms)),
  );

  it('exactly the last granted claim commits, epochs only rise, forced takeovers keep their distance', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const contest = new Contest();
        for (const take of steps) {
          const before = contest.record?.epoch ?? 0;
          take(contest);
          expect(contest.record?.epoch ?? 0).toBeGreaterThanOrEqual(before);
        }
      }),
      { numRuns: 500 },
    );
  });
});
