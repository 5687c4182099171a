/**
 * One instance's agents and state for one activation, as a worker has them: initialise, restore, run tasks, dispose. Free of
 * threads: messages come in by methods and go out by `post`.
 */
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import type { StateEntry, Turn } from '../../platform/store/store.ts';
import { describeThrown, type MapStack } from './agent-failure.ts';
import { agentLog, LineGate } from './agent-log.ts';
import { Conflicts } from './conflicts.ts';
import { agentContext, deepFreeze } from './context.ts';
import { ConversationCache } from './conversation-cache.ts';
import { createInputCheck } from './input-schema.ts';
import type {
  FromWorker,
  RunNumber,
  SessionNumber,
  SessionStart,
  TaskStart,
  WorkerLimits,
} from './protocol.ts';
import type { LoadedAgent } from './read-agents.ts';
import { Run, type CancelReason } from './run.ts';
import type { LiveAgent, RunSurroundings, SessionMessage } from './run-surroundings.ts';
import { SessionState } from './session-state.ts';

export const DISPOSE_MS_MAX = 5_000;

export interface SessionEnvironment {
  readonly agents: readonly LoadedAgent[];
  readonly limits: WorkerLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly mapStack: MapStack;
  readonly post: (message: FromWorker) => void;
}

type Phase = 'opening' | 'open' | 'serving' | 'closing' | 'closed';

export class Session {
  readonly #environment: SessionEnvironment;
  readonly #around: RunSurroundings;
  readonly #abort = new AbortController();
  readonly #agents = new Map<string, LiveAgent>();
  /** Bounded by what the host lets run. */
  readonly #runs = new Map<RunNumber, Run>();
  #phase: Phase = 'opening';

  constructor(number: SessionNumber, start: SessionStart, environment: SessionEnvironment) {
    this.#environment = environment;
    const { clock, random, limits, mapStack } = environment;
    const post = (message: SessionMessage): void =>
      environment.post({ ...message, session: number });
    this.#around = {
      start: { ...start, secrets: Object.freeze({ ...start.secrets }) },
      config: deepFreeze(structuredClone(start.config)),
      clock,
      random,
      limits,
      mapStack,
      state: new SessionState(),
      conflicts: new Conflicts(),
      conversations: new ConversationCache(limits),
      lines: new LineGate(clock, (line) => post({ type: 'log', ...line })),
      post,
      finished: (run, outcome) => {
        this.#runs.delete(run);
        post({ type: 'finished', run, outcome });
      },
    };
  }

  /** Makes and initialises every agent, in the module's order. Ends in `opened` or `openFailed`; after the latter the session is over. */
  async open(): Promise<void> {
    for (const agent of this.#environment.agents) {
      const failure = await this.#initialize(agent);
      if (this.#phase !== 'opening') return this.#disposeLate(agent);
      if (failure === undefined) continue;
      this.#phase = 'closed';
      await this.#dispose();
      this.#around.post({ type: 'openFailed', agent: agent.info.name, ...failure });
      return;
    }
    this.#phase = 'open';
    this.#around.post({ type: 'opened' });
  }

  restore(entries: readonly StateEntry[]): void {
    this.#mustBe('open', 'restore');
    this.#around.state.restore(entries);
    this.#phase = 'serving';
  }

  run(number: RunNumber, task: TaskStart): void {
    this.#mustBe('serving', 'run');
    const agent = this.#agents.get(task.agent);
    if (agent === undefined) {
      this.#around.finished(number, {
        type: 'error',
        reason: 'UNKNOWN_AGENT',
        message: `there is no agent "${task.agent}"; there are: ${[...this.#agents.keys()].join(', ')}`,
      });
      return;
    }
    const run = new Run(this.#around, number, task, agent);
    this.#runs.set(number, run);
    run.start();
  }

  turnsLoaded(run: RunNumber, turns: readonly Turn[]): void {
    this.#runs.get(run)?.turnsLoaded(turns.map(({ index: _index, ...turn }) => turn));
  }

  chunksTaken(run: RunNumber, bytes: number): void {
    this.#runs.get(run)?.chunksTaken(bytes);
  }

  cancel(run: RunNumber, reason: CancelReason): void {
    this.#runs.get(run)?.cancel(reason);
  }

  forget(conversationId: string): void {
    this.#around.conversations.forget(conversationId);
    this.#around.state.forget(conversationId);
  }

  /** They were cut to a window that has grown: the next tasks load them again. */
  forgetWindows(): void {
    this.#around.conversations.clear();
  }

  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void {
    this.#around.lines.write(level, message, {});
  }

  /** Cancels what runs, disposes the agents within 5 s, answers `closed`. */
  async close(): Promise<void> {
    if (this.#phase === 'closing' || this.#phase === 'closed') return;
    this.#phase = 'closing';
    this.#abort.abort(new DOMException('the instance is being closed', 'AbortError'));
    for (const run of this.#runs.values()) run.cancel('CANCELLED');
    await this.#dispose();
    this.#phase = 'closed';
    this.#around.post({ type: 'closed' });
  }

  async #initialize(
    agent: LoadedAgent,
  ): Promise<{ readonly message: string; readonly stack?: string } | undefined> {
    const { name } = agent.info;
    try {
      const behaviour = agent.create();
      const checkInput =
        agent.inputSchema === undefined ? undefined : createInputCheck(name, agent.inputSchema);
      await behaviour.initialize?.(this.#contextOf(name, this.#abort.signal));
      this.#agents.set(name, { name, behaviour, checkInput });
      return undefined;
    } catch (error) {
      return describeThrown(error, this.#around.mapStack);
    }
  }

  /** All at once, as the bound is for all together. */
  async #dispose(): Promise<void> {
    const done = Promise.all([...this.#agents.values()].map((agent) => this.#disposeOne(agent)));
    const timedOut = Promise.withResolvers<undefined>();
    const timer = this.#environment.clock.after(DISPOSE_MS_MAX, () => {
      this.#around.lines.write('warn', 'dispose took too long and was not awaited', {
        msMax: DISPOSE_MS_MAX,
      });
      timedOut.resolve(undefined);
    });
    await Promise.race([done, timedOut.promise]);
    timer.cancel();
  }

  /** Closed while this agent was initialising. */
  async #disposeLate({ info }: LoadedAgent): Promise<void> {
    const agent = this.#agents.get(info.name);
    if (agent !== undefined) await this.#disposeOne(agent);
  }

  async #disposeOne({ name, behaviour }: LiveAgent): Promise<void> {
    try {
      await behaviour.dispose?.(this.#contextOf(name, new AbortController().signal));
    } catch (error) {
      this.#around.lines.write('warn', 'dispose failed', {
        agent: name,
        ...describeThrown(error, this.#around.mapStack),
      });
    }
  }

  #contextOf(agent: string, signal: AbortSignal) {
    return agentContext(this.#around, agentLog(this.#around.lines, agent), signal);
  }

  #mustBe(phase: Phase, message: string): void {
    if (this.#phase !== phase)
      throw new Error(
        `the host sent "${message}" to a session that is ${this.#phase}, not ${phase}`,
      );
  }
}
