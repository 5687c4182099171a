/**
 * One project on this runtime: activates its instance once for all who wait, hands tasks to it, and lets it go at quiescence. Which
 * projects there are, and when one has to go, is decided elsewhere (projects.ts).
 */
import type { AppError } from '../../core/errors.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import type { Owner, ProjectRecord } from '../../platform/store/store.ts';
import { attemptActivation, elsewhereError } from './activation-attempt.ts';
import type { Caller } from './caller.ts';
import { dropInstance, releaseInstance, retireInstance } from './instance-end.ts';
import { Instance } from './instance.ts';
import { acceptTask } from './intake.ts';
import type { EvictionReason } from './metrics.ts';
import { Parking } from './parking.ts';
import type { ProjectPorts, ProjectState, Target } from './project-ports.ts';
import { runtimeLost, storeLost } from './run-outcome.ts';
import { Signal } from './signal.ts';

export class Project {
  readonly key: ProjectKey;
  readonly #ports: ProjectPorts;
  readonly #parking: Parking;
  #state: ProjectState;
  /** While somebody holds it, new tasks are parked although the instance lives. */
  #holds = 0;
  /** Calls that want the instance itself, not a task. */
  #callsWaiting = 0;
  /** Why it could not be activated. */
  #lastError: AppError | undefined;
  readonly #signal: Signal;

  constructor(ports: ProjectPorts, key: ProjectKey) {
    this.#ports = ports;
    this.#signal = new Signal(ports.clock);
    this.key = key;
    this.#parking = new Parking(() => ports.view.spec.queue.parkedPerProjectMax);
    this.#state = { type: 'activating', instance: this.#newInstance() };
    void this.#activate(this.#state.instance);
  }

  get state(): ProjectState['type'] {
    return this.#state.type;
  }

  get instance(): Instance | undefined {
    return this.#state.type === 'gone' ? undefined : this.#state.instance;
  }

  get queued(): number {
    return this.#parking.size + (this.instance?.tasks.queued ?? 0);
  }

  /** Its instance has nothing to do; tasks may be parked because somebody holds it. */
  get quiescent(): boolean {
    const settled = this.#state.type === 'live' || this.#state.type === 'failed';
    return settled && this.#callsWaiting === 0 && this.instance?.quiescent === true;
  }

  /** Nothing runs, waits or is parked: it may be let go. */
  get idle(): boolean {
    return this.quiescent && this.#parking.size === 0;
  }

  offer(caller: Caller): void {
    const state = this.#state;
    if (state.type === 'gone') {
      this.#ports.offer(caller);
      return;
    }
    if (state.type === 'live' && this.#holds === 0) {
      acceptTask(this.#ports, state.instance, caller);
      return;
    }
    caller.hit = state.type === 'live';
    this.#parking.add(caller);
    if (state.type === 'failed') this.#startAgain(state.instance);
  }

  /** The live instance, activated where it is not; rejects when it cannot be. Undefined: the project left meanwhile. */
  async whenLive(): Promise<Instance | undefined> {
    this.#callsWaiting += 1;
    try {
      if (this.#state.type === 'failed') this.#startAgain(this.#state.instance);
      while (this.#state.type === 'activating' || this.#state.type === 'leaving')
        await this.#signal.wait();
      if (this.#state.type === 'live') return this.#state.instance;
      if (this.#lastError !== undefined) throw this.#lastError;
      return undefined;
    } finally {
      this.#callsWaiting -= 1;
    }
  }

  /** New tasks wait until the returned function is called. */
  hold(): () => void {
    this.#holds += 1;
    this.#parking.waitFor('queue');
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holds -= 1;
      this.#flush();
    };
  }

  /** True as soon as the instance has nothing to do, false when that took too long or there is none any more. */
  async whenQuiescent(withinMs: number): Promise<boolean> {
    const untilMs = this.#ports.clock.nowMs() + withinMs;
    while (this.#state.type === 'live' || this.#state.type === 'activating') {
      if (this.#state.type === 'live' && this.#state.instance.quiescent) return true;
      const leftMs = untilMs - this.#ports.clock.nowMs();
      if (leftMs <= 0) return false;
      await this.#signal.wait(leftMs);
    }
    return this.#state.type === 'failed' && this.#state.instance.quiescent;
  }

  /**
   * Lets go of an instance that has nothing to do: commits what is left, releases the claim, tells the gateways where it is served
   * next. False: it has something to do.
   */
  async leave(
    reason: EvictionReason,
    options: { readonly tell: boolean; readonly to?: Target | undefined },
  ): Promise<boolean> {
    const state = this.#state;
    if ((state.type !== 'live' && state.type !== 'failed') || !state.instance.quiescent)
      return false;
    const { instance } = state;
    this.#leaving(instance);
    await retireInstance(this.#ports, instance, reason);
    if (options.tell) this.#ports.moved(this.key, instance.epoch, options.to);
    this.#depart(options.to === undefined ? undefined : { ...options.to, epoch: instance.epoch });
    return true;
  }

  /** Ends the instance whatever it does. What runs fails with the error, what waits starts anew. */
  async kill(error: AppError, options: { readonly release: boolean }): Promise<void> {
    while (this.#state.type === 'leaving') await this.#signal.wait();
    const { instance } = this;
    if (instance === undefined) return;
    this.#leaving(instance);
    this.#abandon(instance, error);
    if (options.release) await releaseInstance(this.#ports, instance);
    this.#depart(undefined);
  }

  /** This runtime's lease is lost. */
  fence(): void {
    this.#parking.failAll(storeLost());
    if (this.#state.type === 'live' || this.#state.type === 'failed') this.#state.instance.fence();
  }

  /** The store answers again. */
  resume(): void {
    this.instance?.tasks.pump();
    this.#signal.notify();
  }

  matches(record: ProjectRecord | undefined): boolean {
    return this.instance?.matches(record) !== false;
  }

  /** The claim is another's: what ran is lost, what waits asks the store who has it. */
  lost(): void {
    const { instance } = this;
    if (instance === undefined || this.#state.type === 'leaving') return;
    const { epoch } = instance;
    this.#ports.log.info('project lost to another claim', { instance_id: this.key, epoch });
    this.#abandon(instance, runtimeLost('the project moved to another runtime'));
    this.#depart(undefined);
  }

  #newInstance(): Instance {
    const instance: Instance = new Instance(
      this.#ports,
      {
        changed: () => {
          this.#signal.notify();
          this.#ports.changed(this);
        },
        workerLost: () => this.#workerLost(instance),
        claimLost: () => this.lost(),
        offerAgain: (callers) => {
          for (const caller of callers) this.offer(caller);
        },
      },
      this.key,
    );
    return instance;
  }

  #startAgain(instance: Instance): void {
    this.#state = { type: 'activating', instance };
    this.#parking.waitFor('activation');
    void this.#activate(instance);
  }

  async #activate(instance: Instance): Promise<void> {
    // Whoever made this object still has to hand it its first caller.
    await Promise.resolve();
    const outcome = await attemptActivation(this.#ports, {
      instance,
      parking: this.#parking,
      calledFor: () => this.#callsWaiting > 0,
      current: () => this.#isStill('activating', instance),
      enterRoom: (wanted) => this.#ports.enterRoom(this, wanted),
    });
    if (!this.#isStill('activating', instance)) return;
    switch (outcome.type) {
      case 'live':
        this.#state = { type: 'live', instance };
        this.#flush();
        break;
      case 'elsewhere':
        dropInstance(this.#ports, instance, runtimeLost('the project is served elsewhere'));
        this.#lastError = elsewhereError(outcome.owner);
        this.#depart(outcome.owner);
        return;
      case 'failed':
        this.#failed(instance, outcome);
    }
    this.#signal.notify();
    this.#ports.changed(this);
  }

  #failed(
    instance: Instance,
    { error, blamed }: { readonly error: AppError; readonly blamed: boolean },
  ): void {
    this.#lastError = error;
    instance.message = error.message;
    if (blamed) {
      this.#ports.failures.add(this.key);
      instance.machine.move('ERROR');
    }
    if (blamed || (instance.state === 'ERROR' && error.reason === 'CIRCUIT_OPEN')) {
      this.#state = { type: 'failed', instance };
      instance.tasks.dropQueued(error);
      this.#parking.failAll(error);
      return;
    }
    instance.tasks.dropQueued(error);
    dropInstance(this.#ports, instance, error);
    void releaseInstance(this.#ports, instance);
    this.#parking.failAll(error);
    this.#depart(undefined);
  }

  #workerLost(instance: Instance): void {
    if (!this.#isStill('live', instance)) return;
    if (instance.state === 'ERROR') {
      this.#ports.failures.add(this.key);
      this.#state = { type: 'failed', instance };
      if (instance.tasks.queued > 0) this.#startAgain(instance);
      this.#signal.notify();
      return;
    }
    void this.kill(runtimeLost('the worker of the instance ended'), { release: true });
  }

  /** From here on tasks wait, in a queue, for what comes after. */
  #leaving(instance: Instance): void {
    this.#state = { type: 'leaving', instance };
    this.#parking.waitFor('queue');
  }

  /** What runs fails, what has not started waits on. */
  #abandon(instance: Instance, error: AppError): void {
    const waiting = instance.tasks.handOverQueued(error);
    dropInstance(this.#ports, instance, error);
    for (const caller of waiting) this.#parking.add(caller);
  }

  /** Nothing of it is left here; who is parked goes to the owner, or asks anew. */
  #depart(owner: Owner | undefined): void {
    const epoch = this.instance?.epoch ?? 0;
    this.#state = { type: 'gone' };
    this.#ports.gone(this);
    for (const caller of this.#parking.takeAll()) {
      caller.leftEpoch = epoch;
      if (owner === undefined) this.#ports.offer(caller);
      else caller.elsewhere(owner, owner.epoch);
    }
    this.#signal.notify();
  }

  #flush(): void {
    if (this.#state.type !== 'live' || this.#holds > 0) return;
    const { instance } = this.#state;
    for (const caller of this.#parking.takeAll()) acceptTask(this.#ports, instance, caller);
  }

  #isStill(type: ProjectState['type'], instance: Instance): boolean {
    return this.#state.type === type && this.instance === instance;
  }
}
