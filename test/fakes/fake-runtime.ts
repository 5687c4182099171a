/** What a real runtime does as far as the operator can see it: starts, heartbeats, owns its project, drains, ends. No process. */
import { NONE_IN_ANY_TIER } from '../../core/tier.ts';
import { BoundElsewhere } from '../../operator/pool/bind-failures.ts';
import type { DrivenRuntime, RuntimePhase, RuntimeRequest } from '../../operator/pool/driver.ts';
import type { Clock, Timer } from '../../platform/clock.ts';
import {
  type Claim,
  LEASE_RENEW_MS,
  LEASE_TTL_MS,
  type Store,
} from '../../platform/store/store.ts';

export interface FakeTimes {
  startMs: number;
  initializeMs: number;
  drainMs: number;
}

export type Fate = 'Serves' | 'AgentModuleInvalid' | 'Crashed' | 'Evicted' | 'Hangs';

export interface FakeRuntimeParts {
  readonly request: RuntimeRequest;
  /** Left out: its name. */
  readonly incarnation?: string;
  readonly fate: Fate;
  /** What becomes of it when it is bound. Left out: it serves. */
  readonly fateOfBound?: (project: string) => Fate;
  readonly times: FakeTimes;
  readonly clock: Clock;
  readonly store: Store;
  /** Whether the project's tier is HOT: runtimes follow tiers themselves. */
  readonly isHot: (project: string) => boolean;
  readonly onChange: () => void;
}

const FOLLOW_MS = 500;

export class FakeRuntime {
  readonly request: RuntimeRequest;
  readonly createdMs: number;
  phase: RuntimePhase = { at: 'running' };
  binding: { readonly project: string; readonly sinceMs: number } | undefined;
  readonly #parts: FakeRuntimeParts;
  readonly #timers = new Set<Timer>();
  readonly #incarnation: string;
  #isReady = false;
  #isDraining = false;
  #isCutOff = false;
  #claim: Claim | undefined;

  constructor(parts: FakeRuntimeParts) {
    this.#parts = parts;
    this.request = parts.request;
    this.#incarnation = parts.incarnation ?? parts.request.name;
    this.createdMs = parts.clock.nowMs();
    this.#after(parts.times.startMs, () => this.#started());
  }

  view(): DrivenRuntime {
    const { name, pool, role, template, resources } = this.request;
    return {
      name,
      pool,
      role,
      revision: template.revision,
      resources,
      createdMs: this.createdMs,
      phase: this.phase,
      ...(this.binding === undefined ? {} : { binding: this.binding }),
    };
  }

  get isAlive(): boolean {
    return this.phase.at !== 'exited';
  }

  /** It counts against the pool's limits: it runs, and nobody asked it to end. */
  get counts(): boolean {
    return this.phase.at === 'running' || this.phase.at === 'silent';
  }

  /** It has not been ready for anything yet. */
  get isStarting(): boolean {
    return this.phase.at === 'running' && !this.#isReady && this.binding === undefined;
  }

  bind(project: string): void {
    if (this.binding !== undefined && this.binding.project !== project)
      throw new BoundElsewhere(this.binding.project);
    this.binding = { project, sinceMs: this.#parts.clock.nowMs() };
    this.#isReady = false;
    this.#heartbeat();
    const fate = this.#parts.fateOfBound?.(project) ?? 'Serves';
    this.#after(this.#parts.times.initializeMs, () => {
      if (!this.#survives(fate)) return;
      this.#isReady = true;
      this.#heartbeat();
      this.#follow();
    });
  }

  #survives(fate: Fate): boolean {
    if (fate !== 'Serves' && fate !== 'Hangs') this.exit(fate, `agents.ts:3:1: ${fate}`);
    return fate === 'Serves';
  }

  drain(withinMs: number): void {
    if (!this.counts) return;
    this.phase = { at: 'ending' };
    this.#isDraining = true;
    this.#heartbeat();
    this.#after(Math.min(withinMs, this.#parts.times.drainMs), () => void this.#leave());
  }

  /** Stops answering; its timers stand still, too. */
  freeze(): void {
    if (this.phase.at !== 'running') return;
    this.#stopTimers();
    this.phase = { at: 'silent' };
    this.#parts.onChange();
  }

  /** The store does not hear of it any more, and it does not know. */
  cutOff(): void {
    this.#isCutOff = true;
  }

  mend(): void {
    this.#isCutOff = false;
  }

  exit(reason: 'Ordered' | 'Crashed' | 'Evicted' | 'AgentModuleInvalid', message: string): void {
    if (this.phase.at === 'exited') return;
    this.#stopTimers();
    this.phase = { at: 'exited', reason, message };
    this.#parts.onChange();
  }

  #started(): void {
    if (!this.#survives(this.#parts.fate)) return;
    this.#isReady = true;
    this.#beat();
  }

  #beat(): void {
    this.#heartbeat();
    this.#after(LEASE_RENEW_MS, () => this.#beat());
  }

  #heartbeat(): void {
    if (this.#isCutOff) return;
    const { name, pool, role, template } = this.request;
    // Refused once it was taken out of the store: it is about to be ended.
    this.#parts.store
      .heartbeat(
        {
          incarnation: this.#incarnation,
          name,
          pool,
          address: `unix:/fake/${name}`,
          role,
          revision: template.revision,
          protocolMin: 1,
          protocolMax: 1,
          maxConcurrentTasks: 10,
          agents: [],
          ready: this.#isReady,
          draining: this.#isDraining,
          instances: { ...NONE_IN_ANY_TIER, WARM: this.#claim === undefined ? 0 : 1 },
          blanks: 0,
          ...(this.binding === undefined ? {} : { bound: this.binding.project }),
        },
        LEASE_TTL_MS,
      )
      .catch(() => undefined);
  }

  /** Claims its project while it is HOT, gives it up when it is not. */
  #follow(): void {
    const { store, isHot } = this.#parts;
    const key = this.binding?.project ?? '';
    const incarnation = this.#incarnation;
    const step = async (): Promise<void> => {
      if (isHot(key) && this.#claim === undefined) {
        const answer = await store.claim({ key, incarnation, claimId: `${incarnation}/${key}` });
        if (answer.type === 'claimed') this.#claim = answer.activation.claim;
      } else if (!isHot(key)) await this.#release();
    };
    // While the store is away: the next time.
    void step().catch(() => undefined);
    this.#after(FOLLOW_MS, () => this.#follow());
  }

  async #release(): Promise<void> {
    if (this.#claim !== undefined) await this.#parts.store.release(this.#claim);
    this.#claim = undefined;
  }

  async #leave(): Promise<void> {
    // Without the store it goes all the same, and what it owns is free when its lease has ended.
    await this.#release().catch(() => undefined);
    await this.#parts.store.deregister(this.#incarnation).catch(() => undefined);
    this.exit('Ordered', 'exited with code 0');
  }

  #after(delayMs: number, fn: () => void): void {
    const timer = this.#parts.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      fn();
    });
    this.#timers.add(timer);
  }

  #stopTimers(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}
