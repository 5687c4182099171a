/** Workers that the test plays: each message of the host is recorded, each answer is the test's; starting and opening answer by themselves. */
import type {
  FromWorker,
  RunOutcome,
  StartWorker,
  TaskStart,
  ToWorker,
  WorkerAgent,
  WorkerChannel,
  WorkerListener,
} from '../../agent-runtime/worker/protocol.ts';

export interface FakeRun {
  readonly worker: FakeWorker;
  readonly session: number;
  readonly run: number;
  readonly task: TaskStart;
}

export const FAKE_AGENT: WorkerAgent = {
  name: 'echo',
  description: 'says it again',
  concurrency: 'conversation',
};

export function text(body: string): { readonly arm: 'text'; readonly body: Uint8Array } {
  return { arm: 'text', body: new TextEncoder().encode(body) };
}

export function success(
  output = 'done',
  extra: Partial<Extract<RunOutcome, { type: 'success' }>> = {},
): RunOutcome {
  return { type: 'success', output: text(output), writes: [], turns: [], reran: false, ...extra };
}

export class FakeWorker implements WorkerChannel {
  readonly id: number;
  readonly heapMb: number;
  readonly received: ToWorker[] = [];
  terminated = false;
  #listener: WorkerListener | undefined;
  readonly #room: FakeWorkers;

  constructor(room: FakeWorkers, id: number, heapMb: number) {
    this.#room = room;
    this.id = id;
    this.heapMb = heapMb;
  }

  post(message: ToWorker): void {
    if (this.terminated) return;
    this.received.push(message);
    queueMicrotask(() => this.#room.received(this, message));
  }

  listen(listener: WorkerListener): void {
    this.#listener = listener;
  }

  terminate(): void {
    if (this.terminated) return;
    this.terminated = true;
    queueMicrotask(() =>
      this.#listener?.exited({ type: 'terminated', message: 'ended by the runtime' }),
    );
  }

  say(message: FromWorker): void {
    if (!this.terminated) this.#listener?.message(message);
  }

  /** Dies by itself. */
  die(type: 'memory' | 'exit' | 'error', message: string): void {
    this.terminated = true;
    this.#listener?.exited({ type, message });
  }
}

export class FakeWorkers {
  readonly all: FakeWorker[] = [];
  readonly runs: FakeRun[] = [];
  agents: readonly WorkerAgent[] = [FAKE_AGENT];
  /** What `open` is answered with; undefined: nothing, the test answers. */
  onOpen: (session: number) => FromWorker | undefined = (session) => ({ type: 'opened', session });
  /** What each run is answered with at once; undefined: nothing, the test answers. */
  onRun: (run: FakeRun) => RunOutcome | undefined = () => undefined;
  /** Whether a cancelled run ends. */
  heedsCancel = true;
  /** What each worker says that it uses. */
  memoryBytes = 1_000_000;
  answersProbes = true;
  /** Whether the module is imported at once. */
  autoReady = true;

  readonly start: StartWorker = ({ heapMb }) => {
    const worker = new FakeWorker(this, this.all.length + 1, heapMb);
    this.all.push(worker);
    if (this.autoReady) queueMicrotask(() => worker.say({ type: 'ready', agents: this.agents }));
    return worker;
  };

  /** The run of this request, the newest one. */
  run(requestId: string): FakeRun {
    const run = this.runs.findLast(({ task }) => task.requestId === requestId);
    if (run === undefined) throw new Error(`no run of ${requestId}`);
    return run;
  }

  has(requestId: string): boolean {
    return this.runs.some(({ task }) => task.requestId === requestId);
  }

  finish(requestId: string, outcome: RunOutcome = success()): void {
    const { worker, session, run } = this.run(requestId);
    worker.say({ type: 'finished', session, run, outcome });
  }

  received(worker: FakeWorker, message: ToWorker): void {
    switch (message.type) {
      case 'open': {
        const answer = this.onOpen(message.session);
        if (answer !== undefined) worker.say(answer);
        return;
      }
      case 'run': {
        const { session, run, task } = message;
        this.runs.push({ worker, session, run, task });
        const outcome = this.onRun({ worker, session, run, task });
        if (outcome !== undefined) worker.say({ type: 'finished', session, run, outcome });
        return;
      }
      case 'cancel':
        if (!this.heedsCancel) return;
        worker.say({
          type: 'finished',
          session: message.session,
          run: message.run,
          outcome: { type: 'cancelled' },
        });
        return;
      case 'close':
        worker.say({ type: 'closed', session: message.session });
        return;
      case 'probe': {
        const use = { heapUsedBytes: this.memoryBytes, externalBytes: 0, cpuMicros: 0 };
        if (this.answersProbes) worker.say({ type: 'probed', nonce: message.nonce, ...use });
        return;
      }
      default:
    }
  }
}
