/** The state of one instance and its only mover (A5): follows work and pauses along the machine's edges, counts what it refuses. */
import { moveInstance, type InstanceState } from '../../core/instance-state.ts';
import type { Clock } from '../../platform/clock.ts';

export interface MachineEvents {
  moved(from: InstanceState, to: InstanceState): void;
  refused(from: InstanceState, to: InstanceState): void;
}

export class InstanceMachine {
  readonly #clock: Clock;
  readonly #events: MachineEvents;
  #state: InstanceState = 'CREATED';
  #restingSinceMs: number;

  constructor(clock: Clock, events: MachineEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#restingSinceMs = clock.nowMs();
  }

  get state(): InstanceState {
    return this.#state;
  }

  /** Ms since it moved last; of use where it does nothing. */
  get restingMs(): number {
    return this.#clock.nowMs() - this.#restingSinceMs;
  }

  /** It lives and no task makes it BUSY; or it failed and waits for the next one. */
  get isResting(): boolean {
    return this.#state === 'READY' || this.#state === 'PAUSED' || this.#state === 'ERROR';
  }

  /** Tasks can run in it. Where it is paused that is errands only: tasks are refused at the intake. */
  get isServing(): boolean {
    return this.#state === 'READY' || this.#state === 'BUSY' || this.#state === 'PAUSED';
  }

  /** False: the machine has no such edge, nothing changes. */
  move(to: InstanceState): boolean {
    const from = this.#state;
    const next = moveInstance(from, to);
    if (next === 'refused') {
      this.#events.refused(from, to);
      return false;
    }
    this.#state = next;
    this.#restingSinceMs = this.#clock.nowMs();
    this.#events.moved(from, next);
    return true;
  }

  /** BUSY means at least one task; a paused instance is PAUSED when none is left. Other states have other movers. */
  follow(work: { readonly busy: boolean; readonly paused: boolean }): void {
    if (!this.isServing) return;
    const wanted = work.busy ? 'BUSY' : work.paused ? 'PAUSED' : 'READY';
    if (this.#state === wanted) return;
    // BUSY and PAUSED have no edge between them.
    if (this.#state !== 'READY') this.move('READY');
    if (wanted !== 'READY') this.move(wanted);
  }

  /** TERMINATED, by way of ERROR where something is under way. In CREATED there is no incarnation to end. */
  end(): void {
    if (this.#state === 'INITIALIZING' || this.#state === 'BUSY') this.move('ERROR');
    if (this.#state !== 'TERMINATED' && this.#state !== 'CREATED') this.move('TERMINATED');
  }
}
