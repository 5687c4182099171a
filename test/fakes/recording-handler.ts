/** A runtime behind a link that keeps every task for the test to answer; by default calls answer what was asked. */
import type { RuntimeCall } from '../../platform/link/frames.ts';
import type { IncomingTask, TaskHandler } from '../../platform/link/task-link.ts';

export const START = {
  conversationId: 'conversation',
  instanceId: 'default~pool~tenant~project',
  agent: 'guide',
  tier: 'WARM',
} as const;

export class RecordingHandler implements TaskHandler {
  readonly tasks: IncomingTask[] = [];
  /** Called with each task; set by the test. */
  onTask: (task: IncomingTask) => void = () => undefined;
  answer: (request: RuntimeCall) => Promise<unknown> = async (request) => ({
    asked: request.method,
  });
  #waiting: ((task: IncomingTask) => void)[] = [];
  #taken = 0;

  task(task: IncomingTask): void {
    this.tasks.push(task);
    this.onTask(task);
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    this.#taken += 1;
    waiting(task);
  }

  call(request: RuntimeCall): Promise<unknown> {
    return this.answer(request);
  }

  /** The next task that nobody has taken yet. */
  next(): Promise<IncomingTask> {
    const task = this.tasks[this.#taken];
    if (task === undefined) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#taken += 1;
    return Promise.resolve(task);
  }
}
