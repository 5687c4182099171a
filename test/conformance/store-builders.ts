/** Records, claims and commits for tests of whatever uses a store; every field has a value that a test can override. */
import { NONE_IN_ANY_TIER } from '../../core/tier.ts';
import type {
  Activation,
  Claim,
  ClaimRequest,
  Commit,
  Retention,
  RuntimeRecord,
  Store,
  StoredResult,
  TaskCommit,
} from '../../platform/store/store.ts';

export const POOL = 'default~demo';

let counter = 0;
/** Unique within the process. */
export const unique = (prefix: string): string => `${prefix}${++counter}`;

export const newKey = (tenant = 'acme'): string => `${POOL}~${tenant}~${unique('project-')}`;

export function runtimeRecord(overrides: Partial<RuntimeRecord> = {}): RuntimeRecord {
  const incarnation = overrides.incarnation ?? unique('runtime-');
  return {
    incarnation,
    name: incarnation,
    pool: POOL,
    address: `unix:/run/${incarnation}.sock`,
    role: 'shared',
    revision: 'r1',
    protocolMin: 1,
    protocolMax: 1,
    maxConcurrentTasks: 10,
    agents: [{ name: 'echo', description: '' }],
    ready: true,
    draining: false,
    instances: NONE_IN_ANY_TIER,
    blanks: 0,
    ...overrides,
  };
}

/** A runtime with a living lease. */
export async function join(
  store: Store,
  overrides: Partial<RuntimeRecord> = {},
): Promise<RuntimeRecord> {
  const record = runtimeRecord(overrides);
  await store.heartbeat(record, 10_000);
  return record;
}

export const GENEROUS: Retention = {
  resultMs: 86_400_000,
  resultsMax: 1_000,
  resultBytesMax: 64 * 1024 * 1024,
  turnsMaxPerConversation: 10_000,
};

export function claimRequest(
  key: string,
  incarnation: string,
  more: Partial<ClaimRequest> = {},
): ClaimRequest {
  return { key, incarnation, claimId: unique('claim-'), ...more };
}

/** Claims what is expected to be free. */
export async function claimed(store: Store, key: string, incarnation: string): Promise<Activation> {
  const answer = await store.claim(claimRequest(key, incarnation));
  if (answer.type !== 'claimed') throw new Error(`not claimed: ${JSON.stringify(answer)}`);
  return answer.activation;
}

export const WALL_MS = 1_750_000_000_000;

export function storedResult(overrides: Partial<StoredResult> = {}): StoredResult {
  return {
    requestId: unique('request-'),
    digest: 'digest',
    agent: 'echo',
    conversationId: 'c1',
    output: { arm: 'text', body: new TextEncoder().encode('hello') },
    finishedAtMs: WALL_MS,
    ...overrides,
  };
}

export function taskCommit(
  overrides: Partial<StoredResult> = {},
  more: Partial<TaskCommit> = {},
): TaskCommit {
  const result = storedResult(overrides);
  const { requestId } = result;
  const turns = [
    { role: 'user', json: `"ask ${requestId}"`, timeMs: WALL_MS, requestId },
    { role: 'assistant', json: `"answer ${requestId}"`, timeMs: WALL_MS, requestId },
  ] as const;
  return { result, writes: [], turns, ...more };
}

export function commitOf(claim: Claim, overrides: Partial<Commit> = {}): Commit {
  return {
    claim,
    tasks: [taskCommit()],
    retention: GENEROUS,
    flush: false,
    wallMs: WALL_MS,
    ...overrides,
  };
}

/** Commits and moves the claim on; throws when refused. */
export async function committed(
  store: Store,
  claim: Claim,
  overrides: Partial<Commit> = {},
): Promise<Claim> {
  const answer = await store.commit(commitOf(claim, overrides));
  if (answer.type !== 'committed') throw new Error('refused');
  return { ...claim, seq: answer.seq };
}
