/**
 * JSON ⇄ google.protobuf.Value as bytes, and nothing else of protobuf: small enough for every worker thread. The meaning is
 * JSON.stringify's (undefined and functions vanish, NaN and Infinity become null, toJSON is honoured, a bigint is refused).
 */
import protobuf from 'protobufjs/minimal.js';
import { AppError } from '../core/errors.ts';

/** Deepest nesting of arrays and objects, both ways: decoders of other languages stop at 100 nested messages by default. */
export const VALUE_DEPTH_MAX = 100;

const NULL = 1;
const NUMBER = 2;
const STRING = 3;
const BOOL = 4;
const STRUCT = 5;
const LIST = 6;

const LENGTH_DELIMITED = 2;
const tag = (field: number, wireType: number): number => (field << 3) | wireType;

type Writer = protobuf.Writer;
type Reader = protobuf.Reader;

/** Throws INVALID_FIELD when the value is nested too deeply, circular (so nested too deeply), or holds a bigint. */
export function encodeValue(json: unknown): Uint8Array {
  const writer = protobuf.Writer.create();
  writeValue(writer, plain(json, ''), 0);
  return writer.finish();
}

/** Throws INVALID_FIELD when the bytes are no Value, nest too deeply or hold NaN or Infinity (forbidden by struct.proto). */
export function decodeValue(bytes: Uint8Array): unknown {
  return reading('google.protobuf.Value', () => {
    const reader = protobuf.Reader.create(bytes);
    return readValue(reader, reader.len, 0);
  });
}

/** Runs a decoder; what goes wrong in it is the sender's INVALID_FIELD. */
export function reading<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError(
      'INVALID_FIELD',
      `these bytes are no ${what}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

function plain(json: unknown, key: string): unknown {
  if (typeof json !== 'object' || json === null) return json;
  return 'toJSON' in json && typeof json.toJSON === 'function'
    ? (json as { toJSON(key: string): unknown }).toJSON(key)
    : json;
}

function writeValue(writer: Writer, json: unknown, depth: number): void {
  switch (typeof json) {
    case 'string':
      writer.uint32(tag(STRING, LENGTH_DELIMITED)).string(json);
      return;
    case 'number':
      // JSON has one zero: adding it takes the sign off.
      if (Number.isFinite(json)) writer.uint32(tag(NUMBER, 1)).double(json + 0);
      else writeNull(writer);
      return;
    case 'boolean':
      writer.uint32(tag(BOOL, 0)).bool(json);
      return;
    case 'bigint':
      throw new AppError('INVALID_FIELD', 'a bigint is no JSON value');
    case 'object':
      if (json !== null) {
        writeNested(writer, json, depth + 1);
        return;
      }
      break;
    case 'undefined':
    case 'function':
    case 'symbol':
      break;
  }
  writeNull(writer);
}

function writeNull(writer: Writer): void {
  writer.uint32(tag(NULL, 0)).int32(0);
}

function writeNested(writer: Writer, json: object, depth: number): void {
  if (depth > VALUE_DEPTH_MAX) throw tooDeep();
  if (Array.isArray(json)) {
    writer.uint32(tag(LIST, LENGTH_DELIMITED)).fork();
    for (let index = 0; index < json.length; index += 1) {
      writer.uint32(tag(1, LENGTH_DELIMITED)).fork();
      writeValue(writer, plain(json[index], String(index)), depth);
      writer.ldelim();
    }
  } else {
    writer.uint32(tag(STRUCT, LENGTH_DELIMITED)).fork();
    for (const [key, value] of Object.entries(json))
      writeField(writer, key, plain(value, key), depth);
  }
  writer.ldelim();
}

function writeField(writer: Writer, key: string, value: unknown, depth: number): void {
  if (value === undefined || typeof value === 'function' || typeof value === 'symbol') return;
  writer.uint32(tag(1, LENGTH_DELIMITED)).fork().uint32(tag(1, LENGTH_DELIMITED)).string(key);
  writer.uint32(tag(2, LENGTH_DELIMITED)).fork();
  writeValue(writer, value, depth);
  writer.ldelim().ldelim();
}

/** An empty Value is null: some encoders leave a default out. */
function readValue(reader: Reader, end: number, depth: number): unknown {
  let value: unknown = null;
  while (reader.pos < end) value = readKind(reader, reader.uint32(), value, depth);
  return ended(reader, end, value);
}

function readKind(reader: Reader, key: number, previous: unknown, depth: number): unknown {
  switch (key) {
    case tag(NULL, 0):
      reader.int32();
      return null;
    case tag(NUMBER, 1):
      return finite(reader.double());
    case tag(STRING, LENGTH_DELIMITED):
      return reader.string();
    case tag(BOOL, 0):
      return reader.bool();
    case tag(STRUCT, LENGTH_DELIMITED):
      return readStruct(reader, endOf(reader), depth + 1);
    case tag(LIST, LENGTH_DELIMITED):
      return readList(reader, endOf(reader), depth + 1);
    default:
      reader.skipType(key & 7);
      return previous;
  }
}

function finite(number: number): number {
  if (Number.isFinite(number)) return number;
  throw new AppError('INVALID_FIELD', `${number} is no JSON number`);
}

function readStruct(reader: Reader, end: number, depth: number): Record<string, unknown> {
  if (depth > VALUE_DEPTH_MAX) throw tooDeep();
  const struct: Record<string, unknown> = {};
  while (reader.pos < end) {
    const key = reader.uint32();
    if (key === tag(1, LENGTH_DELIMITED)) readField(reader, endOf(reader), struct, depth);
    else reader.skipType(key & 7);
  }
  return ended(reader, end, struct);
}

function readField(
  reader: Reader,
  end: number,
  struct: Record<string, unknown>,
  depth: number,
): void {
  let name = '';
  let value: unknown = null;
  while (reader.pos < end) {
    const key = reader.uint32();
    if (key === tag(1, LENGTH_DELIMITED)) name = reader.string();
    else if (key === tag(2, LENGTH_DELIMITED)) value = readValue(reader, endOf(reader), depth);
    else reader.skipType(key & 7);
  }
  ended(reader, end, undefined);
  // An assignment would set the prototype; JSON.parse makes a property of it, and so do we.
  if (name === '__proto__')
    Object.defineProperty(struct, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  else struct[name] = value;
}

function readList(reader: Reader, end: number, depth: number): unknown[] {
  if (depth > VALUE_DEPTH_MAX) throw tooDeep();
  const list: unknown[] = [];
  while (reader.pos < end) {
    const key = reader.uint32();
    if (key === tag(1, LENGTH_DELIMITED)) list.push(readValue(reader, endOf(reader), depth));
    else reader.skipType(key & 7);
  }
  return ended(reader, end, list);
}

/** Where the length-delimited field that starts here ends. */
export function endOf(reader: Reader): number {
  const end = reader.uint32() + reader.pos;
  if (end > reader.len)
    throw new RangeError(
      `a field of ${end - reader.pos} bytes where ${reader.len - reader.pos} are left`,
    );
  return end;
}

function ended<T>(reader: Reader, end: number, value: T): T {
  if (reader.pos !== end) throw new RangeError('a field reaches beyond its message');
  return value;
}

function tooDeep(): AppError {
  return new AppError('INVALID_FIELD', `JSON nested deeper than ${VALUE_DEPTH_MAX} levels`);
}
