import { describe, expect, it } from '@jest/globals';
import { compareQuantities, quantity, type Quantity } from './quantity.ts';

describe('an amount', () => {
  it.each<[unknown, boolean]>([
    [0, true],
    [2, true],
    ['0.5', true],
    ['100m', true],
    ['1k', true],
    ['1Ki', true],
    ['1.5Gi', true],
    ['2e3', true],
    ['2E3', true],
    ['1E', true],
    ['1Ei', true],
    [-1, false],
    [0.5, false],
    ['', false],
    ['-1', false],
    ['1ki', false],
    ['1mi', false],
    ['1 Gi', false],
    ['1GB', false],
    ['.5', false],
    ['1.', false],
    ['1e', false],
    ['1e100', false],
    ['1'.repeat(33), false],
  ])('%j: %s', (amount, isOne) => {
    expect(quantity.safeParse(amount).success).toBe(isOne);
  });

  /** What Quantity.Cmp of Kubernetes says of the same. */
  it.each<[Quantity, '<' | '=' | '>', Quantity]>([
    [1, '=', '1000m'],
    ['0.5', '=', '500m'],
    ['100m', '<', 1],
    [2, '>', '1999m'],
    ['1Gi', '>', '1G'],
    ['1024Mi', '=', '1Gi'],
    ['1.5Gi', '=', '1536Mi'],
    ['1k', '<', '1Ki'],
    ['2e3', '=', '2k'],
    ['1E3', '=', 1_000],
    ['1E', '=', '1e18'],
    ['1E', '<', '1Ei'],
    [1_073_741_824, '=', '1Gi'],
    ['0.0000000001', '=', '0.000000001'],
    ['0', '<', '0.0000000001'],
    ['10Ei', '=', '20Ei'],
    ['10E', '<', '20E'],
    ['9e99', '>', '1Ei'],
  ])('%j %s %j', (a, sign, b) => {
    expect(compareQuantities(a, b)).toBe({ '<': -1, '=': 0, '>': 1 }[sign]);
  });
});
