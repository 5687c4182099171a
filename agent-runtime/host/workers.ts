/**
 * Where instances get their worker from: with isolation WorkerThread a prewarmed blank or a fresh one each, with Shared one worker
 * for all. Starts, prewarms and ends workers; which session runs in them is not its business.
 */
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Tier } from '../../core/tier.ts';
import type { StartWorker, WorkerLimits } from '../worker/protocol.ts';
import { Gate } from './gate.ts';
import type { WorkerSource } from './metrics.ts';
import type { Session } from './session.ts';
import { within } from './within.ts';
import { isSameLimits } from './worker-limits.ts';
import { WorkerHandle } from './worker-handle.ts';

/** Workers that start at once on behalf of a waiting task; more only make all of them slower. */
const FRESH_STARTS_MAX = 4;
/** A heap class is in use when an instance wanted it within this time. */
const CLASS_IN_USE_MS = 600_000;
/** Between two blanks, so that prewarming leaves the cores to tasks. */
const REFILL_PAUSE_MS = 10;
/** While tasks wait for activations, blanks wait; but not for ever, or a steady stream of them would never see one. */
const BUSY_PAUSES_MAX = 5;
const RETRY_MS = 1_000;

export interface WorkerRules {
  isolation(): 'WorkerThread' | 'Shared';
  /** Blanks to keep for each heap class in use. */
  blanksPerClass(): number;
  /** A heap class that is in use though no instance wanted it for long: what a standby is there for. */
  keptClassMb(): number | undefined;
  coldStartsMax(): number;
  /** Tasks wait for activations. */
  busy(): boolean;
  /** Heap of the one worker of isolation Shared. */
  readonly sharedHeapMb: number;
  disposeMs(): number;
  /** Longest import of the agent module. */
  loadMs(): number;
}

export interface WorkersPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly startWorker: StartWorker;
  readonly modulePath: string;
  /** As they are now. */
  limits(): WorkerLimits;
}

export interface TakenWorker {
  readonly worker: WorkerHandle;
  readonly source: WorkerSource;
}

export class Workers {
  readonly #ports: WorkersPorts;
  readonly #rules: WorkerRules;
  readonly #alive = new Set<WorkerHandle>();
  readonly #blanks = new Map<number, WorkerHandle[]>();
  readonly #usedAtMs = new Map<number, number>();
  readonly #freshGate = new Gate(() => FRESH_STARTS_MAX);
  readonly #coldGate: Gate;
  #shared: WorkerHandle | undefined;
  /** As all living workers know them. */
  #limits: WorkerLimits | undefined;
  #refilling = false;
  #stopped = false;

  constructor(ports: WorkersPorts, rules: WorkerRules) {
    this.#ports = ports;
    this.#rules = rules;
    this.#coldGate = new Gate(() => rules.coldStartsMax());
  }

  /** All that have not ended, blanks included. */
  get alive(): ReadonlySet<WorkerHandle> {
    return this.#alive;
  }

  /** Prewarmed workers that are ready. */
  get blanks(): number {
    return [...this.#blanks.values()].flat().filter(({ isReady }) => isReady).length;
  }

  /** The first worker, whose import of the module says whether this runtime can serve at all. */
  first(heapMb: number): WorkerHandle {
    if (this.#rules.isolation() === 'Shared') return this.#sharedWorker();
    const worker = this.#start(heapMb);
    this.#usedAtMs.set(heapMb, this.#ports.clock.nowMs());
    this.#blanksOf(heapMb).push(worker);
    void worker.ready.then(() => {
      this.refill();
    });
    return worker;
  }

  /** A worker for one instance; it may still be starting, or may have ended: wait for its `ready`. */
  async take(tier: Tier, heapMb: number): Promise<TakenWorker> {
    if (this.#rules.isolation() === 'Shared')
      return { worker: this.#sharedWorker(), source: 'shared' };
    if (tier === 'COLD')
      return { worker: await this.#fresh(this.#coldGate, heapMb), source: 'fresh' };
    this.#usedAtMs.set(heapMb, this.#ports.clock.nowMs());
    const blank = takeBest(this.#blanksOf(heapMb));
    this.refill();
    if (blank !== undefined) return { worker: blank, source: 'blank' };
    return { worker: await this.#fresh(this.#freshGate, heapMb), source: 'fresh' };
  }

  /** Ends a session with `dispose`, and its worker where it was its own. Resolves when nothing of it runs any more. */
  async retire(session: Session): Promise<void> {
    await within(this.#ports.clock, this.#rules.disposeMs(), session.close());
    session.detach();
    if (session.worker !== this.#shared)
      session.worker.terminate({ type: 'ordered', message: 'its instance was retired' });
  }

  /** Ends a session at once. */
  drop(session: Session): void {
    if (session.worker === this.#shared) void this.retire(session);
    else {
      session.detach();
      session.worker.terminate({ type: 'ordered', message: 'its instance was ended' });
    }
  }

  /** Brings blanks up to their number in the background, one at a time. */
  refill(): void {
    if (this.#refilling || this.#stopped || this.#rules.isolation() === 'Shared') return;
    this.#refilling = true;
    void this.#refillAll().finally(() => {
      this.#refilling = false;
    });
  }

  /** Tells the workers when the pool's limits have changed: the next tasks have the new ones. */
  relimit(): void {
    const limits = this.#ports.limits();
    if (this.#limits === undefined || isSameLimits(this.#limits, limits)) return;
    this.#limits = limits;
    for (const worker of this.#alive) worker.post({ type: 'limits', limits });
  }

  /** Ends blanks of classes that nobody uses any more. */
  trim(): void {
    const keptMb = this.#rules.keptClassMb();
    if (keptMb !== undefined) this.#usedAtMs.set(keptMb, this.#ports.clock.nowMs());
    for (const [heapMb, blanks] of this.#blanks) {
      const surplus = blanks.splice(this.#wanted(heapMb));
      for (const blank of surplus) blank.terminate({ type: 'ordered', message: 'not needed' });
    }
    this.refill();
  }

  stop(): void {
    this.#stopped = true;
    for (const worker of [...this.#alive])
      worker.terminate({ type: 'ordered', message: 'the runtime stops' });
  }

  async #refillAll(): Promise<void> {
    const { clock } = this.#ports;
    for (;;) {
      for (let n = 0; n < BUSY_PAUSES_MAX && this.#rules.busy(); n += 1) {
        await clock.sleep(REFILL_PAUSE_MS);
      }
      const heapMb = this.#lacking();
      if (heapMb === undefined || this.#stopped) return;
      const worker = this.#start(heapMb);
      this.#blanksOf(heapMb).push(worker);
      const { type } = await worker.ready;
      await clock.sleep(type === 'ready' ? REFILL_PAUSE_MS : RETRY_MS);
    }
  }

  #lacking(): number | undefined {
    for (const heapMb of this.#usedAtMs.keys()) {
      if (this.#blanksOf(heapMb).length < this.#wanted(heapMb)) return heapMb;
    }
    return undefined;
  }

  #wanted(heapMb: number): number {
    const usedAtMs = this.#usedAtMs.get(heapMb) ?? -Infinity;
    return this.#ports.clock.nowMs() - usedAtMs < CLASS_IN_USE_MS
      ? this.#rules.blanksPerClass()
      : 0;
  }

  #blanksOf(heapMb: number): WorkerHandle[] {
    const known = this.#blanks.get(heapMb);
    if (known !== undefined) return known;
    const list: WorkerHandle[] = [];
    this.#blanks.set(heapMb, list);
    return list;
  }

  async #fresh(gate: Gate, heapMb: number): Promise<WorkerHandle> {
    const leave = await gate.enter();
    const worker = this.#start(heapMb);
    void worker.ready.then(leave);
    return worker;
  }

  #sharedWorker(): WorkerHandle {
    if (this.#shared?.ended !== false) this.#shared = this.#start(this.#rules.sharedHeapMb);
    return this.#shared;
  }

  #start(heapMb: number): WorkerHandle {
    const { clock, startWorker, modulePath, log } = this.#ports;
    const limits = this.#ports.limits();
    this.#limits ??= limits;
    const worker = new WorkerHandle(clock, startWorker, {
      modulePath,
      limits,
      heapMb,
      log: ({ level, message, fields }) => {
        log[level](message, { detail: fields });
      },
    });
    this.#alive.add(worker);
    const tooLong = clock.after(this.#rules.loadMs(), () => {
      if (!worker.isReady)
        worker.terminate({ type: 'ordered', message: 'the agent module was not loaded in time' });
    });
    void worker.ready.then(({ type }) => {
      tooLong.cancel();
      if (type === 'broken') worker.terminate({ type: 'ordered', message: 'its module is broken' });
    });
    worker.onEnd((end) => {
      this.#alive.delete(worker);
      const blanks = this.#blanksOf(heapMb);
      const at = blanks.indexOf(worker);
      if (at >= 0) blanks.splice(at, 1);
      if (end.type !== 'ordered')
        log.warn('worker ended', { detail: { why: end.type, message: end.message } });
    });
    return worker;
  }
}

/** One that is ready, else the one that has been starting for longest. */
function takeBest(blanks: WorkerHandle[]): WorkerHandle | undefined {
  const ready = blanks.findIndex(({ isReady }) => isReady);
  return blanks.splice(Math.max(0, ready), 1)[0];
}
