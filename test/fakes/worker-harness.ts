/** Plays the host to a worker host in process, message by message, on a fake clock. */
import type {
  FromWorker,
  RunOutcome,
  TaskStart,
  ToWorker,
  WorkerLimits,
} from '../../agent-runtime/worker/protocol.ts';
import { createWorkerHost, type WorkerHost } from '../../agent-runtime/worker/worker-host.ts';
import type { Payload, StateEntry } from '../../platform/store/store.ts';
import { decodeValue } from '../../proto/value-codec.ts';
import { FakeClock, settle } from './fake-clock.ts';

export const LIMITS: WorkerLimits = {
  stateBytesMax: 10_000,
  answerBytesMax: 50_000,
  conversationsCachedMax: 3,
  conversationWindowTurns: 4,
  chunkBytesUntakenMax: 4_000,
};

export const textPayload = (text: string): Payload => ({
  arm: 'text',
  body: new TextEncoder().encode(text),
});
export const jsonPayload = (value: unknown): Payload => ({
  arm: 'json_utf8',
  body: new TextEncoder().encode(JSON.stringify(value)),
});

export function readPayload({ arm, body }: Payload): unknown {
  if (arm === 'json') return decodeValue(body);
  const text = new TextDecoder().decode(body);
  return arm === 'text' ? text : (JSON.parse(text) as unknown);
}

export class WorkerHarness {
  readonly messages: FromWorker[] = [];
  readonly clock = new FakeClock();
  readonly host: WorkerHost;
  /** Chunks are taken at once, unless a test wants a slow reader. */
  takesChunks = true;

  constructor(agents: unknown, limits: Partial<WorkerLimits> = {}) {
    this.host = createWorkerHost({
      module: { default: agents },
      limits: { ...LIMITS, ...limits },
      clock: this.clock,
      random: { float: () => 0.5, id: () => 'id' },
      post: (message) => {
        this.messages.push(message);
        if (message.type === 'chunk' && this.takesChunks)
          queueMicrotask(() => this.take(message.run, message.payload.body.length));
      },
    });
  }

  /** An open session with this state. */
  static async serving(
    agents: unknown,
    options: {
      readonly state?: readonly StateEntry[];
      readonly limits?: Partial<WorkerLimits>;
    } = {},
  ): Promise<WorkerHarness> {
    const harness = new WorkerHarness(agents, options.limits);
    await harness.open();
    harness.send({ type: 'restore', session: 1, state: options.state ?? [] });
    return harness;
  }

  send(message: ToWorker): void {
    this.host.receive(message);
  }

  async open(session = 1): Promise<void> {
    this.send({
      type: 'open',
      session,
      start: {
        namespace: 'default',
        pool: 'pool',
        tenant: 'acme',
        project: 'web',
        tier: 'WARM',
        config: { colour: 'blue' },
        secrets: { token: 'of acme' },
        instanceId: 'default~pool~acme~web',
      },
    });
    await settle();
  }

  start(run: number, task: Partial<TaskStart> = {}): void {
    this.send({
      type: 'run',
      session: 1,
      run,
      task: {
        requestId: `r${run}`,
        attempt: 1,
        agent: 'a',
        conversationId: `c${run}`,
        input: textPayload('hi'),
        metadata: {},
        priority: 'NORMAL',
        remainingMs: 10_000,
        user: { subject: 'ann', role: 'caller' },
        newConversation: true,
        ...task,
      },
    });
  }

  /** One task from start to end. */
  async run(run: number, task: Partial<TaskStart> = {}): Promise<RunOutcome> {
    this.start(run, task);
    await settle();
    const outcome = this.outcome(run);
    if (outcome === undefined) throw new Error(`run ${run} has not finished`);
    return outcome;
  }

  cancel(run: number): void {
    this.send({ type: 'cancel', session: 1, run, reason: 'CANCELLED' });
  }

  take(run: number, bytes: number): void {
    this.send({ type: 'window', session: 1, run, bytes });
  }

  of<Type extends FromWorker['type']>(type: Type): Extract<FromWorker, { type: Type }>[] {
    return this.messages.filter(
      (message): message is Extract<FromWorker, { type: Type }> => message.type === type,
    );
  }

  outcome(run: number): RunOutcome | undefined {
    const finished = this.of('finished').filter((message) => message.run === run);
    if (finished.length > 1) throw new Error(`run ${run} finished ${finished.length} times`);
    return finished[0]?.outcome;
  }
}

/** The answer of a success, as the caller reads it; of an error, what is wrong. */
export function answer(outcome: RunOutcome | undefined): unknown {
  if (outcome === undefined) return 'unfinished';
  if (outcome.type === 'success') return readPayload(outcome.output);
  return outcome.type === 'error' ? `${outcome.reason}: ${outcome.message}` : outcome.type;
}
