/** One open connection as the runtime sees it: says welcome, hands whole tasks and calls to the handler, sends what they answer. */
import { AppError } from '../../core/errors.ts';
import type { Clock, Timer } from '../clock.ts';
import { cancelError, errorFrameOf } from './error-frame.ts';
import {
  PROTOCOL_MAX,
  PROTOCOL_MIN,
  type FrameChannel,
  type FromRuntime,
  type TaskNumber,
  type ToRuntime,
} from './frames.ts';
import { GATEWAY_SILENCE_MS_MAX, LINK_CALLS_MAX, LINK_TASKS_MAX } from './link-limits.ts';
import { Outbox } from './outbox.ts';
import { ServerTask, type ServerTaskHost } from './server-task.ts';
import { TaskIntake, type WholeTask } from './task-intake.ts';
import type { TaskHandler } from './task-link.ts';

type FrameOf<Type extends ToRuntime['type']> = Extract<ToRuntime, { readonly type: Type }>;

export interface ServerConnectionDeps {
  readonly clock: Clock;
  readonly handler: TaskHandler;
  readonly incarnation: string;
  readonly revision: string;
  readonly slowConsumerMs: number;
  readonly inputBytesMax: number;
  welcomed(connection: ServerConnection): void;
  /** The grants may be split anew. */
  demandChanged(): void;
  closed(connection: ServerConnection): void;
}

export class ServerConnection {
  /** Set by the first hello that fits. */
  isWelcome = false;
  demand = 0;
  granted = -1;
  readonly #channel: FrameChannel<FromRuntime, ToRuntime>;
  readonly #deps: ServerConnectionDeps;
  readonly #outbox: Outbox<FromRuntime>;
  readonly #intake: TaskIntake;
  readonly #tasks = new Map<TaskNumber, ServerTask>();
  readonly #host: ServerTaskHost;
  #callsOpen = 0;
  #heardAtMs: number;
  #silence: Timer | undefined;
  #isClosed = false;

  constructor(channel: FrameChannel<FromRuntime, ToRuntime>, deps: ServerConnectionDeps) {
    const { clock } = deps;
    this.#channel = channel;
    this.#deps = deps;
    this.#heardAtMs = clock.nowMs();
    this.#outbox = new Outbox((frame) => channel.send(frame));
    this.#intake = new TaskIntake(clock, deps.inputBytesMax, {
      whole: (task, whole) => this.#whole(task, whole),
      refused: (task, error) => this.#refused(task, error),
      giveBack: (task, bytes) => this.send({ type: 'window', task, bytes }),
    });
    this.#host = {
      outbox: this.#outbox,
      slowConsumerMs: deps.slowConsumerMs,
      control: (frame) => this.send(frame),
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      after: (delayMs, fn) => clock.after(delayMs, fn),
      gone: (task) => void this.#tasks.delete(task.number),
    };
  }

  /** Takes frames from now on: those that came before at once, so the server must know the connection already. */
  open(): void {
    this.#channel.listen({
      frame: (frame) => this.#receive(frame),
      drain: () => this.#outbox.drained(),
      closed: ({ reason }) => this.#closed(reason),
    });
    this.#watchSilence(GATEWAY_SILENCE_MS_MAX);
  }

  /** Tasks, inputs and calls that are not done: 0 when nothing is leaked. */
  get unfinished(): number {
    return this.#tasks.size + this.#intake.size + this.#callsOpen;
  }

  send(frame: FromRuntime): void {
    if (!this.#isClosed) this.#channel.send(frame);
  }

  grant(tasks: number): void {
    if (this.granted === tasks) return;
    this.granted = tasks;
    this.send({ type: 'grant', tasks });
  }

  close(reason: string): void {
    this.#channel.close(reason);
    this.#closed(reason);
  }

  #receive(frame: ToRuntime): void {
    if (this.#isClosed) return;
    this.#heardAtMs = this.#deps.clock.nowMs();
    if (!this.isWelcome && frame.type !== 'hello') return;
    this.#handle(frame);
  }

  #handle(frame: ToRuntime): void {
    switch (frame.type) {
      case 'hello': {
        this.#hello(frame);
        return;
      }
      case 'ping': {
        this.#ping(frame);
        return;
      }
      case 'task': {
        this.#intake.task(frame);
        return;
      }
      case 'input': {
        this.#intake.input(frame);
        return;
      }
      case 'cancel':
        if (!this.#intake.cancel(frame))
          this.#tasks.get(frame.task)?.cancelled(cancelError(frame.reason));
        return;
      case 'window':
        return this.#tasks.get(frame.task)?.opened(frame.bytes);
      case 'call': {
        this.#call(frame);
        return;
      }
    }
  }

  #hello({ protocolMin, protocolMax }: FrameOf<'hello'>): void {
    if (this.isWelcome) return;
    const { incarnation, revision } = this.#deps;
    const protocol = Math.min(protocolMax, PROTOCOL_MAX);
    if (protocol < Math.max(protocolMin, PROTOCOL_MIN)) {
      this.close(
        `no common protocol: the gateway speaks ${protocolMin} to ${protocolMax}, this runtime ${PROTOCOL_MIN} to ${PROTOCOL_MAX}`,
      );
      return;
    }
    this.isWelcome = true;
    this.send({ type: 'welcome', incarnation, revision, protocol });
    this.#deps.welcomed(this);
  }

  #ping({ nonce, demand }: FrameOf<'ping'>): void {
    this.send({ type: 'pong', nonce });
    if (demand === this.demand) return;
    this.demand = demand;
    this.#deps.demandChanged();
  }

  #whole(number: TaskNumber, whole: WholeTask): void {
    if (this.#tasks.size >= LINK_TASKS_MAX) {
      this.#refused(
        number,
        new AppError(
          'QUEUE_FULL',
          `a link carries at most ${LINK_TASKS_MAX} tasks: try again later`,
          {
            retryAfterMs: 1000,
          },
        ),
      );
      return;
    }
    const task = new ServerTask(this.#host, number, whole);
    this.#tasks.set(number, task);
    this.#deps.handler.task(task);
  }

  #refused(task: TaskNumber, error: AppError): void {
    const frame: FromRuntime = { type: 'failed', task, error: errorFrameOf(error) };
    this.#outbox
      .lane({ blocked: () => undefined, emptied: () => undefined })
      .push({ body: new Uint8Array(), overheadBytes: 0, first: () => frame, rest: () => frame });
  }

  #call({ call, request }: FrameOf<'call'>): void {
    if (this.#callsOpen >= LINK_CALLS_MAX) {
      const error = new AppError(
        'QUEUE_FULL',
        `a link carries at most ${LINK_CALLS_MAX} calls: try again later`,
        {
          retryAfterMs: 1000,
        },
      );
      this.send({ type: 'reply', call, answer: undefined, error: errorFrameOf(error) });
      return;
    }
    this.#callsOpen += 1;
    const replied = (answer: unknown, error?: AppError): void => {
      this.#callsOpen -= 1;
      this.send({
        type: 'reply',
        call,
        answer,
        ...(error === undefined ? {} : { error: errorFrameOf(error) }),
      });
    };
    this.#deps.handler.call(request).then(
      (answer) => replied(answer),
      (error: unknown) => replied(undefined, AppError.from(error)),
    );
  }

  #watchSilence(delayMs: number): void {
    const dueMs = this.#deps.clock.nowMs() + delayMs;
    this.#silence = this.#deps.clock.after(delayMs, () => {
      const nowMs = this.#deps.clock.nowMs();
      // This process stood still: what came meanwhile has not been read.
      if (nowMs - dueMs > GATEWAY_SILENCE_MS_MAX / 10) this.#heardAtMs = nowMs;
      const leftMs = this.#heardAtMs + GATEWAY_SILENCE_MS_MAX - nowMs;
      if (leftMs <= 0) this.close('the gateway is silent');
      else this.#watchSilence(leftMs);
    });
  }

  #closed(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#silence?.cancel();
    this.#intake.clear();
    this.#outbox.clear();
    const error = new AppError('RUNTIME_LOST', `the link to the gateway broke: ${reason}`);
    const tasks = [...this.#tasks.values()];
    this.#tasks.clear();
    for (const task of tasks) task.detached(error);
    this.#deps.closed(this);
  }
}
