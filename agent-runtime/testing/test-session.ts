/** One project of a tester: plays the host to the production worker code, and remembers what a store would. */
import { decodeValue } from '../../proto/value-codec.ts';
import type { GrpcCode } from '../../core/errors.ts';
import type { Tier } from '../../core/tier.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import type { Payload, StateWrite, Turn } from '../../platform/store/store.ts';
import type {
  FromWorker,
  RunNumber,
  RunOutcome,
  TaskStart,
  WorkerAgent,
  WorkerLimits,
} from '../worker/protocol.ts';
import { locksOf } from '../host/task-queue.ts';
import { createWorkerHost, type WorkerHost } from '../worker/worker-host.ts';

export interface RunOptions {
  /** Default: the first agent. */
  readonly agent?: string;
  /** Default `test`. */
  readonly tenant?: string;
  /** Default `test`. */
  readonly project?: string;
  /** Default WARM; the first task of a project decides. */
  readonly tier?: Tier;
  /** Default: a new conversation. */
  readonly conversationId?: string;
  /** Default: a new one. */
  readonly requestId?: string;
  /** Default 1. */
  readonly attempt?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Default 300,000. */
  readonly timeoutMs?: number;
  /** Aborted: the task is cancelled. */
  readonly signal?: AbortSignal;
}

export interface TestAnswer {
  readonly output: unknown;
  /** What was streamed before the answer. */
  readonly chunks: readonly unknown[];
  readonly requestId: string;
  readonly conversationId: string;
}

export class AgentTestError extends Error {
  override readonly name = 'AgentTestError';
  readonly reason: string;
  readonly code: GrpcCode | undefined;
  readonly field: string | undefined;

  constructor(
    failure: {
      readonly reason: string;
      readonly message: string;
      readonly code?: GrpcCode;
      readonly field?: string;
    },
    cause?: string,
  ) {
    super(failure.message, cause === undefined ? undefined : { cause });
    this.reason = failure.reason;
    this.code = failure.code;
    this.field = failure.field;
  }
}

export interface TestEnvironment {
  readonly agents: unknown;
  readonly config: unknown;
  readonly secrets: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
}

/** The defaults of `spec.limits`. */
const LIMITS: WorkerLimits = {
  stateBytesMax: 1_048_576,
  answerBytesMax: 16_777_216,
  conversationsCachedMax: 100,
  conversationWindowTurns: 100,
  chunkBytesUntakenMax: 262_144,
};
const TIMEOUT_MS = 300_000;
const CANCEL_MESSAGES = {
  CANCELLED: 'the caller cancelled the task',
  DEADLINE: "the task's time is over",
} as const;
type CancelReason = keyof typeof CANCEL_MESSAGES;
const SESSION = 1;

interface PendingRun {
  readonly chunks: unknown[];
  finish(outcome: RunOutcome): void;
}

export class TestSession {
  readonly #environment: TestEnvironment;
  readonly #host: WorkerHost;
  readonly #runs = new Map<RunNumber, PendingRun>();
  readonly #turns = new Map<string, Turn[]>();
  readonly #state = new Map<string, StateWrite>();
  /** By lock, the last task that holds it: the next one waits for it, as in production. */
  readonly #lastOf = new Map<string, Promise<unknown>>();
  #agents: readonly WorkerAgent[] = [];
  #nextRun = 1;
  readonly #opened = Promise.withResolvers<undefined>();
  readonly #closed = Promise.withResolvers<undefined>();

  constructor(
    environment: TestEnvironment,
    place: { readonly tenant: string; readonly project: string; readonly tier: Tier },
  ) {
    this.#environment = environment;
    const { agents, clock, random, config, secrets } = environment;
    this.#opened.promise.catch(() => undefined);
    this.#host = createWorkerHost({
      post: (message) => this.#receive(message),
      module: { default: agents },
      limits: LIMITS,
      clock,
      random,
    });
    const instanceId = `default~test~${place.tenant}~${place.project}`;
    this.#host.receive({
      type: 'open',
      session: SESSION,
      start: { namespace: 'default', pool: 'test', ...place, config, secrets, instanceId },
    });
  }

  async run(input: unknown, options: RunOptions): Promise<TestAnswer> {
    await this.#opened.promise;
    options.signal?.throwIfAborted();
    const task = this.#taskOf(input, options);
    const concurrency = this.#agents.find(({ name }) => name === task.agent)?.concurrency;
    const locks = locksOf(concurrency ?? 'conversation', task);
    const before = Promise.all(locks.flatMap((lock) => this.#lastOf.get(lock) ?? []));
    const answer = before.then(() => this.#execute(task, options.signal));
    const ended = answer.catch(() => undefined);
    for (const lock of locks) this.#lastOf.set(lock, ended);
    return answer;
  }

  async stateOf(
    agent = this.#agents[0]?.name,
    conversation?: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    await this.#opened.promise;
    const entries = [...this.#state.values()].filter(
      (write) => write.agent === agent && write.conversation === conversation,
    );
    return Object.fromEntries(
      entries.map(({ key, json }) => [
        key,
        json === undefined ? undefined : (JSON.parse(json) as unknown),
      ]),
    );
  }

  async close(): Promise<void> {
    await this.#opened.promise.catch(() => this.#closed.resolve(undefined));
    this.#host.receive({ type: 'close', session: SESSION });
    await this.#closed.promise;
  }

  #taskOf(input: unknown, options: RunOptions): TaskStart {
    const { random } = this.#environment;
    const conversationId = options.conversationId ?? random.id();
    return {
      requestId: options.requestId ?? random.id(),
      attempt: options.attempt ?? 1,
      agent: options.agent ?? this.#agents[0]?.name ?? '',
      conversationId,
      input: payloadOf(input),
      metadata: options.metadata ?? {},
      priority: 'NORMAL',
      remainingMs: options.timeoutMs ?? TIMEOUT_MS,
      user: { subject: 'test', role: 'caller' },
      newConversation: !this.#turns.has(conversationId),
    };
  }

  async #execute(task: TaskStart, signal: AbortSignal | undefined): Promise<TestAnswer> {
    const run = this.#nextRun++;
    const { promise, resolve } = Promise.withResolvers<RunOutcome>();
    const chunks: unknown[] = [];
    let why: CancelReason = 'CANCELLED';
    const cancel = (reason: CancelReason) => () => {
      why = reason;
      this.#host.receive({ type: 'cancel', session: SESSION, run, reason });
    };
    const abort = cancel('CANCELLED');
    this.#runs.set(run, { chunks, finish: resolve });
    this.#host.receive({ type: 'run', session: SESSION, run, task });
    signal?.addEventListener('abort', abort, { once: true });
    const deadline = this.#environment.clock.after(task.remainingMs, cancel('DEADLINE'));
    const outcome = await promise;
    deadline.cancel();
    signal?.removeEventListener('abort', abort);
    return {
      output: this.#store(task, outcome, why),
      chunks,
      requestId: task.requestId,
      conversationId: task.conversationId,
    };
  }

  #store(task: TaskStart, outcome: RunOutcome, why: CancelReason): unknown {
    if (outcome.type === 'cancelled')
      throw new AgentTestError({ reason: why, message: CANCEL_MESSAGES[why] });
    if (outcome.type === 'error') throw new AgentTestError(outcome, outcome.stack);
    for (const write of outcome.writes) {
      const key = `${write.agent}\0${write.conversation ?? ''}\0${write.key}`;
      if (write.json === undefined) this.#state.delete(key);
      else this.#state.set(key, write);
    }
    const turns = this.#turns.get(task.conversationId) ?? [];
    for (const turn of outcome.turns) turns.push({ index: turns.length, ...turn });
    this.#turns.set(task.conversationId, turns);
    return valueOf(outcome.output);
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.#agents = message.agents;
        return;
      case 'broken':
        throw new AgentTestError({ reason: 'AGENT_ERROR', message: message.message });
      case 'opened':
        // Not from inside its own message: the host is still in the middle of opening.
        queueMicrotask(() => {
          this.#host.receive({ type: 'restore', session: SESSION, state: [] });
          this.#opened.resolve(undefined);
        });
        return;
      case 'openFailed':
        this.#opened.reject(
          new AgentTestError(
            {
              reason: 'AGENT_ERROR',
              message: `initialize of agent "${message.agent}" failed: ${message.message}`,
            },
            message.stack,
          ),
        );
        return;
      case 'closed':
        this.#closed.resolve(undefined);
        return;
      default:
        this.#receiveOfRun(message);
    }
  }

  #receiveOfRun(
    message: Exclude<FromWorker, { type: 'ready' | 'broken' | 'opened' | 'openFailed' | 'closed' }>,
  ): void {
    if (message.type === 'needTurns') {
      const turns = (this.#turns.get(message.conversationId) ?? []).slice(
        -LIMITS.conversationWindowTurns,
      );
      queueMicrotask(() =>
        this.#host.receive({ type: 'turns', session: SESSION, run: message.run, turns }),
      );
    } else if (message.type === 'chunk') {
      this.#runs.get(message.run)?.chunks.push(valueOf(message.payload));
      queueMicrotask(() =>
        this.#host.receive({
          type: 'window',
          session: SESSION,
          run: message.run,
          bytes: message.payload.body.length,
        }),
      );
    } else if (message.type === 'finished') {
      this.#runs.get(message.run)?.finish(message.outcome);
      this.#runs.delete(message.run);
    }
  }
}

function payloadOf(input: unknown): Payload {
  const body = new TextEncoder().encode(
    typeof input === 'string' ? input : JSON.stringify(input ?? null),
  );
  return { arm: typeof input === 'string' ? 'text' : 'json_utf8', body };
}

function valueOf({ arm, body }: Payload): unknown {
  const text = (): string => new TextDecoder().decode(body);
  if (arm === 'text') return text();
  return arm === 'json' ? decodeValue(body) : (JSON.parse(text()) as unknown);
}
