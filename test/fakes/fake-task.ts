/** A task as the link server would hand it to a runtime, with everything that the runtime says of it recorded. */
import { AppError } from '../../core/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { ResultHeader, TaskHeader } from '../../platform/link/frames.ts';
import type { IncomingTask } from '../../platform/link/task-link.ts';
import type { Owner, Payload } from '../../platform/store/store.ts';

export type TaskEnd =
  | { readonly type: 'finished'; readonly header: ResultHeader; readonly text: string }
  | { readonly type: 'failed'; readonly error: AppError }
  | { readonly type: 'elsewhere'; readonly owner: Owner | undefined; readonly epoch: number };

export class FakeTask implements IncomingTask {
  readonly header: TaskHeader;
  readonly input: Payload;
  readonly deadlineMs: number;
  readonly events: string[] = [];
  readonly chunks: string[] = [];
  end: TaskEnd | undefined;
  ends = 0;
  roomy = true;
  readonly #abort = new AbortController();
  #onWindow: () => void = () => undefined;

  constructor(
    clock: Clock,
    header: Partial<TaskHeader> & { readonly project: string; readonly requestId: string },
    input = 'hello',
  ) {
    this.header = {
      agent: 'echo',
      conversationId: 'c1',
      newConversation: false,
      attempt: 1,
      priority: 'NORMAL',
      remainingMs: 60_000,
      queueMs: 30_000,
      queuedMs: 0,
      metadata: {},
      principal: { subject: 'tester', role: 'caller' },
      arm: 'text',
      digest: `digest of ${input}`,
      stream: false,
      onDisconnect: 'CANCEL',
      ...header,
    };
    this.input = { arm: 'text', body: new TextEncoder().encode(input) };
    this.deadlineMs = clock.nowMs() + this.header.remainingMs;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get reason(): string | undefined {
    return this.end?.type === 'failed' ? this.end.error.reason : undefined;
  }

  get text(): string | undefined {
    return this.end?.type === 'finished' ? this.end.text : undefined;
  }

  leave(reason: 'CANCELLED' | 'DEADLINE' | 'SLOW_CONSUMER' = 'CANCELLED'): void {
    this.#abort.abort(new AppError(reason, 'the caller left'));
  }

  openWindow(): void {
    this.roomy = true;
    this.#onWindow();
  }

  parked(): void {
    this.events.push('parked');
  }

  started(): void {
    this.events.push('started');
  }

  chunk({ body }: { readonly body: Uint8Array }): boolean {
    this.chunks.push(new TextDecoder().decode(body));
    return this.roomy;
  }

  onWindow(callback: () => void): void {
    this.#onWindow = callback;
  }

  finish(header: ResultHeader, body: Uint8Array): void {
    this.#over({ type: 'finished', header, text: new TextDecoder().decode(body) });
  }

  fail(error: AppError): void {
    this.#over({ type: 'failed', error });
  }

  elsewhere(owner: Owner | undefined, epoch: number): void {
    this.#over({ type: 'elsewhere', owner, epoch });
  }

  #over(end: TaskEnd): void {
    this.ends += 1;
    this.end ??= end;
  }
}
