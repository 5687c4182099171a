import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { pickRendezvous } from './rendezvous.ts';

const self = (node: string): string => node;
const nodes = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `runtime-${index}`);
const keys = Array.from(
  { length: 5_000 },
  (_, index) => `default~assistants~tenant-${index % 20}~project-${index}`,
);

describe('pickRendezvous', () => {
  it('picks nothing from nothing', () => {
    expect(pickRendezvous('key', [], self)).toBeUndefined();
  });

  it('does not depend on the order of the nodes', () => {
    fc.assert(
      fc.property(fc.string(), fc.uniqueArray(fc.string(), { minLength: 1 }), (key, ids) => {
        expect(pickRendezvous(key, [...ids].reverse(), self)).toBe(pickRendezvous(key, ids, self));
      }),
    );
  });

  it.each([2, 3, 5, 8])('spreads keys evenly over %i nodes', (count) => {
    const share = new Map<string, number>();
    for (const key of keys) {
      const node = pickRendezvous(key, nodes(count), self)!;
      share.set(node, (share.get(node) ?? 0) + 1);
    }
    const fair = keys.length / count;
    for (const amount of share.values()) expect(Math.abs(amount - fair) / fair).toBeLessThan(0.15);
    expect(share.size).toBe(count);
  });

  it('moves only the keys of a lost node', () => {
    const before = nodes(5);
    const after = before.filter((node) => node !== 'runtime-2');
    for (const key of keys) {
      const old = pickRendezvous(key, before, self);
      if (old !== 'runtime-2') expect(pickRendezvous(key, after, self)).toBe(old);
    }
  });
});
