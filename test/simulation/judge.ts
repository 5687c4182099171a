/**
 * Watches everything that reaches the store and every answer that reaches a client, and says which invariant broke. It keeps its
 * own model of ownership and results, so a fault in the product's rules cannot hide in the judge.
 */
import {
  LEASE_TTL_MS,
  type Claim,
  type ClaimAnswer,
  type Commit,
  type CommitAnswer,
  type RuntimeRecord,
  type Store,
  type StoredResult,
} from '../../platform/store/store.ts';
import type { StoreTap } from './sim-store.ts';
import type { SimProcess, World } from './world.ts';

/** What was on its way to a worker before its process was frozen may still start in the moment after it thaws. */
const THAW_GRACE_MS = 50;

export class InvariantBroken extends Error {
  override readonly name = 'InvariantBroken';
}

interface Ledger {
  claimId: string;
  seq: number;
  /** request id → output text, of every commit that the store accepted. */
  readonly results: Map<string, string>;
}

const text = (result: StoredResult): string => Buffer.from(result.output.body).toString('utf8');

export class Judge implements StoreTap {
  readonly #world: World;
  readonly #ledgers = new Map<string, Ledger>();
  /** Incarnation → simulated time at which the store took its last heartbeat. */
  readonly #heartbeats = new Map<string, number>();
  commits = 0;
  refused = 0;
  takeovers = 0;
  acknowledged = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** An agent begins to run a task: its runtime must not be one whose lease has run out. */
  runs(process: SimProcess): void {
    const { nowMs } = this.#world;
    const silentMs = nowMs - (this.#heartbeats.get(process.name) ?? 0);
    if (silentMs <= LEASE_TTL_MS || nowMs - process.runningSinceMs < THAW_GRACE_MS) return;
    throw new InvariantBroken(
      `I1: ${process.name} starts a task ${String(Math.round(silentMs))} ms after its last heartbeat`,
    );
  }

  #ledger(key: string): Ledger {
    let ledger = this.#ledgers.get(key);
    if (ledger === undefined) {
      ledger = { claimId: '', seq: 0, results: new Map() };
      this.#ledgers.set(key, ledger);
    }
    return ledger;
  }

  before(): Promise<void> {
    return Promise.resolve();
  }

  after(
    _process: string,
    method: string,
    args: readonly unknown[],
    answer: unknown,
  ): Promise<void> {
    if (method === 'claim') this.#claimed(answer as ClaimAnswer, args[0] as { takeover?: unknown });
    if (method === 'commit') this.#committed(args[0] as Commit, answer as CommitAnswer);
    if (method === 'heartbeat') {
      this.#heartbeats.set((args[0] as RuntimeRecord).incarnation, this.#world.nowMs);
    }
    if (method === 'release') this.#released(args[0] as Claim);
    return Promise.resolve();
  }

  #claimed(answer: ClaimAnswer, request: { takeover?: unknown }): void {
    if (answer.type !== 'claimed') return;
    const { claim } = answer.activation;
    const ledger = this.#ledger(claim.key);
    ledger.claimId = claim.claimId;
    ledger.seq = claim.seq;
    if (request.takeover !== undefined) this.takeovers++;
  }

  #released(claim: Claim): void {
    const ledger = this.#ledger(claim.key);
    if (ledger.claimId === claim.claimId) ledger.claimId = '';
  }

  #committed(commit: Commit, answer: CommitAnswer): void {
    const { key, claimId, seq } = commit.claim;
    const ledger = this.#ledger(key);
    if (answer.type === 'refused') {
      this.refused++;
      return;
    }
    this.commits++;
    if (ledger.claimId !== claimId) {
      throw new InvariantBroken(
        `I1: ${key}: a commit of claim ${claimId} was accepted while ${ledger.claimId || 'nobody'} holds it`,
      );
    }
    if (ledger.seq !== seq)
      throw new InvariantBroken(
        `I1: ${key}: commit ${String(seq)} accepted out of sequence, ${String(ledger.seq)} is next`,
      );
    ledger.seq = answer.seq;
    for (const { result } of commit.tasks) {
      if (ledger.results.has(result.requestId)) {
        throw new InvariantBroken(`I3: ${key}: request ${result.requestId} took effect twice`);
      }
      ledger.results.set(result.requestId, text(result));
    }
  }

  /** A client was told that its request succeeded. */
  acknowledge(key: string, requestId: string, output: string): void {
    this.acknowledged++;
    const recorded = this.#ledger(key).results.get(requestId);
    if (recorded === undefined)
      throw new InvariantBroken(
        `I2: ${key}: request ${requestId} was acknowledged and is not in the store`,
      );
    if (recorded !== output) {
      throw new InvariantBroken(
        `I3: ${key}: request ${requestId} answered ${output}, the store has ${recorded}`,
      );
    }
  }

  /** At the end: state, results and turns of the store agree with what was accepted. */
  async verify(store: Store): Promise<void> {
    for (const [key, ledger] of this.#ledgers) await this.#verifyProject(store, key, ledger);
  }

  async #verifyProject(store: Store, key: string, ledger: Ledger): Promise<void> {
    const count = ledger.results.size;
    const answers = [...ledger.results.values()].map(
      (output) => (JSON.parse(output) as { count: number }).count,
    );
    answers.sort((a, b) => a - b);
    if (answers.some((answer, index) => answer !== index + 1)) {
      throw new InvariantBroken(
        `I3: ${key}: the counter went ${answers.join(',')} over ${String(count)} requests`,
      );
    }
    let turns = 0;
    for (const conversation of await store.listConversations(key, { limit: 1000 }))
      turns += conversation.turnCount;
    if (turns !== 2 * count)
      throw new InvariantBroken(`I3: ${key}: ${String(turns)} turns for ${String(count)} requests`);
  }
}
