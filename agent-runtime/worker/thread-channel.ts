/** Worker channels over node:worker_threads: starts threads with a heap limit, tells how they ended. Knows nothing of sessions. */
import { Worker } from 'node:worker_threads';
import { describeThrown } from './agent-failure.ts';
import { compactPayload } from './compact-payload.ts';
import { MessageBatch } from './message-batch.ts';
import type {
  FromWorker,
  SessionNumber,
  StartWorker,
  ToWorker,
  WorkerChannel,
  WorkerListener,
  WorkerStart,
} from './protocol.ts';
import { captureOutput } from './thread-output.ts';

export interface ThreadOptions {
  /** The bundled entry.ts. */
  readonly entryPath: string;
  /** All of `process.env` in the worker: the manifest's `runtime.env`, nothing of the host's. */
  readonly env: Readonly<Record<string, string>>;
}

type ExitCause = Parameters<WorkerListener['exited']>[0];

/** V8 keeps young objects apart from `maxOldGenerationSizeMb`: together they are the heap class. */
const YOUNG_SHARE = 8;
const YOUNG_MB_MAX = 32;

export function createStartWorker(options: ThreadOptions): StartWorker {
  return ({ start, heapMb }) => new ThreadChannel(options, start, heapMb);
}

class ThreadChannel implements WorkerChannel {
  readonly id: number;
  readonly #worker: Worker | undefined;
  readonly #outgoing = new MessageBatch<ToWorker>((messages) => {
    if (!this.#exited) this.#worker?.postMessage(messages);
  });
  /** Sessions with a task that ended here: the next one is trusted not to end the process at once. */
  readonly #proven = new Set<SessionNumber>();
  #listener: WorkerListener | undefined;
  #cause: ExitCause | undefined;
  #exited = false;

  constructor(options: ThreadOptions, start: WorkerStart, heapMb: number) {
    this.#worker = this.#start(options, start, heapMb);
    this.id = this.#worker?.threadId ?? -1;
  }

  post(message: ToWorker): void {
    if (this.#exited) return;
    // A task may end the whole process as it begins: that it has started must be known outside by then.
    if (message.type === 'run' && !this.#proven.has(message.session)) this.#outgoing.hold();
    this.#outgoing.add(compactPayload(message));
  }

  listen(listener: WorkerListener): void {
    this.#listener = listener;
  }

  terminate(): void {
    this.#cause ??= { type: 'terminated', message: 'ended by the runtime' };
    // It resolves after `exit`, and never rejects.
    void this.#worker?.terminate();
  }

  #start(options: ThreadOptions, start: WorkerStart, heapMb: number): Worker | undefined {
    const youngMb = Math.min(YOUNG_MB_MAX, heapMb / YOUNG_SHARE);
    try {
      const worker = new Worker(options.entryPath, {
        name: 'agents',
        workerData: start,
        env: { ...options.env },
        argv: [],
        execArgv: [],
        stdout: true,
        stderr: true,
        resourceLimits: {
          maxOldGenerationSizeMb: heapMb - youngMb,
          maxYoungGenerationSizeMb: youngMb,
        },
      });
      this.#attach(worker);
      return worker;
    } catch (error) {
      queueMicrotask(() => this.#end({ type: 'error', message: (error as Error).message }));
      return undefined;
    }
  }

  #attach(worker: Worker): void {
    worker.on('message', (messages: unknown) => this.#messages(messages));
    worker.on('messageerror', (error) => this.#failed(error));
    worker.on('error', (error) => this.#failed(error));
    worker.on('exit', (code) =>
      this.#end(this.#cause ?? { type: 'exit', message: `an agent called process.exit(${code})` }),
    );
    captureOutput(worker, (line) =>
      this.#listener?.message({
        type: 'log',
        session: 0,
        level: line.level,
        message: line.text,
        fields: {},
      }),
    );
  }

  #messages(messages: unknown): void {
    // What an agent posts to its parent by itself is no batch of ours.
    if (!Array.isArray(messages)) return;
    for (const message of messages as readonly unknown[])
      if (typeof message === 'object' && message !== null && 'type' in message)
        this.#message(message as FromWorker);
  }

  #message(message: FromWorker): void {
    if (message.type === 'finished') this.#proven.add(message.session);
    if (message.type === 'closed') this.#proven.delete(message.session);
    if (message.type === 'broken') this.#cause ??= { type: 'error', message: message.message };
    this.#listener?.message(message);
  }

  /** Anything can be thrown in a worker; errors come as copies. */
  #failed(error: unknown): void {
    const { message } = describeThrown(error, (stack) => stack);
    const code =
      typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    this.#cause ??= { type: code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'error', message };
  }

  #end(cause: ExitCause): void {
    if (this.#exited) return;
    this.#exited = true;
    this.#listener?.exited(cause);
  }
}
