/** One task as server-sent events: numbers them, passes chunks on as they come, and ends with a result or an error. */
import { AppError, GRPC_CODES } from '../../../../core/errors.ts';
import type { TaskAnswer, TaskChunk, TaskSink, TaskStart } from '../../../task/call.ts';
import { timestampText } from '../messages/shared-fields.ts';
import { payloadText } from '../wire/payload-text.ts';
import type { SseWriter } from '../wire/sse-writer.ts';
import { responseJson } from './execute-response.ts';

export interface TaskEventsOptions {
  readonly writer: SseWriter;
  readonly requestId: string;
}

export class TaskEvents implements TaskSink {
  readonly #options: TaskEventsOptions;
  #sequence = 0;
  /** A chunk that is no payload: a sink must not throw, so the task's end tells it. */
  #broken: AppError | undefined;

  constructor(options: TaskEventsOptions) {
    this.#options = options;
  }

  /** Resolves when the last event was handed over; rejects when the task failed before its first. */
  async run(start: (sink: TaskSink) => Promise<TaskAnswer>): Promise<void> {
    const { writer } = this.#options;
    try {
      const answer = await start(this);
      if (this.#broken !== undefined) throw this.#broken;
      const id = this.#next();
      writer.send({ event: 'result', id, data: responseJson(answer, id) });
    } catch (thrown) {
      if (this.#sequence === 0) throw thrown;
      this.#failed(AppError.from(thrown));
    }
    writer.end();
  }

  started(start: TaskStart): void {
    const { conversationId, instanceId, agent, tier, wallMs } = start;
    const fields = {
      conversation_id: conversationId,
      instance_id: instanceId,
      agent,
      tier,
      time: timestampText(wallMs),
    };
    this.#send('start', fields);
  }

  chunk({ arm, kind, body }: TaskChunk, consumed: () => void): void {
    let payload: Buffer;
    try {
      payload = payloadText({ arm, body });
    } catch (thrown) {
      this.#broken = AppError.from(thrown);
      consumed();
      return;
    }
    const id = this.#next();
    const head = JSON.stringify({ request_id: this.#options.requestId, sequence: id }).slice(0, -1);
    const field = arm === 'text' ? 'text' : 'json';
    const data = Buffer.concat([
      Buffer.from(`${head},"${field}":`),
      payload,
      Buffer.from(`,"kind":"${kind}"}`),
    ]);
    this.#options.writer.send({ event: 'chunk', id, data }, consumed);
  }

  #failed(error: AppError): void {
    const { code, reason, message, retryAfterMs, metadata } = error;
    this.#send('error', {
      code: GRPC_CODES[code],
      reason,
      message,
      ...(retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(retryAfterMs) }),
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    });
  }

  #send(event: string, fields: Readonly<Record<string, unknown>>): void {
    const id = this.#next();
    const data = JSON.stringify({ request_id: this.#options.requestId, sequence: id, ...fields });
    this.#options.writer.send({ event, id, data });
  }

  #next(): number {
    this.#sequence += 1;
    return this.#sequence;
  }
}
