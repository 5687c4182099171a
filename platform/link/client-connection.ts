/** One open connection as the gateway sees it: its tasks, its calls, its grant. Whether it lives, and what comes after it, is link-client's. */
import type { AppError } from '../../core/errors.ts';
import type { Clock, Timer } from '../clock.ts';
import { ClientTask, type ClientTaskHost } from './client-task.ts';
import { appErrorOfFrame } from './error-frame.ts';
import type { FrameChannel, FromRuntime, RuntimeCall, TaskHeader, ToRuntime } from './frames.ts';
import { fullLink, unreachable } from './link-errors.ts';
import { LINK_CALLS_MAX, LINK_TASKS_MAX } from './link-limits.ts';
import { Outbox } from './outbox.ts';
import type { LinkEvents, RunningTask, TaskListener } from './task-link.ts';

interface PendingCall {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: AppError) => void;
  readonly timer: Timer;
}

export interface ConnectionEvents extends Pick<LinkEvents, 'moved'> {
  welcome(frame: Extract<FromRuntime, { readonly type: 'welcome' }>): void;
  creditChanged(): void;
  draining(): void;
}

export class ClientConnection {
  readonly channel: FrameChannel<ToRuntime, FromRuntime>;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #outbox: Outbox<ToRuntime>;
  readonly #tasks = new Map<number, ClientTask>();
  readonly #calls = new Map<number, PendingCall>();
  readonly #host: ClientTaskHost;
  #tasksMade = 0;
  #callsMade = 0;
  #parked = 0;
  #grant = 0;

  constructor(
    channel: FrameChannel<ToRuntime, FromRuntime>,
    clock: Clock,
    events: ConnectionEvents,
  ) {
    this.channel = channel;
    this.#clock = clock;
    this.#events = events;
    this.#outbox = new Outbox((frame) => channel.send(frame));
    this.#host = {
      outbox: this.#outbox,
      control: (frame) => void channel.send(frame),
      nowMs: () => clock.nowMs(),
      parkedChanged: (isParked) => {
        this.#parked += isParked ? 1 : -1;
        events.creditChanged();
      },
      ended: (task) => {
        if (!this.#tasks.delete(task.number)) return;
        if (task.isParked) this.#parked -= 1;
      },
      freed: () => events.creditChanged(),
    };
  }

  get credit(): number {
    return Math.max(0, this.#grant - (this.#tasks.size - this.#parked));
  }

  get grant(): number {
    return this.#grant;
  }

  /** Unfinished tasks and calls; both are 0 after `lost`. */
  get unfinished(): { readonly tasks: number; readonly calls: number } {
    return { tasks: this.#tasks.size, calls: this.#calls.size };
  }

  run(header: TaskHeader, body: Uint8Array, listener: TaskListener): RunningTask {
    this.#tasksMade += 1;
    const task = new ClientTask(this.#host, this.#tasksMade, listener);
    if (this.#tasks.size >= LINK_TASKS_MAX) {
      queueMicrotask(() => task.refuse(fullLink(`${LINK_TASKS_MAX} tasks`)));
      return task;
    }
    this.#tasks.set(task.number, task);
    task.send(header, body);
    return task;
  }

  call(request: RuntimeCall, timeoutMs: number): Promise<unknown> {
    if (this.#calls.size >= LINK_CALLS_MAX)
      return Promise.reject(fullLink(`${LINK_CALLS_MAX} calls`));
    this.#callsMade += 1;
    const call = this.#callsMade;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => {
        this.#calls.delete(call);
        reject(
          unreachable(
            `the runtime did not answer ${request.method} within ${timeoutMs} ms: try again`,
          ),
        );
      });
      this.#calls.set(call, { resolve, reject, timer });
      this.channel.send({ type: 'call', call, request });
    });
  }

  receive(frame: FromRuntime): void {
    if ('task' in frame) {
      // A frame of a task that has ended here (cancelled before it was sent, say) is late, not wrong.
      this.#tasks.get(frame.task)?.receive(frame);
      return;
    }
    switch (frame.type) {
      case 'welcome':
        this.#events.welcome(frame);
        break;
      case 'pong':
        break;
      case 'grant':
        this.#grant = frame.tasks;
        this.#events.creditChanged();
        break;
      case 'moved':
        this.#events.moved(frame.project, frame.epoch, frame.to);
        break;
      case 'reply':
        this.#reply(frame);
        break;
      case 'draining':
        this.#events.draining();
        break;
    }
  }

  drained(): void {
    this.#outbox.drained();
  }

  /** Ends every task and call: the connection is gone. */
  lost(cause: { readonly refused: boolean; readonly reason: string }): void {
    this.#grant = 0;
    this.#outbox.clear();
    for (const task of [...this.#tasks.values()]) task.lost(cause);
    for (const { timer, reject } of this.#calls.values()) {
      timer.cancel();
      reject(unreachable(`the link to the runtime broke: ${cause.reason}`));
    }
    this.#calls.clear();
  }

  #reply({ call, answer, error }: Extract<FromRuntime, { readonly type: 'reply' }>): void {
    const pending = this.#calls.get(call);
    if (pending === undefined) return;
    this.#calls.delete(call);
    pending.timer.cancel();
    if (error === undefined) pending.resolve(answer);
    else pending.reject(appErrorOfFrame(error));
  }
}
