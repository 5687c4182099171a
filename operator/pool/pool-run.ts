/** Everything that the operator holds of one pool between passes. One pass of a pool runs at a time, so nothing here is shared. */
import type { AgentPoolSpec, AgentPoolStatus } from '../../api/agent-pool.ts';
import type { PoolEvent } from '../../api/pool-report.ts';
import type { PoolKey, PoolRef } from '../../core/identifiers.ts';
import type { PoolRecord } from '../../platform/store/store.ts';
import { Expectations } from '../engine/expectations.ts';
import { Binds } from './binds.ts';
import type { Broken } from './broken.ts';
import type { DrivenRuntime, RuntimeName, RuntimeTemplate } from './driver.ts';
import type { Memory } from './memory.ts';
import { memoryFrom } from './memory-from.ts';
import type { Observed } from './observed.ts';
import type { CreateAction } from './plan.ts';
import type { Binding, OwnOrders } from './see-runtimes.ts';
import type { Told } from './told.ts';
import type { WantedPool } from './wanted-pool.ts';

/** A create or delete that no list shows after this time is taken for lost. */
const EXPECTATION_TIMEOUT_MS = 30_000;

/** How far the look for projects that nobody uses any more has come. */
export interface IdleSweep {
  /** Project to go on behind; undefined: a new round begins. */
  readonly after: string | undefined;
  /** Monotonic ms. */
  readonly dueMs: number;
}

/** For so long a runtime that would not be ended is not asked again, and counts as one that stays. */
const STUCK_MS = 10_000;

/** For so long a name that somebody else has is not tried again: there are enough of them. */
const AVOIDED_MS = 5 * 60_000;

export interface Unread {
  readonly revision: string;
  /** Why it could not be read. */
  readonly error?: Error;
}

export interface PoolRun {
  readonly key: PoolKey;
  readonly ref: PoolRef;
  readonly uid: string | undefined;
  memory: Memory;
  /** The spec of the last pass. */
  spec: AgentPoolSpec | undefined;
  generation: number;
  observed: Observed | undefined;
  status: AgentPoolStatus | undefined;
  /** What was wrong with module and manifest in the last pass. */
  broken: Broken;
  events: readonly PoolEvent[];
  /** What the store has, as far as we wrote or read it. */
  published: PoolRecord | undefined;
  /** When that was last known to be so (monotonic ms); -Infinity: there is reason to doubt it. */
  comparedMs: number;
  countsWrittenMs: number;
  /** Of status and events: it did not answer, or did not take what was to be written. */
  isStoreAway: boolean;
  /** It did not answer in the last pass. */
  isBlind: boolean;
  told: Told | undefined;
  /** Since when this operator has known that the pool is being deleted (monotonic ms). */
  goingSinceMs: number | undefined;
  /** When the store last did not answer, or did not take what was to be written; at first since when this operator looks at the pool (monotonic ms). */
  blindUntilMs: number;
  /** While the store does not answer: the failures that were counted before. */
  countedBefore: Pick<Memory, 'failures'> | undefined;
  /** Since when passes have only bound standbys. */
  hurry: { readonly sinceMs: number; readonly untilMs: number } | undefined;
  /** Undefined: this operator has not looked for idle projects yet. */
  idleSweep: IdleSweep | undefined;
  /** When erasures that were interrupted are looked for again (monotonic ms). */
  erasuresDueMs: number;
  readonly templates: Map<string, RuntimeTemplate>;
  /** A revision that may be needed still, and that an operator before this one may have kept: it has not been asked for yet, or in vain. */
  unread: Unread | undefined;
  readonly orders: Orders;
  readonly binds: Binds;
}

/** @param wanted its status as an earlier operator left it: a roll-out goes on from where it was, conditions keep their times. */
export function newPoolRun(
  key: PoolKey,
  ref: PoolRef,
  nowMs: number,
  { uid, status }: Pick<WantedPool, 'uid' | 'status'> = {},
): PoolRun {
  const memory = memoryFrom(status, nowMs);
  return {
    key,
    ref,
    uid,
    memory,
    spec: undefined,
    generation: 0,
    observed: undefined,
    status,
    broken: {},
    events: [],
    published: undefined,
    comparedMs: -Infinity,
    countsWrittenMs: -Infinity,
    isStoreAway: false,
    isBlind: false,
    told: undefined,
    goingSinceMs: undefined,
    blindUntilMs: nowMs,
    countedBefore: undefined,
    hurry: undefined,
    idleSweep: undefined,
    erasuresDueMs: 0,
    templates: new Map(),
    unread: memory.served === undefined ? undefined : { revision: memory.served },
    orders: new Orders(),
    binds: new Binds(),
  };
}

type Created = OwnOrders['created'][number];
type Listed = Pick<DrivenRuntime, 'name' | 'phase' | 'createdMs'>;

/** Own orders that lists may not show yet. Bounded by the runtimes that exist or are expected. */
export class Orders implements OwnOrders {
  readonly #expectations = new Expectations(EXPECTATION_TIMEOUT_MS);
  readonly #created = new Map<RuntimeName, Created>();
  /** Until when an order to end is believed, whatever a list shows (monotonic ms). */
  readonly #drained = new Map<RuntimeName, number>();
  readonly #bindings = new Map<RuntimeName, Binding>();
  /** Made by this operator, and there still. */
  readonly #made = new Set<RuntimeName>();
  /** Those that would not be ended, or of which nobody knows whether they end, why, and when to try again (monotonic ms). */
  readonly #stuck = new Map<RuntimeName, { readonly cause: Error; readonly untilMs: number }>();
  /** Until when a name that somebody else has is not tried again (monotonic ms). Bounded by the creates of that time. */
  readonly #avoided = new Map<RuntimeName, number>();

  get created(): readonly Created[] {
    return this.#expectations.missing.flatMap((name) => this.#created.get(name) ?? []);
  }

  isRemoved = (name: RuntimeName): boolean => this.#expectations.isDeleted(name);
  isDrained = (name: RuntimeName): boolean => this.#drained.has(name);
  bindingOf = (name: RuntimeName): Binding | undefined => this.#bindings.get(name);
  isMade = (name: RuntimeName): boolean => this.#made.has(name);

  create(name: RuntimeName, action: CreateAction, nowMs: number): void {
    const { role, resources, revision } = action;
    this.#created.set(name, { name, role, resources, revision, createdMs: nowMs });
    this.#expectations.expectCreated(name, nowMs);
    this.#made.add(name);
  }

  refuseCreate(name: RuntimeName): void {
    this.#expectations.dropCreated(name);
    this.#created.delete(name);
  }

  avoid(name: RuntimeName, nowMs: number): void {
    this.#avoided.set(name, nowMs + AVOIDED_MS);
  }

  remove(name: RuntimeName, nowMs: number): void {
    this.#expectations.expectDeleted(name, nowMs);
  }

  drain(name: RuntimeName, nowMs: number): void {
    this.#drained.set(name, nowMs + EXPECTATION_TIMEOUT_MS);
  }

  refuseDrain(name: RuntimeName): void {
    this.#drained.delete(name);
  }

  bind(name: RuntimeName, binding: Binding): void {
    this.#bindings.set(name, binding);
  }

  refuseBind(name: RuntimeName): void {
    this.#bindings.delete(name);
  }

  /** What a list showed: forgets what it answers, and what concerns runtimes that are gone. */
  observe(driven: readonly Listed[], nowMs: number): void {
    const names = new Set(driven.map(({ name }) => name));
    for (const one of driven) if (this.#isLeaving(one)) this.#expectations.dropCreated(one.name);
    for (const one of driven) if (this.#isNews(one)) this.#stuck.delete(one.name);
    this.#expectations.observe(names, nowMs);
    const missing = new Set(this.#expectations.missing);
    const isKnown = (name: RuntimeName): boolean => names.has(name) || missing.has(name);
    for (const orders of [this.#created, this.#bindings, this.#made])
      for (const name of orders.keys()) if (!isKnown(name)) orders.delete(name);
    this.#expire(isKnown, nowMs);
  }

  /** Whoever ends it: out of the next list it is not still to come. One of its name that was there before says nothing about it. */
  #isLeaving({ name, phase, createdMs }: Listed): boolean {
    const isOver = phase.at === 'ending' || phase.at === 'exited';
    return isOver && createdMs >= (this.#created.get(name)?.createdMs ?? Infinity);
  }

  /** It does end; or it does not answer any more, and it is to be ended in another way than it may have been told. */
  #isNews({ name, phase }: Listed): boolean {
    return phase.at === 'ending' || (phase.at === 'silent' && this.#drained.has(name));
  }

  #expire(isKnown: (name: RuntimeName) => boolean, nowMs: number): void {
    for (const [name, untilMs] of this.#drained)
      if (!isKnown(name) || nowMs >= untilMs) this.#drained.delete(name);
    for (const [name, { untilMs }] of this.#stuck)
      if (!isKnown(name) || nowMs >= untilMs) this.#stuck.delete(name);
    for (const [name, untilMs] of this.#avoided) if (nowMs >= untilMs) this.#avoided.delete(name);
  }

  /** Of runtimes that were listed last, or that a list may still have to show or to forget; and those that somebody else has. */
  get names(): ReadonlySet<RuntimeName> {
    return new Set([...this.#expectations.names, ...this.#avoided.keys()]);
  }

  /** It would not be ended: others are not held up for it. */
  hold(name: RuntimeName, cause: Error, nowMs: number): void {
    this.#stuck.set(name, { cause, untilMs: nowMs + STUCK_MS });
  }

  /** It may end all the same: it is not counted on, and nothing takes its place, until a list tells or the order is believed no more. */
  doubt(name: RuntimeName, cause: Error, nowMs: number): void {
    this.drain(name, nowMs);
    this.#stuck.set(name, { cause, untilMs: nowMs + EXPECTATION_TIMEOUT_MS });
  }

  isStuck = (name: RuntimeName): boolean => this.#stuck.has(name);

  get stuck(): readonly Error[] {
    return [...this.#stuck.values()].map(({ cause }) => cause);
  }

  get nextTimeoutMs(): number | undefined {
    return this.#expectations.nextTimeoutMs;
  }
}
