/** Events of tasks on one gRPC stream: numbered per task, written as they come, their bytes given back when they have left. */
import type { Writable } from 'node:stream';
import type { AppError } from '../../core/errors.ts';
import type { ExecuteEvent, Init } from '../../proto/generated/messages.ts';
import type { TaskAnswer, TaskChunk, TaskSink, TaskStart } from '../task/call.ts';
import { writeInBursts } from './grpc-bursts.ts';
import {
  chunkEventOf,
  executeResponseOf,
  startEventOf,
  taskErrorOf,
} from './grpc-task-messages.ts';

export class EventStream {
  readonly #stream: Writable;
  /** Bytes that a client which is gone will never take. */
  readonly #unwritten = new Set<() => void>();
  #isGone = false;
  #isCorked = false;

  constructor(stream: Writable) {
    this.#stream = stream;
    writeInBursts(stream);
  }

  /** `written` is called once: when the event has left, or when nobody is there to take it. */
  send(event: Init<ExecuteEvent>, written?: () => void): void {
    if (this.#isGone) {
      if (written !== undefined) queueMicrotask(written);
      return;
    }
    this.#cork();
    if (written === undefined) {
      this.#stream.write(event);
      return;
    }
    this.#unwritten.add(written);
    this.#stream.write(event, () => {
      if (this.#unwritten.delete(written)) written();
    });
  }

  /** What is sent until the running callback is done leaves together. */
  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#stream.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      this.#stream.uncork();
    });
  }

  /** The client is gone: what was not written never will be. */
  gone(): void {
    this.#isGone = true;
    for (const written of this.#unwritten) written();
    this.#unwritten.clear();
  }
}

/** One task's events on a stream. */
export class TaskEvents implements TaskSink {
  readonly #stream: EventStream;
  #sequence = 0;
  /** Set before the first event. */
  requestId = '';

  constructor(stream: EventStream) {
    this.#stream = stream;
  }

  started(start: TaskStart): void {
    this.#send(startEventOf(start));
  }

  chunk(chunk: TaskChunk, consumed: () => void): void {
    this.#send(chunkEventOf(chunk), consumed);
  }

  result(answer: TaskAnswer): void {
    this.#send({ result: executeResponseOf(answer) });
  }

  error(error: AppError): void {
    this.#send({ error: taskErrorOf(error) });
  }

  #send(event: Init<ExecuteEvent>, written?: () => void): void {
    this.#sequence += 1;
    this.#stream.send({ ...event, request_id: this.requestId, sequence: this.#sequence }, written);
  }
}
