/** What a run uses of its session; types only. */
import type { MapStack } from './agent-failure.ts';
import type { LineGate } from './agent-log.ts';
import type { Conflicts } from './conflicts.ts';
import type { ContextParts } from './context.ts';
import type { ConversationCache } from './conversation-cache.ts';
import type { InputCheck } from './input-schema.ts';
import type { FromWorker, RunNumber, RunOutcome, SessionNumber, WorkerLimits } from './protocol.ts';
import type { AgentBehaviour } from './read-agents.ts';
import type { SessionState } from './session-state.ts';

export interface LiveAgent {
  readonly name: string;
  readonly behaviour: AgentBehaviour;
  readonly checkInput: InputCheck | undefined;
}

export type SessionMessage<Message = Extract<FromWorker, { session: SessionNumber }>> =
  Message extends unknown ? Omit<Message, 'session'> : never;

/** What a run uses of its session. */
export interface RunSurroundings extends ContextParts {
  readonly limits: WorkerLimits;
  readonly mapStack: MapStack;
  readonly state: SessionState;
  readonly conflicts: Conflicts;
  readonly conversations: ConversationCache;
  readonly lines: LineGate;
  post(message: SessionMessage): void;
  finished(run: RunNumber, outcome: RunOutcome): void;
}
