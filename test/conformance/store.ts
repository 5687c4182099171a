/** The conformance suite of the store port: every adapter passes all of it (store.test.ts lists them). */
import { afterEach, beforeEach, describe } from '@jest/globals';
import type { Store } from '../../platform/store/store.ts';
import type { FakeClock } from '../fakes/fake-clock.ts';
import { claimCases } from './store-claims.ts';
import { commitCases } from './store-commits.ts';
import { newsCases } from './store-news.ts';
import { recordCases } from './store-records.ts';
import { retentionCases } from './store-retention.ts';

export interface StoreFixture {
  readonly store: Store;
  /** The clock by which the store judges leases. */
  readonly clock: FakeClock;
  /** How many raw keys the backend holds, when all background work is done. */
  keyCount(): number | Promise<number>;
  close(): Promise<void>;
}

/** What the cases ask of the store of the running test. */
export interface Subject {
  readonly fixture: StoreFixture;
  readonly store: Store;
}

export function describeStore(name: string, make: () => Promise<StoreFixture>): void {
  describe(`store: ${name}`, () => {
    let fixture: StoreFixture;
    beforeEach(async () => {
      fixture = await make();
    });
    afterEach(() => fixture.close());
    const subject: Subject = {
      get fixture() {
        return fixture;
      },
      get store() {
        return fixture.store;
      },
    };
    describe('runtimes and claims', () => {
      claimCases(subject);
    });
    describe('commits', () => {
      commitCases(subject);
    });
    describe('retention', () => {
      retentionCases(subject);
    });
    describe('projects, listings, overrides, pools', () => {
      recordCases(subject);
    });
    describe('news of runtimes', () => {
      newsCases(subject);
    });
  });
}
