/** Commits to a store as a runtime's committer sends them: one project, one commit after the other, one finished task each. */
import { NONE_IN_ANY_TIER } from '../../core/tier.ts';
import type { Claim, Commit, Store, TaskCommit } from '../../platform/store/store.ts';

const POOL = 'default~bench';
const INCARNATION = 'bench';
const LEASE_MS = 3_600_000;
const OUTPUT = Buffer.from(JSON.stringify({ answer: 'x'.repeat(200) }));
const INPUT_JSON = JSON.stringify({ question: 'x'.repeat(200) });

let requests = 0;

export class StoreLoad {
  readonly #store: Store;
  #claim: Claim;

  private constructor(store: Store, claim: Claim) {
    this.#store = store;
    this.#claim = claim;
  }

  static async claim(store: Store, project: string): Promise<StoreLoad> {
    await store.heartbeat(
      {
        incarnation: INCARNATION,
        name: INCARNATION,
        pool: POOL,
        address: 'unix:/nowhere',
        role: 'shared',
        revision: 'bench',
        protocolMin: 1,
        protocolMax: 1,
        maxConcurrentTasks: 1_000,
        agents: [],
        ready: true,
        draining: false,
        instances: NONE_IN_ANY_TIER,
        blanks: 0,
      },
      LEASE_MS,
    );
    const key = `${POOL}~acme~${project}`;
    const answer = await store.claim({
      key,
      incarnation: INCARNATION,
      claimId: `claim-${project}`,
    });
    if (answer.type !== 'claimed') throw new Error(`not claimed: ${answer.type}`);
    return new StoreLoad(store, answer.activation.claim);
  }

  /** Returns how long each took, in ms. */
  async commit(count: number, conversation = 'c'): Promise<readonly number[]> {
    const times: number[] = [];
    for (let done = 0; done < count; done += 1) {
      const beforeMs = performance.now();
      const answer = await this.#store.commit(commitOf(this.#claim, conversation));
      if (answer.type !== 'committed') throw new Error('the commit was refused');
      times.push(performance.now() - beforeMs);
      this.#claim = { ...this.#claim, seq: answer.seq };
    }
    return times;
  }
}

function commitOf(claim: Claim, conversation: string): Commit {
  return {
    claim,
    tasks: [taskOf(conversation)],
    retention: {
      resultMs: 86_400_000,
      resultsMax: 1_000,
      resultBytesMax: 64 * 1024 * 1024,
      turnsMaxPerConversation: 100_000,
    },
    flush: false,
    wallMs: Date.now(),
  };
}

function taskOf(conversation: string): TaskCommit {
  requests += 1;
  const requestId = `request-${requests}`;
  const timeMs = Date.now();
  return {
    result: {
      requestId,
      digest: 'x'.repeat(43),
      agent: 'counter',
      conversationId: conversation,
      output: { arm: 'json_utf8', body: OUTPUT },
      finishedAtMs: timeMs,
    },
    writes: [{ agent: 'counter', key: 'count', json: String(requests) }],
    turns: [
      { role: 'user', json: INPUT_JSON, timeMs, requestId },
      { role: 'assistant', json: INPUT_JSON, timeMs, requestId },
    ],
  };
}
