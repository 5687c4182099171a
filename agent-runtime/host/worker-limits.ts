/** The bounds that a worker enforces, from the pool's spec and constants of ours. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { WorkerLimits } from '../worker/protocol.ts';

/** Chunks that an agent may be ahead of its reader: the link's window once more. */
export const CHUNK_BYTES_UNTAKEN_MAX = 256 * 1024;
const CONVERSATIONS_CACHED_MAX = 64;

export function workerLimitsOf({ limits }: AgentPoolSpec): WorkerLimits {
  return {
    stateBytesMax: limits.stateBytesMax,
    answerBytesMax: limits.answerBytesMax,
    conversationsCachedMax: CONVERSATIONS_CACHED_MAX,
    conversationWindowTurns: limits.conversationWindowTurns,
    chunkBytesUntakenMax: CHUNK_BYTES_UNTAKEN_MAX,
  };
}

export function isSameLimits(one: WorkerLimits, other: WorkerLimits): boolean {
  return Object.entries(one).every(([name, value]) => other[name as keyof WorkerLimits] === value);
}
