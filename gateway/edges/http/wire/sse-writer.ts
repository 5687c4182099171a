/** Server-sent events on one response: opened by the first event, paced by the reader, kept alive, closed in bounded time. Knows no tasks. */
import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../../../../platform/clock.ts';

/** Proxies cut connections that are silent for 30 to 60 seconds. */
export const COMMENT_INTERVAL_MS = 15_000;
/** Time that the reader has to take what is left after the last event. */
export const END_GRACE_MS = 30_000;

export interface SseEvent {
  readonly event: string;
  readonly id: number;
  /** JSON text in one line. */
  readonly data: string | Buffer;
}

export interface SseWriterOptions {
  readonly response: ServerResponse;
  readonly clock: Clock;
  /** Called once, right before the first byte: from then on the response is this writer's. */
  readonly onOpen: () => void;
  readonly headers: Readonly<Record<string, string>>;
}

export class SseWriter {
  readonly #options: SseWriterOptions;
  /** What waits for the reader; its bytes are bounded by whoever calls `send` again only when `onTaken` was called. */
  readonly #untaken = new Set<() => void>();
  #state: 'new' | 'open' | 'ended' | 'gone' = 'new';
  #timer: Timer | undefined;

  constructor(options: SseWriterOptions) {
    this.#options = options;
    options.response.once('close', () => {
      this.#close();
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** @param onTaken called once, when the bytes have left for the reader or the reader is gone. */
  send({ event, id, data }: SseEvent, onTaken: () => void = () => undefined): void {
    if (this.#state === 'new') this.#open();
    if (this.#state !== 'open') {
      onTaken();
      return;
    }
    this.#untaken.add(onTaken);
    const { response } = this.#options;
    response.cork();
    response.write(`event: ${event}\nid: ${id}\ndata: `);
    response.write(data);
    response.write('\n\n', () => {
      if (this.#untaken.delete(onTaken)) onTaken();
    });
    response.uncork();
  }

  /** After the last event. A reader that does not take the rest in time is cut off. */
  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#timer?.cancel();
    const { response, clock } = this.#options;
    response.end();
    if (response.writableFinished) return;
    this.#timer = clock.after(END_GRACE_MS, () => {
      response.destroy();
    });
    response.once('finish', () => {
      this.#timer?.cancel();
    });
  }

  #open(): void {
    const { response, headers, onOpen } = this.#options;
    onOpen();
    this.#state = 'open';
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    this.#commentLater();
  }

  #commentLater(): void {
    const { response, clock } = this.#options;
    this.#timer = clock.after(COMMENT_INTERVAL_MS, () => {
      // A reader that is behind needs no sign of life, and must not make the buffer grow.
      if (!response.writableNeedDrain) response.write(': still here\n\n');
      this.#commentLater();
    });
  }

  #close(): void {
    this.#state = 'gone';
    this.#timer?.cancel();
    for (const onTaken of this.#untaken) onTaken();
    this.#untaken.clear();
  }
}
