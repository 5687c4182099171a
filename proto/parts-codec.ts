/** The contract's Parts (mixed text, JSON and files) ⇄ plain values as agents see them; does not look at what the files hold. */
import protobuf from 'protobufjs/minimal.js';
import { AppError } from '../core/errors.ts';
import { decodeValue, encodeValue, endOf, reading } from './value-codec.ts';

export interface BlobPart {
  readonly mime_type: string;
  readonly data?: Uint8Array;
  readonly uri?: string;
}

export type Part =
  { readonly text: string } | { readonly json: unknown } | { readonly blob: BlobPart };

export const PARTS_MAX = 10_000;

const TEXT = 0x0a;
const JSON_VALUE = 0x12;
const BLOB = 0x1a;
const PART = 0x0a;

/** Encodes agentpool.v1.Parts. */
export function encodeParts(parts: readonly Part[]): Uint8Array {
  if (parts.length > PARTS_MAX) throw tooMany();
  const writer = protobuf.Writer.create();
  for (const part of parts) {
    writer.uint32(PART).fork();
    if ('text' in part) writer.uint32(TEXT).string(part.text);
    else if ('json' in part) writer.uint32(JSON_VALUE).bytes(encodeValue(part.json));
    else writeBlob(writer, part.blob);
    writer.ldelim();
  }
  return writer.finish();
}

function writeBlob(writer: protobuf.Writer, blob: BlobPart): void {
  writer.uint32(BLOB).fork().uint32(TEXT).string(blob.mime_type);
  if (blob.data !== undefined) writer.uint32(JSON_VALUE).bytes(blob.data);
  else if (blob.uri !== undefined) writer.uint32(BLOB).string(blob.uri);
  writer.ldelim();
}

/** Throws INVALID_FIELD when the bytes are no Parts; a part without content is an empty text. */
export function decodeParts(bytes: Uint8Array): Part[] {
  return reading('agentpool.v1.Parts', () => {
    const reader = protobuf.Reader.create(bytes);
    const parts: Part[] = [];
    eachField(reader, reader.len, (key) => {
      if (key !== PART) return false;
      if (parts.length >= PARTS_MAX) throw tooMany();
      parts.push(readPart(reader, endOf(reader)));
      return true;
    });
    return parts;
  });
}

function readPart(reader: protobuf.Reader, end: number): Part {
  let part: Part = { text: '' };
  eachField(reader, end, (key) => {
    if (key === TEXT) part = { text: reader.string() };
    else if (key === JSON_VALUE) part = { json: decodeValue(reader.bytes()) };
    else if (key === BLOB) part = { blob: readBlob(reader, endOf(reader)) };
    else return false;
    return true;
  });
  return part;
}

function readBlob(reader: protobuf.Reader, end: number): BlobPart {
  let mimeType = '';
  let content: Omit<BlobPart, 'mime_type'> = {};
  eachField(reader, end, (key) => {
    if (key === TEXT) mimeType = reader.string();
    else if (key === JSON_VALUE) content = { data: reader.bytes() };
    else if (key === BLOB) content = { uri: reader.string() };
    else return false;
    return true;
  });
  return { mime_type: mimeType, ...content };
}

/** Hands every key to `read`; what it does not know is skipped. */
function eachField(reader: protobuf.Reader, end: number, read: (key: number) => boolean): void {
  while (reader.pos < end) {
    const key = reader.uint32();
    if (!read(key)) reader.skipType(key & 7);
  }
  if (reader.pos !== end) throw new RangeError('a field reaches beyond its message');
}

function tooMany(): AppError {
  return new AppError('INVALID_FIELD', `more than ${PARTS_MAX} parts`);
}
