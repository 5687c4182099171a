/** Values as JSON text, refused with the place of what JSON cannot carry; knows nothing of state or answers. */

/** Deeper is a mistake, or an attack on whoever parses it. */
export const JSON_DEPTH_MAX = 100;

/**
 * `exact`: what is read back equals what was written, so dates and other class instances are refused (state).
 * `loose`: `toJSON` is honoured, class instances become plain objects, undefined in a list null, as JSON.stringify does it
 * (answers, log fields). What would vanish or become `{}` without a word is refused all the same.
 */
export type JsonMode = 'exact' | 'loose';

/** The value is no JSON; `message` says what and where. */
export class NotJsonError extends TypeError {
  override readonly name = 'NotJsonError';
}

interface Walk {
  readonly mode: JsonMode;
  /** Objects from the root to here: meets itself, a cycle. */
  readonly above: Set<object>;
}

/** @param place what to call the value in the error: `state key "draft"`. Throws NotJsonError. */
export function toJsonText(value: unknown, place: string, mode: JsonMode): string {
  check(value, place, { mode, above: new Set() });
  // A toJSON may answer undefined, and so JSON.stringify would too.
  const text = JSON.stringify(value) as string | undefined;
  return text ?? refuse(place, 'undefined');
}

function check(value: unknown, place: string, walk: Walk): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return;
    case 'number':
      if (!Number.isFinite(value)) refuse(place, String(value));
      return;
    case 'object':
      if (value !== null) checkObject(value, place, walk);
      return;
    case 'bigint':
      return refuse(place, 'a BigInt');
    case 'undefined':
      return refuse(place, 'undefined');
    case 'function':
      return refuse(place, 'a function');
    case 'symbol':
      return refuse(place, 'a symbol');
  }
}

function checkObject(value: object, place: string, walk: Walk): void {
  if (walk.above.has(value)) throw new NotJsonError(`${place} refers to itself, so it is no JSON`);
  if (walk.above.size >= JSON_DEPTH_MAX)
    throw new NotJsonError(`${place} is nested more than ${JSON_DEPTH_MAX} levels deep`);
  walk.above.add(value);
  if (Array.isArray(value)) checkItems(value, place, walk);
  else if ('toJSON' in value && typeof value.toJSON === 'function') checkToJson(value, place, walk);
  else checkFields(value, place, walk);
  walk.above.delete(value);
}

function checkItems(items: readonly unknown[], place: string, walk: Walk): void {
  // By index, as for…of and forEach differ on holes.
  for (let index = 0; index < items.length; index += 1) {
    const item = items[index];
    if (item !== undefined || walk.mode === 'exact') check(item, `${place}[${index}]`, walk);
  }
}

function checkToJson(value: object & { toJSON?: unknown }, place: string, walk: Walk): void {
  if (walk.mode === 'exact') refuse(place, describe(value));
  const replaced = (value as { toJSON(): unknown }).toJSON();
  if (replaced !== value) check(replaced, place, walk);
}

function checkFields(value: object, place: string, walk: Walk): void {
  if (!isPlain(value) && (walk.mode === 'exact' || isCollection(value)))
    refuse(place, describe(value));
  for (const [key, field] of Object.entries(value)) {
    if (field !== undefined) check(field, `${place}.${key}`, walk);
  }
}

/** By the name of the constructor, as objects can come from another realm. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    prototype === null ||
    (typeof prototype === 'object' &&
      Object.getPrototypeOf(prototype) === null &&
      Object.hasOwn(prototype, 'hasOwnProperty'))
  );
}

/** What JSON.stringify would turn into `{}` or a list of numbers without a word. */
function isCollection(value: object): boolean {
  return (
    value instanceof Map ||
    value instanceof Set ||
    value instanceof WeakMap ||
    value instanceof WeakSet ||
    value instanceof Promise ||
    ArrayBuffer.isView(value) ||
    value instanceof ArrayBuffer
  );
}

function describe(value: object): string {
  if (value instanceof Promise) return 'a promise (is an await missing?)';
  if (value instanceof Date) return 'a Date (store value.toISOString() or value.getTime())';
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return `an object of class ${typeof name === 'string' && name !== '' ? name : 'without a name'} (store a plain object)`;
}

function refuse(place: string, what: string): never {
  throw new NotJsonError(`${place} is ${what}, which is no JSON`);
}
