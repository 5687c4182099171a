/** Round robin between tenants, each with a heap of groups by the urgency of their first item: one lane of a FairQueue. */
import { IndexedHeap, type HeapEntry } from './indexed-heap.ts';

export interface LaneGroup extends HeapEntry {
  readonly tenant: string;
  /** Smaller goes first. */
  urgency(): number;
}

/**
 * Every item costs the same, so deficit round robin is plain round robin; a tenant that has nothing in the lane leaves
 * the ring and saves up no turn.
 */
export class FairLane<Group extends LaneGroup> {
  /** In turn: the first tenant is served next, then goes to the end. */
  readonly #tenants = new Map<string, IndexedHeap<Group>>();

  add(group: Group): void {
    let heap = this.#tenants.get(group.tenant);
    if (heap === undefined) {
      heap = new IndexedHeap<Group>((a, b) => a.urgency() < b.urgency());
      this.#tenants.set(group.tenant, heap);
    }
    heap.push(group);
  }

  remove(group: Group): void {
    const heap = this.#tenants.get(group.tenant);
    heap?.remove(group);
    if (heap?.size === 0) this.#tenants.delete(group.tenant);
  }

  /** After the group's first item changed. */
  update(group: Group): void {
    this.#tenants.get(group.tenant)?.update(group);
  }

  /** The most urgent group of the tenant whose turn it is; stays in the lane. */
  first(): Group | undefined {
    for (const heap of this.#tenants.values()) return heap.first();
    return undefined;
  }

  /** The tenant has had its turn. */
  turn(tenant: string): void {
    const heap = this.#tenants.get(tenant);
    if (heap === undefined) return;
    this.#tenants.delete(tenant);
    this.#tenants.set(tenant, heap);
  }

  get isEmpty(): boolean {
    return this.#tenants.size === 0;
  }
}
