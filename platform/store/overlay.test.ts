import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Entry, KeyRange, KeyValueReader } from './key-value.ts';
import { Overlay } from './overlay.ts';

function mapReader(map: ReadonlyMap<string, unknown>): KeyValueReader {
  return {
    get: (key) => map.get(key),
    range: ({ from, to, limit }: KeyRange): readonly Entry[] =>
      [...map]
        .filter(([key]) => key >= from && key < to)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .slice(0, limit)
        .map(([key, value]) => ({ key, value })),
  };
}

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const key = fc.constantFrom(...NAMES);
const write = fc.tuple(key, fc.option(fc.nat(99), { nil: undefined }));

describe('an overlay', () => {
  it('reads like one map with all writes applied, at any depth', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, fc.nat(99))),
        fc.array(fc.array(write), { maxLength: 3 }),
        fc.tuple(key, key, fc.option(fc.nat(5), { nil: undefined })),
        (stored, layers, [from, to, limit]) => {
          const base = new Map<string, unknown>(stored);
          const model = new Map(base);
          let top: KeyValueReader = mapReader(base);
          for (const writes of layers) {
            const overlay = new Overlay(top);
            for (const [name, value] of writes) {
              if (value === undefined) overlay.remove(name);
              else overlay.put(name, value);
              if (value === undefined) model.delete(name);
              else model.set(name, value);
            }
            top = overlay;
          }
          const range = { from, to, ...(limit === undefined ? {} : { limit }) };
          expect(top.range(range)).toEqual(mapReader(model).range(range));
          for (const name of NAMES) expect(top.get(name)).toBe(model.get(name));
        },
      ),
    );
  });

  it('undoes what a failed step wrote, and only that', () => {
    const overlay = new Overlay(
      mapReader(
        new Map<string, unknown>([
          ['a', 1],
          ['b', 2],
        ]),
      ),
    );
    overlay.put('c', 3);
    const failing = (): void =>
      overlay.attempt(() => {
        overlay.put('c', 4);
        overlay.put('c', 5);
        overlay.remove('a');
        overlay.put('d', 6);
        throw new Error('no');
      });
    expect(failing).toThrow('no');
    expect(['a', 'b', 'c', 'd'].map((name) => overlay.get(name))).toEqual([1, 2, 3, undefined]);
    expect(overlay.size).toBe(1);
  });
});
