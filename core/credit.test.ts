/** How a runtime's credit is shared out. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { splitCredit } from './credit.ts';

describe('splitCredit', () => {
  it.each([
    ['one link gets all', 100, [0], [100]],
    ['quiet links share evenly', 10, [0, 0], [5, 5]],
    ['what does not divide goes to the first', 10, [0, 0, 0], [4, 3, 3]],
    ['a crowded link leaves one to a quiet one', 10, [500, 0], [9, 1]],
    ['what nobody asked for is spread', 10, [3, 0], [6, 4]],
    ['too much demand is met in proportion', 12, [21, 11], [8, 4]],
    ['with too few credits the crowded links come first', 2, [1, 9, 5], [0, 1, 1]],
    ['no credit, no share', 0, [5, 5], [0, 0]],
    ['no link, no share', 10, [], []],
  ])('%s', (_name, total, demands, shares) => {
    expect(splitCredit(total, demands)).toEqual(shares);
  });

  it('gives out exactly what there is, one to each link while there are enough', () => {
    fc.assert(
      fc.property(
        fc.nat(300),
        fc.array(fc.nat(1000), { minLength: 1, maxLength: 20 }),
        (total, demands) => {
          const shares = splitCredit(total, demands);
          expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total);
          expect(Math.min(...shares)).toBeGreaterThanOrEqual(total >= demands.length ? 1 : 0);
          expect(shares.every(Number.isInteger)).toBe(true);
        },
      ),
    );
  });

  it('never gives a link with more demand less', () => {
    fc.assert(
      fc.property(
        fc.nat(300),
        fc.array(fc.nat(1000), { minLength: 2, maxLength: 10 }),
        (total, demands) => {
          const shares = splitCredit(total, demands);
          for (const [a, demandA] of demands.entries()) {
            for (const [b, demandB] of demands.entries())
              if (demandA > demandB) expect(shares[a]!).toBeGreaterThanOrEqual(shares[b]! - 1);
          }
        },
      ),
    );
  });
});
