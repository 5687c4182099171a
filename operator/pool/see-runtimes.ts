/** Lays the driver's list, the store's membership and our own orders over each other: what each runtime is doing. Pure. */
import type { ProjectKey } from '../../core/identifiers.ts';
import { countOf, NONE_IN_ANY_TIER } from '../../core/tier.ts';
import { LEASE_TTL_MS } from '../../platform/store/lease-times.ts';
import { BIND_PROBLEM_CHARACTERS_MAX } from '../../platform/store/runtime-record.ts';
import type { ProjectRecord, RuntimeRecord } from '../../platform/store/store.ts';
import { type DrivenRuntime, isUp, type RuntimeName, type RuntimeRequest } from './driver.ts';
import type { RuntimeState, SeenRuntime } from './observed.ts';

export interface Binding {
  readonly project: ProjectKey;
  readonly sinceMs: number;
  /** The runtime said so. */
  readonly isTaken?: true;
}

/** Orders of ours that a list may not show yet. */
export interface OwnOrders {
  /** Asked for and in no list yet. */
  readonly created: readonly (Pick<RuntimeRequest, 'name' | 'role' | 'resources'> & {
    readonly revision: string;
    readonly createdMs: number;
  })[];
  readonly isRemoved: (name: RuntimeName) => boolean;
  readonly isDrained: (name: RuntimeName) => boolean;
  /** It would not be ended a moment ago, or nobody knows whether it ends. */
  readonly isStuck: (name: RuntimeName) => boolean;
  readonly bindingOf: (name: RuntimeName) => Binding | undefined;
  /** This operator has made it: then it has given it all that it has. */
  readonly isMade: (name: RuntimeName) => boolean;
}

export interface Facts {
  readonly driven: readonly DrivenRuntime[];
  /** Runtimes of the pool with a live lease. */
  readonly members: readonly RuntimeRecord[];
  /** Records of the projects that dedicated runtimes are bound to. */
  readonly projects: ReadonlyMap<ProjectKey, ProjectRecord>;
  readonly orders: OwnOrders;
  /** Since when each was ready, as far as was seen before. */
  readonly readySinceMs: ReadonlyMap<RuntimeName, number>;
  /** Since when each was without a live lease, as far as was seen before. */
  readonly unheardSinceMs: ReadonlyMap<RuntimeName, number>;
  /** Until when nobody could have heard of a runtime: the store was away, or this operator did not look yet. */
  readonly blindUntilMs: number;
  readonly nowMs: number;
}

export function seeRuntimes(facts: Facts): readonly SeenRuntime[] {
  const members = Map.groupBy(facts.members, (member) => member.name);
  const listed = facts.driven
    .filter(({ name }) => !facts.orders.isRemoved(name))
    .map((driven) => seeOne(driven, members.get(driven.name) ?? [], facts));
  const names = new Set(facts.driven.map(({ name }) => name));
  const expected = facts.orders.created
    .filter(({ name }) => !names.has(name))
    .map((one): SeenRuntime => ({
      ...one,
      incarnations: [],
      state: { at: facts.orders.isDrained(one.name) ? 'ending' : 'expected' },
      ...stuckness(one.name, facts.orders),
      isServing: false,
      ...NOTHING_TOLD,
    }));
  return [...listed, ...expected];
}

function stuckness(name: RuntimeName, orders: OwnOrders): Pick<SeenRuntime, 'isStuck'> {
  return orders.isStuck(name) ? { isStuck: true } : {};
}

const NOTHING_TOLD = { instances: NONE_IN_ANY_TIER, blanks: 0 } as const;

function seeOne(
  driven: DrivenRuntime,
  members: readonly RuntimeRecord[],
  facts: Facts,
): SeenRuntime {
  const { name, role, revision, resources, createdMs } = driven;
  // After a restart in place the lease of the one before may live on for a while: it is the one that is not ready any more.
  const member = members.find(({ ready }) => ready) ?? members.at(-1);
  const binding = bindingOf(driven, facts.orders, member);
  const { instances, blanks } = member ?? NOTHING_TOLD;
  const owner = binding && facts.projects.get(binding.project)?.owner;
  return {
    name,
    incarnations: members.map(({ incarnation }) => incarnation),
    role,
    revision,
    resources,
    createdMs,
    state: stateOf(driven, member, binding, facts),
    ...newsOf(driven, member, facts),
    ...stuckness(name, facts.orders),
    ...(binding === undefined ? {} : { binding }),
    isServing:
      binding === undefined ? countOf(instances) > 0 : isIncarnationOf(name, owner?.incarnation),
    instances,
    blanks,
  };
}

/** Our own order is older than its mark, from which on the runtime would seem to start anew. */
function bindingOf(
  { name, binding }: DrivenRuntime,
  orders: OwnOrders,
  member: RuntimeRecord | undefined,
): SeenRuntime['binding'] {
  const own = orders.bindingOf(name);
  if (own === undefined || (binding !== undefined && binding.project !== own.project))
    return binding;
  const { isTaken, ...given } = own;
  const saysSo = isTaken === true || member?.bound === own.project;
  return saysSo && binding === undefined ? { ...given, isUnmarked: true } : given;
}

/**
 * What runtimes say that they are bound to, and neither the driver's list nor our own orders: an operator before this one did not come to mark it.
 * A name is used again, and the lease of who had it may live on: not of what this operator has made, nor of what does not run.
 */
export function unknownBindings({
  driven,
  members,
  orders,
  nowMs,
}: Pick<Facts, 'driven' | 'members' | 'orders' | 'nowMs'>): ReadonlyMap<RuntimeName, Binding> {
  const bound = new Map(
    members.flatMap(({ name, bound: to, draining }) =>
      to === undefined || draining ? [] : [[name, to] as const],
    ),
  );
  return new Map(
    driven.flatMap(({ name, binding, phase }) => {
      const project = phase.at === 'running' && !orders.isMade(name) ? bound.get(name) : undefined;
      const isKnown = binding !== undefined || orders.bindingOf(name) !== undefined;
      return project === undefined || isKnown
        ? []
        : [[name, { project, sinceMs: nowMs, isTaken: true }] as const];
    }),
  );
}

/** `<name>`, or `<name>.<random>` where runtimes restart in place; names have no dots. */
function isIncarnationOf(name: RuntimeName, incarnation: string | undefined): boolean {
  return incarnation !== undefined && incarnation.split('.', 1)[0] === name;
}

function stateOf(
  { name, phase }: DrivenRuntime,
  member: RuntimeRecord | undefined,
  binding: Binding | undefined,
  { orders, readySinceMs, blindUntilMs, nowMs }: Facts,
): RuntimeState {
  if (isAskedToEnd({ name, phase }, member, orders)) return { at: 'ending' };
  if (phase.at !== 'running' && phase.at !== 'unseen') return phase;
  const sinceMs = sinceBinding(readySinceMs.get(name), binding);
  if (isReadyFor(member, binding)) return { at: 'ready', sinceMs: sinceMs ?? nowMs };
  if (sinceMs !== undefined) return { at: 'unready' };
  return { at: 'starting', countsFromMs: blindUntilMs, ...problemOf(member, binding) };
}

function isAskedToEnd(
  { name, phase }: Pick<DrivenRuntime, 'name' | 'phase'>,
  member: RuntimeRecord | undefined,
  orders: OwnOrders,
): boolean {
  if (phase.at === 'pending') return orders.isDrained(name);
  return isUp(phase.at) && (orders.isDrained(name) || member?.draining === true);
}

/** Whoever may write for the pool may say anything. */
function problemOf(
  member: RuntimeRecord | undefined,
  binding: Binding | undefined,
): { readonly problem?: string } {
  const said: unknown = member?.bindProblem;
  if (typeof said !== 'string' || member?.bound !== binding?.project) return {};
  return { problem: said.slice(0, BIND_PROBLEM_CHARACTERS_MAX) };
}

function newsOf(
  driven: DrivenRuntime,
  member: RuntimeRecord | undefined,
  facts: Facts,
): Pick<SeenRuntime, 'unheardSinceMs' | 'mayServe' | 'isUnseen'> {
  const unheardSinceMs = unheardSince(driven, member, facts);
  return {
    ...(unheardSinceMs === undefined ? {} : { unheardSinceMs }),
    ...(unheardSinceMs !== undefined && mayServe(driven, facts) ? { mayServe: true } : {}),
    ...(driven.phase.at === 'unseen' ? { isUnseen: true } : {}),
  };
}

/** Where the store was away for longer than leases last, all runtimes are without one until they have renewed it. */
function mayServe({ createdMs }: DrivenRuntime, { blindUntilMs, nowMs }: Facts): boolean {
  return createdMs < blindUntilMs && nowMs < blindUntilMs + LEASE_TTL_MS;
}

/** Counted anew from each start in place, and from when the store last did not answer: without it nobody is heard of. */
function unheardSince(
  { name, phase, createdMs }: DrivenRuntime,
  member: RuntimeRecord | undefined,
  { orders, unheardSinceMs, blindUntilMs, nowMs }: Facts,
): number | undefined {
  const isGoing = orders.isDrained(name) && !orders.isStuck(name);
  if (member !== undefined || !isUp(phase.at) || isGoing) return undefined;
  return Math.max(unheardSinceMs.get(name) ?? nowMs, createdMs, blindUntilMs);
}

/** Readiness as a standby says nothing about the project that it was bound to since. */
function sinceBinding(sinceMs: number | undefined, binding: Binding | undefined) {
  if (sinceMs === undefined || binding === undefined) return sinceMs;
  return sinceMs >= binding.sinceMs ? sinceMs : undefined;
}

function isReadyFor(member: RuntimeRecord | undefined, binding: Binding | undefined): boolean {
  return member?.ready === true && member.bound === binding?.project;
}
