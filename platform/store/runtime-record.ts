/** What a runtime says of itself to gateways, operator and other runtimes; part of the store port, which keeps it under the runtime's lease. */
import type { PoolKey, ProjectKey } from '../../core/identifiers.ts';
import type { TierCounts } from '../../core/tier.ts';

export interface AgentInfo {
  readonly name: string;
  readonly description: string;
  /** JSON Schema, as the agent wrote it. */
  readonly input?: unknown;
  readonly output?: unknown;
}

export const BIND_PROBLEM_CHARACTERS_MAX = 500;

/** What a runtime says of itself, kept under its lease. */
export interface RuntimeRecord {
  /** Unique for each start of a runtime process. */
  readonly incarnation: string;
  /** The driver's name of the runtime: stays the same when it is restarted in place. */
  readonly name: string;
  readonly pool: PoolKey;
  /** gRPC target: `unix:/path` or `host:port`. */
  readonly address: string;
  readonly role: 'shared' | 'dedicated';
  readonly revision: string;
  readonly protocolMin: number;
  readonly protocolMax: number;
  readonly maxConcurrentTasks: number;
  readonly agents: readonly AgentInfo[];
  /** False while it starts, is fenced, or (dedicated, bound) has not initialised its agent yet. */
  readonly ready: boolean;
  /** Takes no new project; those it has leave at quiescence. */
  readonly draining: boolean;
  /** Dedicated runtimes only: the one project it serves; a standby has none. Set once for life. */
  readonly bound?: ProjectKey;
  /** Why the agents of that project are not initialised, at most `BIND_PROBLEM_CHARACTERS_MAX`; it is tried again. */
  readonly bindProblem?: string;
  /** Live instances by the tier that they are served in: for status, and for which runtime is the emptiest. */
  readonly instances: TierCounts;
  /** Prewarmed workers that wait for an instance. */
  readonly blanks: number;
}
