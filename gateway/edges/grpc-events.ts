/** Events of tasks on one gRPC stream: numbered per task, written as they come, their bytes given back when they have left. */
import type { Writable } from 'node:stream';
import type { AppError } from '../../core/errors.ts';
import type { ExecuteEvent, Init } from '../../proto/generated/messages.ts';
import type { TaskAnswer, TaskChunk, TaskSink, TaskStart } from '../task/call.ts';
import { writeInBursts } from './grpc-bursts.ts';
import type { CallPace } from './grpc-pace.ts';
import {
  chunkEventOf,
  executeResponseOf,
  startEventOf,
  taskErrorOf,
} from './grpc-task-messages.ts';

export class EventStream {
  readonly #stream: Writable;
  readonly #pace: CallPace;
  readonly #onLeft: () => void;
  /** Bytes that a client which is gone will never take. */
  readonly #unwritten = new Set<() => void>();
  #isGone = false;
  #isCorked = false;

  /** @param onLeft called after each event that the client has taken. */
  constructor(stream: Writable, pace: CallPace, onLeft: () => void = () => undefined) {
    this.#stream = stream;
    this.#pace = pace;
    this.#onLeft = onLeft;
    writeInBursts(stream);
  }

  /** Handed over and not taken yet by the client. */
  get waitingBytes(): number {
    return this.#pace.waitingBytes;
  }

  /** `written` is called once: when the event has left, or when nobody is there to take it. */
  send(event: Init<ExecuteEvent>, payloadBytes: number, written?: () => void): void {
    if (this.#isGone) {
      if (written !== undefined) queueMicrotask(written);
      return;
    }
    this.#cork();
    this.#pace.waits(payloadBytes);
    if (written !== undefined) this.#unwritten.add(written);
    this.#stream.write(event, () => {
      this.#pace.left(payloadBytes);
      this.#onLeft();
      if (written !== undefined && this.#unwritten.delete(written)) written();
    });
  }

  /** Nothing more will be sent: the client has a while to take what is left. */
  end(): void {
    this.#pace.ends();
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
    this.#send(startEventOf(start), 0);
  }

  chunk(chunk: TaskChunk, consumed: () => void): void {
    this.#send(chunkEventOf(chunk), chunk.body.byteLength, consumed);
  }

  result(answer: TaskAnswer): void {
    this.#send({ result: executeResponseOf(answer) }, answer.body.byteLength);
  }

  error(error: AppError): void {
    this.#send({ error: taskErrorOf(error) }, error.message.length);
  }

  #send(event: Init<ExecuteEvent>, payloadBytes: number, written?: () => void): void {
    this.#sequence += 1;
    const numbered = { ...event, request_id: this.requestId, sequence: this.#sequence };
    this.#stream.send(numbered, payloadBytes, written);
  }
}
