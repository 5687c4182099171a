/** Leases, claims, takeovers, releases: who owns a project. */
import { expect, it } from '@jest/globals';
import { StoreError, TAKEOVER_INTERVAL_MS, type ClaimAnswer } from '../../platform/store/store.ts';
import {
  claimed,
  claimRequest,
  commitOf,
  committed,
  join,
  newKey,
  runtimeRecord,
  unique,
} from './store-builders.ts';
import type { Subject } from './store.ts';

const TTL_MS = 10_000;

export function claimCases(subject: Subject): void {
  leaseCases(subject);
  ownershipCases(subject);
  takeoverCases(subject);
}

function leaseCases(subject: Subject): void {
  it('lists a runtime as it described itself, for as long as its lease lives', async () => {
    const { store, fixture } = subject;
    const record = runtimeRecord({ bound: newKey(), role: 'dedicated' });
    await store.heartbeat(record, TTL_MS);
    expect(await store.listRuntimes()).toEqual([record]);
    await fixture.clock.advance(TTL_MS - 1);
    expect(await store.listRuntimes()).toEqual([record]);
    await fixture.clock.advance(1);
    expect(await store.listRuntimes()).toEqual([]);
  });

  it('lists the runtimes of one pool', async () => {
    const { store } = subject;
    const [pool, other] = [unique('default~one-'), unique('default~other-')];
    const record = await join(store, { pool });
    const elsewhere = await join(store, { pool: other });
    expect(await store.listRuntimes(pool)).toEqual([record]);
    expect(await store.listRuntimes(other)).toEqual([elsewhere]);
    expect(await store.listRuntimes(unique('default~unknown-'))).toEqual([]);
    expect(await store.listRuntimes()).toHaveLength(2);
  });

  it('restarts the lease with each heartbeat and takes the newest record', async () => {
    const { store, fixture } = subject;
    const record = await join(store);
    await fixture.clock.advance(6_000);
    await store.heartbeat({ ...record, draining: true }, TTL_MS);
    await fixture.clock.advance(6_000);
    expect(await store.listRuntimes()).toEqual([{ ...record, draining: true }]);
  });

  it('ends a lease at once on deregister, and a late heartbeat does not bring it back', async () => {
    const { store } = subject;
    const record = await join(store);
    await store.deregister(record.incarnation);
    expect(await store.listRuntimes()).toEqual([]);
    await expect(store.heartbeat(record, TTL_MS)).rejects.toThrow(StoreError);
    expect(await store.listRuntimes()).toEqual([]);
  });

  it('takes a deregister of a runtime it has never heard of', async () => {
    await expect(subject.store.deregister('nobody')).resolves.toBeUndefined();
  });
}

function ownershipCases(subject: Subject): void {
  it('grants a project that nobody knows, with epoch 1 and nothing in it', async () => {
    const { store } = subject;
    const key = newKey();
    const { incarnation } = await join(store);
    const request = claimRequest(key, incarnation);
    const answer = await store.claim(request);
    expect(answer).toEqual({
      type: 'claimed',
      activation: {
        claim: { key, incarnation, claimId: request.claimId, epoch: 1, seq: 0 },
        paused: false,
        leases: [],
        state: [],
        results: [],
        known: false,
      },
    } satisfies ClaimAnswer);
  });

  it('answers the same claim id the same, also after commits under it', async () => {
    const { store } = subject;
    const key = newKey();
    const { incarnation } = await join(store);
    const request = claimRequest(key, incarnation);
    const first = await store.claim(request);
    expect(await store.claim(request)).toEqual(first);
    if (first.type !== 'claimed') throw new Error('not claimed');
    await committed(store, first.activation.claim);
    const again = await store.claim(request);
    expect(again).toMatchObject({
      type: 'claimed',
      activation: { claim: { epoch: 1, seq: 1 }, known: true },
    });
  });

  it('says moved, with address and epoch, while another owner lives', async () => {
    const { store } = subject;
    const key = newKey();
    const owner = await join(store);
    const other = await join(store);
    await claimed(store, key, owner.incarnation);
    const expected = { incarnation: owner.incarnation, address: owner.address, epoch: 1 };
    expect(await store.claim(claimRequest(key, other.incarnation))).toEqual({
      type: 'moved',
      owner: expected,
    });
    expect(await store.readOwner(key)).toEqual(expected);
  });

  it('lets the same incarnation claim again: the older claim can commit no more', async () => {
    const { store } = subject;
    const key = newKey();
    const { incarnation } = await join(store);
    const older = await claimed(store, key, incarnation);
    const newer = await claimed(store, key, incarnation);
    expect(newer.claim.epoch).toBe(2);
    expect(await store.commit(commitOf(older.claim))).toEqual({ type: 'refused' });
    expect(await store.commit(commitOf(newer.claim))).toMatchObject({ type: 'committed', seq: 1 });
  });

  it('grants a released project and fences the one that released it', async () => {
    const { store } = subject;
    const key = newKey();
    const first = await join(store);
    const second = await join(store);
    const before = await claimed(store, key, first.incarnation);
    await store.release(before.claim);
    expect(await store.readOwner(key)).toBeUndefined();
    expect((await store.readProject(key))?.owner).toBeUndefined();
    expect(await store.commit(commitOf(before.claim))).toEqual({ type: 'refused' });
    expect((await claimed(store, key, second.incarnation)).claim.epoch).toBe(2);
  });

  it('leaves a project alone when a claim that is no longer its own is released', async () => {
    const { store } = subject;
    const key = newKey();
    const { incarnation } = await join(store);
    const older = await claimed(store, key, incarnation);
    const newer = await claimed(store, key, incarnation);
    await store.release(older.claim);
    expect(await store.readOwner(key)).toMatchObject({ incarnation, epoch: 2 });
    await store.release({ ...newer.claim, key: newKey() });
    expect(await store.readOwner(key)).toMatchObject({ incarnation, epoch: 2 });
  });

  it('grants a project whose owner’s lease has expired, and fences that owner', async () => {
    const { store, fixture } = subject;
    const key = newKey();
    const first = await join(store);
    const before = await claimed(store, key, first.incarnation);
    await fixture.clock.advance(TTL_MS);
    expect(await store.readOwner(key)).toBeUndefined();
    const second = await join(store);
    expect((await claimed(store, key, second.incarnation)).claim.epoch).toBe(2);
    await store.heartbeat(first, TTL_MS);
    expect(await store.commit(commitOf(before.claim))).toEqual({ type: 'refused' });
  });

  it('lets an owner whose lease lapsed go on when nobody has claimed meanwhile', async () => {
    const { store, fixture } = subject;
    const key = newKey();
    const owner = await join(store);
    const { claim } = await claimed(store, key, owner.incarnation);
    await fixture.clock.advance(TTL_MS);
    await store.heartbeat(owner, TTL_MS);
    expect(await store.readOwner(key)).toMatchObject({ incarnation: owner.incarnation, epoch: 1 });
    expect(await store.commit(commitOf(claim))).toMatchObject({ type: 'committed', seq: 1 });
  });

  it('grants a project whose owner was deregistered', async () => {
    const { store } = subject;
    const key = newKey();
    const first = await join(store);
    const second = await join(store);
    await claimed(store, key, first.incarnation);
    await store.deregister(first.incarnation);
    expect((await claimed(store, key, second.incarnation)).claim.epoch).toBe(2);
  });

  it('gives one of many simultaneous claims the project and tells the others who it is', async () => {
    const { store } = subject;
    const key = newKey();
    const runtimes = await Promise.all(Array.from({ length: 8 }, () => join(store)));
    const answers = await Promise.all(
      runtimes.map((r) => store.claim(claimRequest(key, r.incarnation))),
    );
    expect(answers.filter((answer) => answer.type === 'claimed')).toHaveLength(1);
    const owner = await store.readOwner(key);
    for (const answer of answers) if (answer.type === 'moved') expect(answer.owner).toEqual(owner);
  });
}

function takeoverCases(subject: Subject): void {
  const contend = async (): Promise<{ key: string; owner: string; other: string }> => {
    const { store } = subject;
    const key = newKey();
    const owner = await join(store);
    const other = await join(store);
    await claimed(store, key, owner.incarnation);
    return { key, owner: owner.incarnation, other: other.incarnation };
  };

  it('lets a takeover of the right owner at the right epoch claim under a living lease', async () => {
    const { store } = subject;
    const { key, owner, other } = await contend();
    const takeover = { incarnation: owner, epoch: 1, refused: false };
    const answer = await store.claim(claimRequest(key, other, { takeover }));
    expect(answer).toMatchObject({
      type: 'claimed',
      activation: { claim: { incarnation: other, epoch: 2 } },
    });
  });

  it.each([
    ['another owner', { incarnation: 'somebody', epoch: 1 }],
    ['an older epoch', { incarnation: undefined, epoch: 0 }],
    ['a newer epoch', { incarnation: undefined, epoch: 2 }],
  ])('says moved to a takeover of %s', async (_, wrong) => {
    const { store } = subject;
    const { key, owner, other } = await contend();
    const takeover = { incarnation: wrong.incarnation ?? owner, epoch: wrong.epoch, refused: true };
    expect(await store.claim(claimRequest(key, other, { takeover }))).toMatchObject({
      type: 'moved',
    });
  });

  it('limits takeovers to one per project and interval, and says when to ask again', async () => {
    const { store, fixture } = subject;
    const { key, owner, other } = await contend();
    await store.claim(
      claimRequest(key, other, { takeover: { incarnation: owner, epoch: 1, refused: false } }),
    );
    await fixture.clock.advance(1_000);
    const back = claimRequest(key, owner, {
      takeover: { incarnation: other, epoch: 2, refused: false },
    });
    const retryAfterMs = TAKEOVER_INTERVAL_MS - 1_000;
    expect(await store.claim(back)).toEqual({ type: 'limited', retryAfterMs });
    await fixture.clock.advance(retryAfterMs);
    expect(await store.claim(back)).toMatchObject({
      type: 'claimed',
      activation: { claim: { epoch: 3 } },
    });
  });

  it('neither limits nor counts a takeover whose owner refused the connection', async () => {
    const { store } = subject;
    const { key, owner, other } = await contend();
    const refused = (incarnation: string, epoch: number) => ({
      takeover: { incarnation, epoch, refused: true },
    });
    expect(await store.claim(claimRequest(key, other, refused(owner, 1)))).toMatchObject({
      type: 'claimed',
    });
    expect(await store.claim(claimRequest(key, owner, refused(other, 2)))).toMatchObject({
      type: 'claimed',
    });
    const takeover = { incarnation: owner, epoch: 3, refused: false };
    expect(await store.claim(claimRequest(key, other, { takeover }))).toMatchObject({
      type: 'claimed',
    });
  });

  it('limits each project on its own', async () => {
    const { store } = subject;
    for (const { key, owner, other } of [await contend(), await contend()]) {
      const takeover = { incarnation: owner, epoch: 1, refused: false };
      expect(await store.claim(claimRequest(key, other, { takeover }))).toMatchObject({
        type: 'claimed',
      });
    }
  });
}
