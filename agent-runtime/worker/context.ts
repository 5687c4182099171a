/** The context that agents are given: what the session knows, and what one attempt at a task may do. Holds no logic of its own. */
import type {
  AgentContext,
  AgentLog,
  ConversationTurn,
  State,
  Task,
  TaskContext,
} from '../agent/agent.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import type { SessionStart, TaskStart } from './protocol.ts';

export interface ContextParts {
  readonly start: SessionStart;
  /** Frozen. */
  readonly config: unknown;
  readonly clock: Clock;
  readonly random: Random;
}

export function agentContext(
  parts: ContextParts,
  log: AgentLog,
  signal: AbortSignal,
): AgentContext {
  const { tenant, project, tier, secrets } = parts.start;
  return {
    tenant,
    project,
    tier,
    config: parts.config,
    secrets,
    log,
    signal,
    random: () => parts.random.float(),
    now: () => parts.clock.wallMs(),
  };
}

export interface AttemptParts {
  readonly task: TaskStart;
  readonly state: State;
  readonly conversationState: State;
  readonly readTurns: () => readonly ConversationTurn[];
  readonly emit: (chunk: unknown) => Promise<void>;
}

export function taskContext(base: AgentContext, parts: AttemptParts): TaskContext {
  let turns: readonly ConversationTurn[] | undefined;
  return {
    ...base,
    state: parts.state,
    conversation: {
      id: parts.task.conversationId,
      // Parsed when first asked for: most agents never look.
      get turns() {
        return (turns ??= parts.readTurns());
      },
      state: parts.conversationState,
    },
    user: { subject: parts.task.user.subject, role: parts.task.user.role },
    emit: parts.emit,
  };
}

export function taskOf(start: TaskStart, input: unknown, startedWallMs: number): Task {
  return {
    requestId: start.requestId,
    attempt: start.attempt,
    agent: start.agent,
    conversationId: start.conversationId,
    input,
    metadata: start.metadata,
    priority: start.priority,
    deadline: startedWallMs + start.remainingMs,
  };
}

export function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const field of Object.values(value)) deepFreeze(field);
  return value;
}
