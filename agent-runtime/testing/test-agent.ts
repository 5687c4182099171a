/**
 * `import { testAgent } from 'agentpool/testing'`: runs agents in the caller's process, without server, store or threads, on
 * the code that runs them in production. State and conversations live as long as the tester.
 */
import { systemClock, type Clock } from '../../platform/clock.ts';
import { systemRandom, type Random } from '../../platform/random.ts';
import type { Tier } from '../../core/tier.ts';
import { AgentTestError, TestSession, type RunOptions, type TestAnswer } from './test-session.ts';

export { AgentTestError, type RunOptions, type TestAnswer };

export interface TesterOptions {
  /** `context.config` of every project. */
  readonly config?: unknown;
  /** `context.secrets` of every tenant. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Default: the machine's. A clock that the test moves makes `now` and `deadline` predictable. */
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface AgentTester {
  /** One task. Rejects with an AgentTestError when the agent fails, as a caller would see it. */
  run(input: unknown, options?: RunOptions): Promise<TestAnswer>;
  /** What an agent has in its state: per project, or per conversation when one is named. */
  state(of?: {
    readonly agent?: string;
    readonly tenant?: string;
    readonly project?: string;
    readonly conversationId?: string;
  }): Promise<Readonly<Record<string, unknown>>>;
  /** Disposes the agents of every project. */
  close(): Promise<void>;
}

/** @param agents what a module would export as its default: one agent, a class, or a list. Throws when they cannot be used. */
export function testAgent(agents: unknown, options: TesterOptions = {}): AgentTester {
  const environment = {
    agents,
    config: options.config ?? {},
    secrets: options.secrets ?? {},
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
  const sessions = new Map<string, TestSession>();
  const sessionOf = (tenant = 'test', project = 'test', tier: Tier = 'WARM'): TestSession => {
    const key = `${tenant}~${project}`;
    const session = sessions.get(key) ?? new TestSession(environment, { tenant, project, tier });
    sessions.set(key, session);
    return session;
  };
  // The mistakes of a module are found at once, not with the first task.
  sessionOf();
  return {
    run: (input, task = {}) => sessionOf(task.tenant, task.project, task.tier).run(input, task),
    state: (of = {}) => sessionOf(of.tenant, of.project).stateOf(of.agent, of.conversationId),
    close: async () => {
      await Promise.all([...sessions.values()].map((session) => session.close()));
    },
  };
}
