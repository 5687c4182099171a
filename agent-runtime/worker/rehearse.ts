/**
 * Plays one activation and one task of an agent that does nothing, for nobody: V8 compiles a function when it is first called, and so
 * not while a caller waits for a blank worker's first task. Touches nothing of the agent module.
 */
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import type { Agent } from '../agent/agent.ts';
import type { FromWorker, TaskStart, ToWorker, WorkerLimits } from './protocol.ts';
import { createWorkerHost } from './worker-host.ts';

export interface RehearsalParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: WorkerLimits;
  /** What a real worker does with a message before it leaves. */
  readonly post: (message: FromWorker) => void;
}

const AGENT: Agent = {
  name: 'rehearsal',
  initialize: () => undefined,
  process: async (_task, { conversation, state }) => ({
    turns: conversation.turns.length,
    count: await state.update('count', () => 1),
  }),
};
const SESSION = 1;
const RUN = 1;
const TASK: TaskStart = {
  requestId: AGENT.name,
  attempt: 1,
  agent: AGENT.name,
  conversationId: AGENT.name,
  input: { arm: 'json_utf8', body: new TextEncoder().encode('{}') },
  metadata: {},
  priority: 'NORMAL',
  remainingMs: 1_000,
  user: { subject: AGENT.name, role: 'caller' },
  newConversation: false,
};

/** Resolves when it is over; what it could not do is left to the first real task. */
export function rehearse({ post, ...parts }: RehearsalParts): Promise<void> {
  return new Promise((resolve) => {
    const host = createWorkerHost({
      ...parts,
      module: { default: AGENT },
      post: (message) => {
        post(message);
        // A host's answer never comes while the worker still speaks.
        queueMicrotask(() => {
          for (const reply of repliesTo(message)) host.receive(reply);
          if (message.type === 'closed' || message.type === 'openFailed') resolve();
        });
      },
    });
    const names = { namespace: '', pool: '', tenant: '', project: '', instanceId: '' };
    const start = { ...names, tier: 'WARM', config: {}, secrets: {} } as const;
    host.receive({ type: 'open', session: SESSION, start });
  });
}

function repliesTo({ type }: FromWorker): readonly ToWorker[] {
  switch (type) {
    case 'opened':
      return [
        { type: 'restore', session: SESSION, state: [] },
        { type: 'run', session: SESSION, run: RUN, task: TASK },
      ];
    case 'needTurns':
      return [{ type: 'turns', session: SESSION, run: RUN, turns: [] }];
    case 'finished':
      return [{ type: 'close', session: SESSION }];
    default:
      return [];
  }
}
