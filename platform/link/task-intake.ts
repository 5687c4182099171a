/** Tasks of one connection whose input is still coming, and cancels that overtook their task. Hands on what is whole. */
import { AppError } from '../../core/errors.ts';
import type { Clock, Timer } from '../clock.ts';
import { BodyAssembly } from './body-assembly.ts';
import { cancelError } from './error-frame.ts';
import type { TaskHeader, TaskNumber, ToRuntime } from './frames.ts';
import { ASSEMBLY_BYTES_MAX, EARLY_CANCELS_MAX } from './link-limits.ts';
import { ReceiveWindow } from './receive-window.ts';

type FrameOf<Type extends ToRuntime['type']> = Extract<ToRuntime, { readonly type: Type }>;
type CancelReason = FrameOf<'cancel'>['reason'];

export interface WholeTask {
  readonly header: TaskHeader;
  /** A copy of its own: small inputs must not keep the message alive that they came in, nor be cloned with it. */
  readonly body: Uint8Array;
  readonly deadlineMs: number;
}

export interface IntakeEvents {
  whole(task: TaskNumber, whole: WholeTask): void;
  /** It never reached the handler. */
  refused(task: TaskNumber, error: AppError): void;
  giveBack(task: TaskNumber, bytes: number): void;
}

interface Incoming {
  readonly header: TaskHeader;
  readonly deadlineMs: number;
  readonly deadline: Timer;
  readonly assembly: BodyAssembly;
  readonly window: ReceiveWindow;
}

export class TaskIntake {
  readonly #clock: Clock;
  readonly #inputBytesMax: number;
  readonly #events: IntakeEvents;
  readonly #incoming = new Map<TaskNumber, Incoming>();
  readonly #earlyCancels = new Map<TaskNumber, CancelReason>();
  #bytes = 0;
  #lastTask = 0;

  constructor(clock: Clock, inputBytesMax: number, events: IntakeEvents) {
    this.#clock = clock;
    this.#inputBytesMax = inputBytesMax;
    this.#events = events;
  }

  get size(): number {
    return this.#incoming.size + this.#earlyCancels.size;
  }

  task({ task, header, body, more }: FrameOf<'task'>): void {
    // First frames keep the order of the numbers, so a number that was passed over never comes.
    for (const early of this.#earlyCancels.keys())
      if (early < task) this.#earlyCancels.delete(early);
    this.#lastTask = Math.max(this.#lastTask, task);
    const cancel = this.#earlyCancels.get(task);
    this.#earlyCancels.delete(task);
    const deadlineMs = this.#clock.nowMs() + header.remainingMs;
    if (cancel !== undefined) this.#events.refused(task, cancelError(cancel));
    else if (header.remainingMs <= 0) this.#events.refused(task, cancelError('DEADLINE'));
    else if (body.length > this.#inputBytesMax) this.#events.refused(task, this.#tooLarge());
    else if (!more) this.#events.whole(task, { header, body: new Uint8Array(body), deadlineMs });
    else this.#begin(task, header, body);
  }

  input({ task, body, more }: FrameOf<'input'>): void {
    const incoming = this.#incoming.get(task);
    if (incoming === undefined || !this.#add(task, incoming, body)) return;
    if (more) {
      const bytes = incoming.window.takeReturn();
      if (bytes > 0) this.#events.giveBack(task, bytes);
      return;
    }
    this.#forget(task);
    const { header, deadlineMs, assembly } = incoming;
    this.#events.whole(task, { header, body: assembly.whole(), deadlineMs });
  }

  /** True: the cancel was for a task that had not reached the handler. */
  cancel({ task, reason }: FrameOf<'cancel'>): boolean {
    if (task > this.#lastTask) {
      this.#rememberCancel(task, reason);
      return true;
    }
    if (!this.#incoming.has(task)) return false;
    this.#refuse(task, cancelError(reason));
    return true;
  }

  clear(): void {
    for (const task of [...this.#incoming.keys()]) this.#forget(task);
    this.#earlyCancels.clear();
  }

  #begin(task: TaskNumber, header: TaskHeader, body: Uint8Array): void {
    const deadline = this.#clock.after(header.remainingMs, () =>
      this.#refuse(task, cancelError('DEADLINE')),
    );
    const deadlineMs = this.#clock.nowMs() + header.remainingMs;
    const incoming: Incoming = {
      header,
      deadlineMs,
      deadline,
      assembly: new BodyAssembly(),
      window: new ReceiveWindow(),
    };
    this.#incoming.set(task, incoming);
    this.#add(task, incoming, body);
  }

  #add(task: TaskNumber, { assembly, window }: Incoming, body: Uint8Array): boolean {
    assembly.add(body);
    window.received(body.length);
    this.#bytes += body.length;
    if (assembly.bytes > this.#inputBytesMax) this.#refuse(task, this.#tooLarge());
    else if (this.#bytes > ASSEMBLY_BYTES_MAX)
      this.#refuse(
        task,
        new AppError(
          'QUEUE_FULL',
          `inputs of more than ${ASSEMBLY_BYTES_MAX} bytes are on their way to this runtime: try again later`,
          { retryAfterMs: 1000 },
        ),
      );
    else return true;
    return false;
  }

  #refuse(task: TaskNumber, error: AppError): void {
    this.#forget(task);
    this.#events.refused(task, error);
  }

  #forget(task: TaskNumber): void {
    const incoming = this.#incoming.get(task);
    if (incoming === undefined) return;
    this.#incoming.delete(task);
    this.#bytes -= incoming.assembly.bytes;
    incoming.deadline.cancel();
  }

  #rememberCancel(task: TaskNumber, reason: CancelReason): void {
    const oldest = this.#earlyCancels.keys().next();
    if (this.#earlyCancels.size >= EARLY_CANCELS_MAX && oldest.done !== true)
      this.#earlyCancels.delete(oldest.value);
    this.#earlyCancels.set(task, reason);
  }

  #tooLarge(): AppError {
    return new AppError(
      'PAYLOAD_TOO_LARGE',
      `the input has more than ${this.#inputBytesMax} bytes: send less`,
    );
  }
}
