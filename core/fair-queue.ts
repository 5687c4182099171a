/**
 * What waits in a gateway: fair between tenants first (deficit round robin), then by priority inside a tenant, where an
 * item rises one level per AGEING_MS. A group (project) that may not go now is set aside under what blocks it, so it
 * never holds up another one. Every operation is O(log n). Knows no clock and starts nothing.
 */
import { FairLane, type LaneGroup } from './fair-lane.ts';
import { IndexedHeap, type HeapEntry } from './indexed-heap.ts';

/** One priority level is worth this much waiting. */
export const AGEING_MS = 5_000;

export interface QueueLimits {
  readonly depthMax: number;
  /** Of one tenant; Infinity: only `depthMax`. */
  readonly tenantDepthMax: number;
}

export interface QueueItem<Value> {
  readonly tenant: string;
  readonly group: string;
  /** 0 is the most urgent level. */
  readonly level: number;
  readonly value: Value;
}

/** An item's place in the queue. */
export interface Ticket<Value> extends HeapEntry {
  readonly item: QueueItem<Value>;
  readonly order: number;
  /** `order` breaks ties: first come, first served. */
  readonly urgency: number;
}

/** Answers what an item must wait for, as a name for `unblock`; undefined: it may go. */
export type BlockerOf<Value> = (value: Value) => string | undefined;

class Group<Value> implements LaneGroup {
  readonly tenant: string;
  readonly name: string;
  heapIndex = -1;
  /** Under what it was set aside; undefined: it may go as far as is known. */
  blocker: string | undefined;
  readonly tickets = new IndexedHeap<Ticket<Value>>(
    (a, b) => a.urgency < b.urgency || (a.urgency === b.urgency && a.order < b.order),
  );

  constructor(tenant: string, name: string) {
    this.tenant = tenant;
    this.name = name;
  }

  urgency(): number {
    return this.tickets.first()?.urgency ?? Infinity;
  }
}

export class FairQueue<Value> {
  readonly #groups = new Map<string, Group<Value>>();
  readonly #ready = new FairLane<Group<Value>>();
  readonly #blocked = new Map<string, FairLane<Group<Value>>>();
  readonly #depths = new Map<string, number>();
  #order = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  sizeOf(tenant: string): number {
    return this.#depths.get(tenant) ?? 0;
  }

  hasGroup(group: string): boolean {
    return this.#groups.has(group);
  }

  /** Undefined: the queue is full, for this tenant or for all. */
  push(item: QueueItem<Value>, limits: QueueLimits, nowMs: number): Ticket<Value> | undefined {
    const depth = this.sizeOf(item.tenant);
    if (this.#size >= limits.depthMax || depth >= limits.tenantDepthMax) return undefined;
    const ticket: Ticket<Value> = {
      item,
      order: (this.#order += 1),
      urgency: nowMs + item.level * AGEING_MS,
      heapIndex: -1,
    };
    this.#size += 1;
    this.#depths.set(item.tenant, depth + 1);
    this.#add(ticket);
    return ticket;
  }

  /** The next item that nothing blocks, taken out; `blockerOf` is asked for the first item of each group. */
  take(blockerOf: BlockerOf<Value>): Value | undefined {
    for (let group = this.#ready.first(); group !== undefined; group = this.#ready.first()) {
      const ticket = group.tickets.first();
      if (ticket === undefined) return undefined;
      const blocker = blockerOf(ticket.item.value);
      if (blocker === undefined) {
        this.#ready.turn(group.tenant);
        this.remove(ticket);
        return ticket.item.value;
      }
      this.#move(group, blocker);
    }
    return undefined;
  }

  /** What was named by `blockerOf` is gone, for at most `groupsMax` groups, the fairest first. */
  unblock(blocker: string, groupsMax = Infinity): void {
    const lane = this.#blocked.get(blocker);
    if (lane === undefined) return;
    let moved = 0;
    for (let group = lane.first(); group !== undefined && moved < groupsMax; group = lane.first()) {
      lane.turn(group.tenant);
      this.#move(group, undefined);
      moved += 1;
    }
  }

  /** Looks at this group again, whatever it waits for. */
  wake(name: string): void {
    const group = this.#groups.get(name);
    if (group?.blocker !== undefined) this.#move(group, undefined);
  }

  unblockAll(): void {
    for (const blocker of [...this.#blocked.keys()]) this.unblock(blocker);
  }

  /** Takes an item out that was not taken yet; else does nothing. */
  remove(ticket: Ticket<Value>): void {
    const { tenant, group: name } = ticket.item;
    const group = this.#groups.get(name);
    if (group === undefined || ticket.heapIndex < 0) return;
    group.tickets.remove(ticket);
    this.#size -= 1;
    const depth = this.sizeOf(tenant) - 1;
    if (depth === 0) this.#depths.delete(tenant);
    else this.#depths.set(tenant, depth);
    if (group.tickets.size > 0) this.#laneOf(group).update(group);
    else this.#drop(group);
  }

  #add(ticket: Ticket<Value>): void {
    const { tenant, group: name } = ticket.item;
    const group = this.#groups.get(name);
    if (group !== undefined) {
      group.tickets.push(ticket);
      this.#laneOf(group).update(group);
      return;
    }
    const fresh = new Group<Value>(tenant, name);
    fresh.tickets.push(ticket);
    this.#groups.set(name, fresh);
    this.#ready.add(fresh);
  }

  #drop(group: Group<Value>): void {
    this.#leave(group);
    this.#groups.delete(group.name);
  }

  #move(group: Group<Value>, blocker: string | undefined): void {
    this.#leave(group);
    group.blocker = blocker;
    this.#laneOf(group).add(group);
  }

  #leave(group: Group<Value>): void {
    const lane = this.#laneOf(group);
    lane.remove(group);
    if (group.blocker !== undefined && lane.isEmpty) this.#blocked.delete(group.blocker);
  }

  #laneOf(group: Group<Value>): FairLane<Group<Value>> {
    if (group.blocker === undefined) return this.#ready;
    let lane = this.#blocked.get(group.blocker);
    if (lane === undefined) {
      lane = new FairLane<Group<Value>>();
      this.#blocked.set(group.blocker, lane);
    }
    return lane;
  }
}
