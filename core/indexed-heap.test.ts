import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { IndexedHeap } from './indexed-heap.ts';

const entry = (order: number) => ({ order, heapIndex: -1 });

describe('IndexedHeap', () => {
  it('hands out its entries in order, whatever was taken out or moved before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer()),
        fc.array(fc.tuple(fc.nat(), fc.option(fc.integer()))),
        (orders, changes) => {
          const heap = new IndexedHeap<ReturnType<typeof entry>>((a, b) => a.order < b.order);
          const entries = orders.map(entry);
          for (const one of entries) heap.push(one);
          for (const [at, moveTo] of changes) {
            const one = entries[at % Math.max(1, entries.length)];
            if (one === undefined || one.heapIndex < 0) continue;
            if (moveTo === null) heap.remove(one);
            else {
              one.order = moveTo;
              heap.update(one);
            }
          }
          const left = entries.filter((one) => one.heapIndex >= 0).map((one) => one.order);
          const drained: number[] = [];
          for (let first = heap.first(); first !== undefined; first = heap.first()) {
            drained.push(first.order);
            heap.remove(first);
          }
          expect(drained).toEqual(left.sort((a, b) => a - b));
          expect(heap.size).toBe(0);
        },
      ),
    );
  });

  it('leaves alone what it does not hold', () => {
    const heap = new IndexedHeap<ReturnType<typeof entry>>((a, b) => a.order < b.order);
    const inside = entry(1);
    heap.push(inside);
    heap.remove(entry(0));
    heap.remove({ order: 1, heapIndex: 0 });
    expect(heap.first()).toBe(inside);
  });
});
