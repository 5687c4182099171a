/** One worker as the host knows it: whether it is ready, which sessions it carries, what it uses, and how it ended. */
import type { Clock } from '../../platform/clock.ts';
import type {
  FromWorker,
  SessionNumber,
  StartWorker,
  ToWorker,
  WorkerAgent,
  WorkerChannel,
  WorkerLimits,
} from '../worker/protocol.ts';

/** How a worker ended. `memory`: over its heap or its quota; `exited`: by itself; `ordered`: this runtime ended it. */
export interface WorkerEnd {
  readonly type: 'memory' | 'exited' | 'ordered';
  readonly message: string;
}

export type WorkerReady =
  | { readonly type: 'ready'; readonly agents: readonly WorkerAgent[] }
  | { readonly type: 'broken'; readonly message: string; readonly stack?: string }
  | { readonly type: 'ended'; readonly end: WorkerEnd };

type SessionMessage = Extract<FromWorker, { readonly session: SessionNumber }>;

export interface SessionListener {
  message(message: SessionMessage): void;
  /** The worker is gone; nothing follows. */
  ended(end: WorkerEnd): void;
}

export interface WorkerUse {
  readonly memoryBytes: number;
  /** Share of one core since the answer before, in per cent. */
  readonly cpuPercent: number;
  readonly atMs: number;
  readonly cpuMicros: number;
}

export interface WorkerOptions {
  readonly modulePath: string;
  readonly limits: WorkerLimits;
  readonly heapMb: number;
  /** What the worker itself has to say, outside of any session. */
  log(line: WorkerLog): void;
}

export type WorkerLog = Extract<FromWorker, { readonly type: 'log' }>;

export class WorkerHandle {
  readonly heapMb: number;
  readonly ready: Promise<WorkerReady>;
  readonly #clock: Clock;
  readonly #options: WorkerOptions;
  readonly #channel: WorkerChannel;
  readonly #sessions = new Map<SessionNumber, SessionListener>();
  #isReady = false;
  #nextSession = 1;
  #end: WorkerEnd | undefined;
  #resolveReady: (ready: WorkerReady) => void = () => undefined;
  #probe: { readonly nonce: number; readonly sentAtMs: number } | undefined;
  #nonce = 0;
  #use: WorkerUse | undefined;
  #onEnd: ((end: WorkerEnd) => void)[] = [];
  readonly #busy = new Set<object>();
  #busyAtEnd = 0;

  constructor(clock: Clock, startWorker: StartWorker, options: WorkerOptions) {
    const { modulePath, limits, heapMb } = options;
    this.#clock = clock;
    this.#options = options;
    this.heapMb = heapMb;
    this.ready = new Promise((resolve) => {
      this.#resolveReady = resolve;
    });
    this.#channel = startWorker({ start: { modulePath, limits }, heapMb });
    this.#channel.listen({
      message: (message) => {
        if (this.#end === undefined) this.#take(message);
      },
      exited: (why) => {
        const type = why.type === 'memory' ? 'memory' : 'exited';
        this.#over({ type, message: why.message });
      },
    });
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** The module is imported. */
  get isReady(): boolean {
    return this.#isReady;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  get use(): WorkerUse | undefined {
    return this.#use;
  }

  /** How many of its instances had a task when it ended. */
  get busyAtEnd(): number {
    return this.#busyAtEnd;
  }

  get busy(): boolean {
    return this.#busy.size > 0;
  }

  setBusy(instance: object, busy: boolean): void {
    if (busy) this.#busy.add(instance);
    else this.#busy.delete(instance);
  }

  /** For how long a probe has been waiting for its answer. */
  get silentMs(): number {
    return this.#probe === undefined ? 0 : this.#clock.nowMs() - this.#probe.sentAtMs;
  }

  onEnd(callback: (end: WorkerEnd) => void): void {
    this.#onEnd.push(callback);
  }

  attach(listener: SessionListener): SessionNumber {
    const session = this.#nextSession++;
    if (this.#end === undefined) this.#sessions.set(session, listener);
    else listener.ended(this.#end);
    return session;
  }

  detach(session: SessionNumber): void {
    this.#sessions.delete(session);
  }

  post(message: ToWorker): void {
    if (this.#end === undefined) this.#channel.post(message);
  }

  /** Asks what it uses, unless it still owes an answer. */
  probe(): void {
    if (this.#probe !== undefined || this.#end !== undefined) return;
    this.#probe = { nonce: ++this.#nonce, sentAtMs: this.#clock.nowMs() };
    this.post({ type: 'probe', nonce: this.#nonce });
  }

  /** Ends the thread now; sessions are told at once, whatever it was doing is not listened to any more. */
  terminate(end: WorkerEnd): void {
    if (this.#end !== undefined) return;
    this.#channel.terminate();
    this.#over(end);
  }

  #take(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.#isReady = true;
        this.#resolveReady({ type: 'ready', agents: message.agents });
        return;
      case 'broken':
        this.#resolveReady(message);
        return;
      case 'probed':
        this.#probed(message);
        return;
      case 'log':
        if (this.#sessions.has(message.session))
          this.#sessions.get(message.session)?.message(message);
        else this.#options.log(message);
        return;
      default:
        this.#sessions.get(message.session)?.message(message);
    }
  }

  #probed(answer: Extract<FromWorker, { readonly type: 'probed' }>): void {
    if (answer.nonce !== this.#probe?.nonce) return;
    this.#probe = undefined;
    const atMs = this.#clock.nowMs();
    const before = this.#use;
    const elapsedMicros = before === undefined ? 0 : (atMs - before.atMs) * 1000;
    const usedMicros = answer.cpuMicros - (before?.cpuMicros ?? 0);
    this.#use = {
      memoryBytes: answer.heapUsedBytes + answer.externalBytes,
      cpuPercent: elapsedMicros > 0 ? Math.max(0, (100 * usedMicros) / elapsedMicros) : 0,
      atMs,
      cpuMicros: answer.cpuMicros,
    };
  }

  #over(end: WorkerEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#busyAtEnd = this.#busy.size;
    this.#resolveReady({ type: 'ended', end });
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of sessions) session.ended(end);
    for (const callback of this.#onEnd) callback(end);
  }
}
