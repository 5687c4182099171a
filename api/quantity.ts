/** Amounts as the Kubernetes API writes them (resource.Quantity): their schema, and which of two is more. */
import { z } from 'zod';

/** Two digits of an exponent are more than there is of anything; all of them would be numbers that nobody can compute with. */
const QUANTITY = /^([0-9]+)(?:[.]([0-9]+))?(m|k|Ki|[MGTPE]i?|[eE][0-9]{1,2})?$/;
const TEXT_MAX = 32;

const NANO_DIGITS = 9;
/** More of a binary unit counts as this much: so does Kubernetes. */
const BINARY_MAX = 2n ** 63n - 1n;
const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = {
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY_UNITS = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

export type Quantity = string | number;

export const quantity = z
  .union(
    [
      z.int().min(0),
      z
        .string()
        .max(TEXT_MAX)
        .regex(QUANTITY, { error: 'must be a quantity such as 500m, 2 or 1Gi' }),
    ],
    { error: 'must be a quantity such as 500m, 2 or "0.5" (in quotes where it has a point)' },
  )
  .meta({ 'x-kubernetes-int-or-string': true });

/** Below 0: `a` is less than `b`; 0: they are the same, as 1 and 1000m are. Both as the schema takes them. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  const difference = nanosOf(a) - nanosOf(b);
  if (difference === 0n) return 0;
  return difference < 0n ? -1 : 1;
}

/** In billionths, rounded up: the least that Kubernetes tells apart. */
function nanosOf(amount: Quantity): bigint {
  const [, whole = '', fraction = '', unit = ''] = QUANTITY.exec(String(amount)) ?? [];
  const digits = BigInt(whole + fraction);
  const binary = BINARY_UNITS.indexOf(unit) + 1;
  if (binary === 0) return scaled(digits, exponentOf(unit) - fraction.length + NANO_DIGITS);
  const nanos = scaled(digits * 1_024n ** BigInt(binary), NANO_DIGITS - fraction.length);
  const most = scaled(BINARY_MAX, NANO_DIGITS);
  return nanos > most ? most : nanos;
}

function exponentOf(unit: string): number {
  return DECIMAL_EXPONENTS[unit] ?? Number(unit.slice(1));
}

function scaled(digits: bigint, exponent: number): bigint {
  if (exponent >= 0) return digits * 10n ** BigInt(exponent);
  const divisor = 10n ** BigInt(-exponent);
  return (digits + divisor - 1n) / divisor;
}
