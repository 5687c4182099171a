/** The chunks of one task on their way to the host: encoded, bounded all together, and never far ahead of their reader. */
import type { TaskFailure } from './agent-failure.ts';
import { ChunkWindow } from './chunk-window.ts';
import { chunkOf, type Chunk } from './payloads.ts';
import type { PayloadArm } from '../../platform/store/store.ts';
import type { WorkerLimits } from './protocol.ts';

export class ChunkSender {
  readonly #limits: WorkerLimits;
  readonly #inputArm: PayloadArm;
  readonly #post: (chunk: Chunk) => void;
  readonly #window: ChunkWindow;
  #bytes = 0;

  constructor(limits: WorkerLimits, inputArm: PayloadArm, post: (chunk: Chunk) => void) {
    this.#limits = limits;
    this.#inputArm = inputArm;
    this.#post = post;
    this.#window = new ChunkWindow(limits.chunkBytesUntakenMax);
  }

  /** The caller may have seen something of this task. */
  get streamed(): boolean {
    return this.#bytes > 0;
  }

  /** Answers why the task must end; undefined: sent, or nothing to send. Throws NotJsonError. */
  send(value: unknown): TaskFailure | undefined {
    const chunk = chunkOf(value, this.#inputArm);
    if (chunk === undefined) return undefined;
    const bytes = chunk.payload.body.length;
    if (this.#window.isOver) return slowConsumer();
    if (this.#bytes + bytes > this.#limits.answerBytesMax) return tooLarge(this.#limits);
    this.#bytes += bytes;
    this.#window.sent(bytes);
    this.#post(chunk);
    return undefined;
  }

  taken(bytes: number): void {
    this.#window.taken(bytes);
  }

  /** Resolves when the next chunk may come, or the task has ended. */
  async room(): Promise<void> {
    await this.#window.waitForRoom();
  }

  close(): void {
    this.#window.close();
  }
}

function slowConsumer(): TaskFailure {
  const message = 'the agent emitted more than the caller took: await emit, or yield';
  return { type: 'error', reason: 'SLOW_CONSUMER', message };
}

function tooLarge({ answerBytesMax }: WorkerLimits): TaskFailure {
  const message = `the chunks have more than ${answerBytesMax} bytes together (limits.answerBytesMax)`;
  return { type: 'error', reason: 'PAYLOAD_TOO_LARGE', message };
}
