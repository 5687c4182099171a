/** JSON ⇄ google.protobuf.Value, judged by protobufjs' own Struct. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { AppError } from '../core/errors.ts';
import { decodeValue, encodeValue, VALUE_DEPTH_MAX } from './value-codec.ts';

const root = protobuf.Root.fromJSON(protobuf.common.get('google/protobuf/struct.proto')!);
const Value = root.lookupType('google.protobuf.Value');

/** JSON as protobufjs' plain Value, and back: the slow and obvious way. */
function toPlain(json: unknown): object {
  if (json === null) return { nullValue: 0 };
  if (typeof json === 'number') return { numberValue: json };
  if (typeof json === 'string') return { stringValue: json };
  if (typeof json === 'boolean') return { boolValue: json };
  if (Array.isArray(json)) return { listValue: { values: json.map(toPlain) } };
  return {
    structValue: {
      fields: Object.fromEntries(
        Object.entries(json as object).map(([key, value]) => [key, toPlain(value)]),
      ),
    },
  };
}

interface PlainValue {
  readonly kind?: string;
  readonly numberValue?: number;
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly listValue?: { readonly values: readonly PlainValue[] };
  readonly structValue?: { readonly fields: Readonly<Record<string, PlainValue>> };
}

function fromPlain(value: PlainValue): unknown {
  switch (value.kind) {
    case 'numberValue':
      return value.numberValue;
    case 'stringValue':
      return value.stringValue;
    case 'boolValue':
      return value.boolValue;
    case 'listValue':
      return value.listValue!.values.map(fromPlain);
    case 'structValue':
      return Object.fromEntries(
        Object.entries(value.structValue!.fields).map(([key, entry]) => [key, fromPlain(entry)]),
      );
    default:
      return null;
  }
}

// protobufjs cannot carry __proto__ as a key; that one has a test of its own.
const json = fc
  .jsonValue({ maxDepth: 6 })
  .filter((value) => !JSON.stringify(value).includes('__proto__'));
const nested = (depth: number): unknown =>
  Array.from({ length: depth }).reduce<unknown>((inner) => [inner], 1);
const bytes = (...numbers: number[]): Uint8Array => Uint8Array.from(numbers);
const reasonOf = (fn: () => unknown): string => {
  try {
    fn();
  } catch (error) {
    return error instanceof AppError
      ? `${error.reason}: ${error.message}`
      : `not ours: ${String(error)}`;
  }
  return 'nothing thrown';
};

describe('encodeValue', () => {
  it('is read by protobufjs as the same JSON', () => {
    fc.assert(
      fc.property(json, (value) => {
        const plain = Value.toObject(Value.decode(encodeValue(value)), {
          defaults: false,
          arrays: true,
          objects: true,
          oneofs: true,
        });
        expect(fromPlain(plain)).toEqual(value);
      }),
    );
  });

  it('is read back as what JSON.stringify would have sent', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(decodeValue(encodeValue(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { examples: [[[[-0]]]] },
    );
  });

  it.each([
    ['undefined at the top', undefined, null],
    ['NaN', NaN, null],
    ['an infinity in a list', [Infinity, -Infinity], [null, null]],
    [
      'undefined and functions in an object',
      { a: undefined, b: () => 1, c: Symbol('c'), d: 1 },
      { d: 1 },
    ],
    ['undefined and holes in a list', [undefined, , 1], [null, null, 1]],
    ['a date', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    ['minus zero', -0, 0],
    ['empty containers', { list: [], struct: {} }, { list: [], struct: {} }],
    ['an empty key', { '': 1 }, { '': 1 }],
    ['a character outside the basic plane', '𝒳🙂', '𝒳🙂'],
  ])('treats %s like JSON.stringify', (_name, given, read) => {
    expect(decodeValue(encodeValue(given))).toEqual(read);
  });

  it('refuses a bigint', () => {
    expect(reasonOf(() => encodeValue({ a: 1n }))).toContain('INVALID_FIELD: a bigint');
  });

  it('refuses a circle, as nested too deeply', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect(reasonOf(() => encodeValue(circle))).toContain('INVALID_FIELD: JSON nested deeper');
  });

  it(`takes ${VALUE_DEPTH_MAX} levels and not one more`, () => {
    expect(decodeValue(encodeValue(nested(VALUE_DEPTH_MAX)))).toEqual(nested(VALUE_DEPTH_MAX));
    expect(reasonOf(() => encodeValue(nested(VALUE_DEPTH_MAX + 1)))).toContain('INVALID_FIELD');
  });

  it('carries megabytes', () => {
    const big = {
      text: 'ä'.repeat(1_000_000),
      rows: Array.from({ length: 20_000 }, (_, id) => ({ id, tags: ['a', 'b'] })),
    };
    expect(decodeValue(encodeValue(big))).toEqual(big);
  });
});

describe('decodeValue', () => {
  it('reads what protobufjs writes', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(decodeValue(Value.encode(Value.fromObject(toPlain(value))).finish())).toEqual(value);
      }),
    );
  });

  it('makes a property of __proto__, not a prototype', () => {
    const value = decodeValue(encodeValue(JSON.parse('{"__proto__": {"polluted": true}}')));
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(JSON.stringify(value)).toBe('{"__proto__":{"polluted":true}}');
  });

  it('reads no bytes at all as null, and passes unknown fields over', () => {
    expect(decodeValue(bytes())).toBeNull();
    expect(decodeValue(bytes(0x50, 0x07, 0x20, 0x01))).toBe(true);
  });

  it.each([
    ['NaN', Value.encode({ numberValue: NaN }).finish()],
    ['infinity in a list', Value.encode(Value.fromObject(toPlain([Infinity]))).finish()],
    ['a length beyond the end', bytes(0x1a, 0x05, 0x61)],
    ['a huge length', bytes(0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f)],
    ['a cut-off number', bytes(0x11, 0, 0)],
    ['a tag alone', bytes(0x1a)],
    ['an inner length beyond its message', bytes(0x32, 0x03, 0x0a, 0x7f, 0x08)],
    ['an endless varint', bytes(...Array.from({ length: 20 }, () => 0xff))],
    ['too deep a nesting', deepBytes(VALUE_DEPTH_MAX + 1)],
  ])('says INVALID_FIELD to %s', (_name, given) => {
    expect(reasonOf(() => decodeValue(given))).toContain('INVALID_FIELD');
  });

  it('never throws anything but an AppError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (given) => {
        expect(reasonOf(() => decodeValue(given))).not.toContain('not ours');
      }),
    );
  });
});

/** Lists nested in Values, by hand: encodeValue refuses to. */
function deepBytes(depth: number): Uint8Array {
  let value: Uint8Array = bytes(0x08, 0x00);
  for (let level = 0; level < depth; level += 1) {
    const list = protobuf.Writer.create().uint32(0x0a).bytes(value).finish();
    value = protobuf.Writer.create().uint32(0x32).bytes(list).finish();
  }
  return value;
}
