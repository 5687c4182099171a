/** Whether an object already says all that another one asks for: fields that only the object has are others', or defaults. Pure. */

export function isContained(wanted: unknown, actual: unknown): boolean {
  if (Array.isArray(wanted))
    return (
      Array.isArray(actual) &&
      actual.length === wanted.length &&
      wanted.every((item, index) => isContained(item, actual[index]))
    );
  if (typeof wanted !== 'object' || wanted === null) return wanted === actual;
  if (typeof actual !== 'object' || actual === null) return false;
  const fields = actual as Readonly<Record<string, unknown>>;
  return Object.entries(wanted).every(
    ([field, value]) => value === undefined || isContained(value, fields[field]),
  );
}
