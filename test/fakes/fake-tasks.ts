/** Tasks that a test plays by hand: what an edge started, with the levers to answer it. No stages, no runtimes. */
import { AppError } from '../../core/errors.ts';
import type { TaskHandle } from '../../gateway/service/tasks.ts';
import type { CallOptions, TaskAnswer, TaskSink } from '../../gateway/task/call.ts';
import type { PayloadArm } from '../../platform/store/store.ts';

const encoder = new TextEncoder();

export class FakeTask {
  readonly options: CallOptions;
  readonly requestId: string;
  readonly handle: TaskHandle;
  /** Bytes of chunks that the edge has passed on. */
  consumedBytes = 0;
  hasLeft = false;
  readonly left: Promise<void>;
  #settle!: {
    readonly resolve: (answer: TaskAnswer) => void;
    readonly reject: (error: AppError) => void;
  };
  #leave!: () => void;

  constructor(options: CallOptions) {
    this.options = options;
    this.requestId = options.request.requestId === '' ? 'made-here' : options.request.requestId;
    const answer = new Promise<TaskAnswer>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.left = new Promise((resolve) => {
      this.#leave = resolve;
    });
    this.handle = {
      requestId: this.requestId,
      answer,
      leave: () => {
        this.hasLeft = true;
        this.#leave();
        if (options.request.onDisconnect === 'CANCEL')
          this.fail(new AppError('CANCELLED', 'the caller left'));
      },
      cancel: () => this.fail(new AppError('CANCELLED', 'the caller cancelled the task')),
    };
  }

  get sink(): TaskSink {
    if (this.options.sink === undefined) throw new Error('the caller takes no events');
    return this.options.sink;
  }

  start(): void {
    this.sink.started({
      conversationId: 'c-1',
      instanceId: 'default~pool~t~p',
      agent: 'echo',
      tier: 'WARM',
      wallMs: 1_750_000_000_000,
    });
  }

  chunk(text: string, arm: PayloadArm = 'text'): void {
    const body = encoder.encode(text);
    this.sink.chunk({ arm, kind: arm === 'text' ? 'TEXT' : 'DATA', body }, () => {
      this.consumedBytes += body.byteLength;
    });
  }

  succeed(text: string | Uint8Array = 'done', arm: PayloadArm = 'text'): void {
    const { requestId } = this;
    const timings = { queueMs: 1, activateMs: 0, runMs: 2.5 };
    const header = {
      conversationId: 'c-1',
      instanceId: 'default~pool~t~p',
      agent: 'echo',
      tier: 'WARM',
      arm,
      timings,
      replayed: false,
      hit: true,
    } as const;
    this.#settle.resolve({
      requestId,
      header,
      body: typeof text === 'string' ? encoder.encode(text) : text,
      connectionReused: true,
    });
  }

  fail(error: AppError): void {
    this.#settle.reject(error);
  }
}

export class FakeTasks {
  readonly started: FakeTask[] = [];
  /** Plays each task as it comes; the default leaves that to the test. */
  onStart: (task: FakeTask) => void = () => undefined;
  #waiting: ((task: FakeTask) => void)[] = [];

  /** As new. */
  reset(): void {
    this.started.length = 0;
    this.onStart = () => undefined;
  }

  start(options: CallOptions): TaskHandle {
    const task = new FakeTask(options);
    this.started.push(task);
    for (const resolve of this.#waiting.splice(0)) resolve(task);
    this.onStart(task);
    return task.handle;
  }

  /** The next task that an edge starts. */
  next(): Promise<FakeTask> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}
