/**
 * A worker without its thread: takes the host's messages, keeps its sessions, posts the answers. In production entry.ts puts
 * it on a thread; tests and the simulation run it in process.
 */
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import { describeThrown, type MapStack } from './agent-failure.ts';
import { LineGate } from './agent-log.ts';
import type { FromWorker, SessionNumber, ToWorker, WorkerLimits } from './protocol.ts';
import { AgentModuleError, readAgents, type LoadedAgent } from './read-agents.ts';
import { Session, type SessionEnvironment } from './session.ts';

export interface Usage {
  readonly heapUsedBytes: number;
  readonly externalBytes: number;
  readonly cpuMicros: number;
}

export interface WorkerHostOptions {
  readonly post: (message: FromWorker) => void;
  /** The imported agent module. */
  readonly module: unknown;
  readonly limits: WorkerLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** Answers `probe`; absent: zeros. */
  readonly usage?: () => Usage;
  readonly mapStack?: MapStack;
}

export interface WorkerHost {
  /** Messages about what has ended already are ignored, as they cross its end. Throws when the host breaks the order of messages. */
  receive(message: ToWorker): void;
  /** A line that names no session (console): goes to the only session, else to session 0. */
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}

const NO_USAGE: Usage = { heapUsedBytes: 0, externalBytes: 0, cpuMicros: 0 };
const DEAF: WorkerHost = { receive: () => undefined, log: () => undefined };

/** Posts `ready`, or `broken` when the module exports no usable agents; then it takes no messages. */
export function createWorkerHost(options: WorkerHostOptions): WorkerHost {
  const mapStack = options.mapStack ?? ((stack: string) => stack);
  let agents: readonly LoadedAgent[];
  try {
    agents = readAgents(options.module);
  } catch (error) {
    options.post(broken(error, mapStack));
    return DEAF;
  }
  options.post({ type: 'ready', agents: agents.map((agent) => agent.info) });
  return new Sessions({ ...options, agents, mapStack }, options.usage ?? (() => NO_USAGE));
}

/** Why a module cannot be used; for a mistake that we name ourselves the stack says nothing more. */
export function broken(
  error: unknown,
  mapStack: MapStack,
): Extract<FromWorker, { type: 'broken' }> {
  const { message, stack } = describeThrown(error, mapStack);
  if (stack === undefined || error instanceof AgentModuleError) return { type: 'broken', message };
  return { type: 'broken', message, stack };
}

class Sessions implements WorkerHost {
  readonly #environment: SessionEnvironment;
  /** Shared by all that looks limits up, so that a change reaches what lives already. */
  readonly #limits: { -readonly [Key in keyof WorkerLimits]: WorkerLimits[Key] };
  readonly #usage: () => Usage;
  /** Of lines that belong to no session in particular. */
  readonly #lines: LineGate;
  /** Bounded by what the host opens. */
  readonly #sessions = new Map<SessionNumber, Session>();

  constructor(environment: SessionEnvironment, usage: () => Usage) {
    this.#limits = { ...environment.limits };
    this.#environment = { ...environment, limits: this.#limits };
    this.#usage = usage;
    this.#lines = new LineGate(environment.clock, (line) =>
      environment.post({ type: 'log', session: 0, ...line }),
    );
  }

  receive(message: ToWorker): void {
    if (message.type === 'open') this.#open(message);
    else if (message.type === 'limits') this.#relimit(message.limits);
    else if (message.type === 'probe')
      this.#environment.post({ type: 'probed', nonce: message.nonce, ...this.#usage() });
    else this.#forward(message);
  }

  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void {
    const [only, another] = this.#sessions.values();
    if (only !== undefined && another === undefined) only.log(level, message);
    else this.#lines.write(level, message, {});
  }

  #open({ session: number, start }: Extract<ToWorker, { type: 'open' }>): void {
    const session = new Session(number, start, {
      ...this.#environment,
      post: (message) => {
        if (message.type === 'closed' || message.type === 'openFailed')
          this.#sessions.delete(number);
        this.#environment.post(message);
      },
    });
    this.#sessions.set(number, session);
    void session.open();
  }

  #relimit(limits: WorkerLimits): void {
    const isWider = limits.conversationWindowTurns > this.#limits.conversationWindowTurns;
    Object.assign(this.#limits, limits);
    if (isWider) for (const session of this.#sessions.values()) session.forgetWindows();
  }

  #forward(message: Exclude<ToWorker, { type: 'open' | 'probe' | 'limits' }>): void {
    const session = this.#sessions.get(message.session);
    if (session === undefined) return;
    switch (message.type) {
      case 'restore':
        session.restore(message.state);
        return;
      case 'run':
        session.run(message.run, message.task);
        return;
      case 'turns':
        session.turnsLoaded(message.run, message.turns);
        return;
      case 'window':
        session.chunksTaken(message.run, message.bytes);
        return;
      case 'cancel':
        session.cancel(message.run, message.reason);
        return;
      case 'forget':
        session.forget(message.conversationId);
        return;
      case 'close':
        void session.close();
    }
  }
}
