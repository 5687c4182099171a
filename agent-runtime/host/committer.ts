/**
 * Puts what one instance did into the store, one commit at a time: what is ready together travels together. Finds out what became
 * of a commit whose answer got lost, and never starts another before it knows. Answers no caller itself.
 */
import type { RateBucket } from '../../core/rate.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import {
  StoreError,
  type Claim,
  type ClientLease,
  type Commit,
  type ProjectRecord,
  type Retention,
  type Store,
  type TaskCommit,
} from '../../platform/store/store.ts';
import type { Lease } from './lease.ts';

/** One commit is bounded, so that a large one does not hold up what comes after it. */
const TASKS_PER_COMMIT_MAX = 128;
const BYTES_PER_COMMIT_MAX = 8 * 1024 * 1024;
const RETRY_MS = 100;
/**
 * Sendings in a row that got no answer and were not applied, while the store answers what is asked of it: then it is this commit that cannot get
 * there, and each attempt may cost all others of this runtime their connection.
 */
const UNANSWERED_MAX = 5;

/** One thing to be made durable. Exactly one call of `settled` ends it. */
export interface Change {
  readonly task?: TaskCommit;
  readonly forget?: string;
  /** Replaces the client leases. */
  readonly leases?: readonly ClientLease[];
  readonly paused?: boolean;
  readonly bytes: number;
  /** `lost`: not in the store, and never will be under this claim; or given up, and not there once the project is claimed anew, unless it is then. */
  settled(outcome: Settled): void;
}

export type Settled = 'committed' | 'lost' | 'given-up';

export interface CommitterPorts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'commit' | 'readProject'>;
  readonly lease: Pick<Lease, 'held' | 'whenHeld' | 'stopped'>;
  readonly log: Log;
  retention(): Retention;
  flush(): boolean;
  /** The rate bucket as it is now. */
  rate(): RateBucket | undefined;
  counted(outcome: 'committed' | 'refused' | 'unknown', tasks: number): void;
  /** The project has so many conversations now. */
  kept(conversations: number): void;
  /** The claim is no longer the project's: nothing more will be committed. Called once, after the changes were told. */
  onLost(): void;
  /** All that was added is committed or lost. */
  onIdle(): void;
  /** The outcome of a commit is not known (true), is known again (false). */
  onDoubt(inDoubt: boolean): void;
}

type Outcome = 'committed' | 'refused' | 'given-up';

export class Committer {
  readonly #ports: CommitterPorts;
  #claim: Claim;
  #waiting: Change[] = [];
  #state: 'idle' | 'sending' | 'ended' = 'idle';
  #inDoubt = false;
  #settled: Promise<void> = Promise.resolve();

  constructor(ports: CommitterPorts, claim: Claim) {
    this.#ports = ports;
    this.#claim = claim;
  }

  /** The claim with the sequence number of the next commit. */
  get claim(): Claim {
    return this.#claim;
  }

  get idle(): boolean {
    return this.#state !== 'sending';
  }

  /** A commit was sent and its outcome is not known yet: nothing else of the project may start. */
  get inDoubt(): boolean {
    return this.#inDoubt;
  }

  /** Resolves when all that was added until now is committed or lost. */
  async settled(): Promise<void> {
    await this.#settled;
  }

  add(change: Change): void {
    if (this.#state === 'ended') {
      change.settled('lost');
      return;
    }
    this.#waiting.push(change);
    if (this.#state === 'idle') {
      this.#state = 'sending';
      this.#settled = this.#drain();
    }
  }

  /** Nothing more is sent; what waits is lost. A commit under way may still be applied, but nobody is told. */
  end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#tell(this.#waiting.splice(0), 'lost');
  }

  /** Whether the store's record is one that this committer can go on from. */
  matches(record: ProjectRecord | undefined): boolean {
    if (record?.owner?.claimId !== this.#claim.claimId) return false;
    const ahead = record.seq - this.#claim.seq;
    return ahead === 0 || (ahead === 1 && this.#state === 'sending');
  }

  async #drain(): Promise<void> {
    // One turn of the microtask queue lets everything that one burst of messages finished share the commit.
    await Promise.resolve();
    while (this.#state === 'sending' && this.#waiting.length > 0) {
      const changes = this.#takeBatch();
      const outcome = await this.#commit(changes);
      // Ended meanwhile: the callers were answered by whoever ended it.
      if (this.#isEnded()) {
        this.#tell(changes, 'lost');
        return;
      }
      this.#finish(changes, outcome);
    }
    if (this.#state !== 'sending') return;
    this.#state = 'idle';
    this.#ports.onIdle();
  }

  #isEnded(): boolean {
    return this.#state === 'ended';
  }

  #finish(changes: readonly Change[], outcome: Outcome): void {
    this.#ports.counted(outcome === 'given-up' ? 'unknown' : outcome, changes.length);
    if (outcome === 'committed') {
      this.#claim = { ...this.#claim, seq: this.#claim.seq + 1 };
      this.#tell(changes, 'committed');
      return;
    }
    this.#state = 'ended';
    this.#tell(changes, outcome === 'given-up' ? 'given-up' : 'lost');
    this.#tell(this.#waiting.splice(0), 'lost');
    this.#ports.onLost();
  }

  #tell(changes: readonly Change[], outcome: Settled): void {
    for (const change of changes) change.settled(outcome);
  }

  /** What erases a conversation travels alone: within one commit it would have no place among that conversation's tasks. */
  #takeBatch(): readonly Change[] {
    let bytes = 0;
    let count = 0;
    for (const change of this.#waiting) {
      bytes += change.bytes;
      const full = bytes > BYTES_PER_COMMIT_MAX || count === TASKS_PER_COMMIT_MAX;
      if (count > 0 && (full || change.forget !== undefined)) break;
      count += 1;
      if (change.forget !== undefined) break;
    }
    return this.#waiting.splice(0, count);
  }

  async #commit(changes: readonly Change[]): Promise<Outcome> {
    await this.#ports.lease.whenHeld();
    if (this.#isEnded()) return 'refused';
    const commit = this.#build(this.#claim, changes);
    const answer = await this.#send(commit);
    return answer === 'again' || answer === 'unanswered' ? this.#resolve(commit, answer) : answer;
  }

  #build(claim: Claim, changes: readonly Change[]): Commit {
    const rate = this.#ports.rate();
    const leases = changes.findLast((change) => change.leases !== undefined)?.leases;
    const paused = changes.findLast((change) => change.paused !== undefined)?.paused;
    const forget = changes.flatMap((change) => change.forget ?? []);
    return {
      claim,
      tasks: changes.flatMap((change) => change.task ?? []),
      retention: this.#ports.retention(),
      flush: this.#ports.flush(),
      wallMs: this.#ports.clock.wallMs(),
      ...(forget.length === 0 ? {} : { forget }),
      ...(leases === undefined ? {} : { leases }),
      ...(paused === undefined ? {} : { paused }),
      ...(rate === undefined ? {} : { rate }),
    };
  }

  /** `again`: surely not applied, or nothing was sent; `unanswered`: perhaps. */
  async #send(commit: Commit): Promise<'committed' | 'refused' | 'again' | 'unanswered'> {
    try {
      const answer = await this.#ports.store.commit(commit);
      if (answer.type === 'committed') this.#ports.kept(answer.conversations);
      return answer.type;
    } catch (error) {
      this.#ports.log.warn('commit not answered', { err: error, epoch: commit.claim.epoch });
      this.#ports.counted('unknown', 0);
      const isKnown = error instanceof StoreError && error.outcome === 'not-applied';
      return isKnown ? 'again' : 'unanswered';
    }
  }

  /**
   * The record tells: one further under our claim id, it was this commit (only one is ever under way); unchanged, the identical
   * commit may be sent again, since the store compares claim and sequence; anything else, the project is another's. One that may still be on its
   * way when it is given up comes before the next claim of the project, which sees it, or is refused.
   */
  async #resolve(commit: Commit, first: 'again' | 'unanswered'): Promise<Outcome> {
    this.#doubt(true);
    try {
      return await this.#resolved(commit, first === 'unanswered' ? 1 : 0);
    } finally {
      this.#doubt(false);
    }
  }

  async #resolved(commit: Commit, unansweredBefore: number): Promise<Outcome> {
    let [sent, unanswered] = [commit, unansweredBefore];
    for (;;) {
      await this.#ports.lease.whenHeld();
      if (this.#isEnded()) return 'refused';
      const outcome = await this.#attemptToResolve(sent, unanswered < UNANSWERED_MAX);
      if (outcome === 'visible') {
        sent = this.#confirming();
        unanswered = 0;
      } else if (outcome === 'again' || outcome === 'unanswered') {
        if (outcome === 'unanswered') unanswered += 1;
        await this.#ports.clock.sleep(RETRY_MS);
      } else return outcome;
    }
  }

  /**
   * What can be read may not be safe yet: no disk or replica need have it. So a commit of nothing follows, and only when the store
   * answers that is everything before it as safe as was asked for.
   */
  #confirming(): Commit {
    this.#claim = { ...this.#claim, seq: this.#claim.seq + 1 };
    return this.#build(this.#claim, []);
  }

  async #attemptToResolve(
    commit: Commit,
    maySend: boolean,
  ): Promise<Outcome | 'visible' | 'again' | 'unanswered'> {
    const before = await this.#applied(commit);
    if (before !== 'unchanged') return before;
    if (!maySend) {
      this.#ports.log.error('commit given up: the store never answers it', {
        epoch: commit.claim.epoch,
        detail: { tasks: commit.tasks.length, sent: UNANSWERED_MAX },
      });
      return 'given-up';
    }
    if (this.#isEnded() || !this.#ports.lease.held) return 'again';
    const answer = await this.#send(commit);
    if (answer !== 'refused') return answer;
    // Refused can mean that the first sending arrived late and was applied in between.
    const after = await this.#applied(commit);
    return after === 'unchanged' ? 'refused' : after;
  }

  async #applied(commit: Commit): Promise<'visible' | 'refused' | 'unchanged' | 'again'> {
    const { key, claimId, seq } = commit.claim;
    try {
      const record = await this.#ports.store.readProject(key);
      if (record?.owner?.claimId !== claimId) return 'refused';
      if (record.seq === seq + 1) return 'visible';
      return record.seq === seq ? 'unchanged' : 'refused';
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return 'again';
    }
  }

  #doubt(inDoubt: boolean): void {
    this.#inDoubt = inDoubt;
    this.#ports.onDoubt(inDoubt);
  }
}
