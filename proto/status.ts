/**
 * AppError ⇄ gRPC status with google.rpc details (ErrorInfo, RetryInfo, BadRequest) in `grpc-status-details-bin`: the one border where
 * our errors become gRPC's. Messages of google/rpc/{status,error_details}.proto are written by hand: three small ones.
 */
import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';
import {
  AppError,
  ERROR_DOMAIN,
  GRPC_CODES,
  isReason,
  type ErrorDetails,
  type GrpcCode,
  type Reason,
} from '../core/errors.ts';
import { endOf } from './value-codec.ts';

export const DETAILS_KEY = 'grpc-status-details-bin';
/** Status and details travel as HTTP/2 trailers, which peers limit to 8 or 16 KiB in all. */
export const MESSAGE_CHARS_MAX = 1024;
export const METADATA_CHARS_MAX = 2048;

const TYPE_PREFIX = 'type.googleapis.com/google.rpc.';
const FIELD_1 = 0x0a;
const FIELD_2 = 0x12;
const FIELD_3 = 0x1a;

/** For `callback(…)`, `call.emit('error', …)` and trailers. */
export function statusOf(error: AppError): StatusObject {
  const message = shortened(error.message, MESSAGE_CHARS_MAX);
  const metadata = new Metadata();
  metadata.set(DETAILS_KEY, Buffer.from(encodeDetails(error, message)));
  return { code: status[error.code], details: message, metadata };
}

/** An error as it came from grpc-js; one without our details gets the reason that fits its code best. */
export function appErrorOf(received: {
  readonly code: number;
  readonly details: string;
  readonly metadata?: Metadata;
}): AppError {
  const code = codeNamed(received.code);
  const bytes = received.metadata?.get(DETAILS_KEY)[0];
  const found = Buffer.isBuffer(bytes) ? decodeDetails(bytes) : {};
  const { reason = REASON_OF_CODE[code] ?? 'INTERNAL', ...details } = found;
  return new AppError(reason, received.details, { ...details, code });
}

function codeNamed(number: number): GrpcCode {
  const entry = Object.entries(GRPC_CODES).find(([, value]) => value === number);
  return (entry?.[0] ?? 'UNKNOWN') as GrpcCode;
}

/** What a foreign or transport-made status most likely means. */
const REASON_OF_CODE: Partial<Record<GrpcCode, Reason>> = {
  CANCELLED: 'CANCELLED',
  INVALID_ARGUMENT: 'INVALID_FIELD',
  DEADLINE_EXCEEDED: 'DEADLINE',
  PERMISSION_DENIED: 'FORBIDDEN',
  UNAUTHENTICATED: 'TOKEN_INVALID',
  UNIMPLEMENTED: 'UNIMPLEMENTED',
  UNAVAILABLE: 'OWNER_UNREACHABLE',
  RESOURCE_EXHAUSTED: 'PAYLOAD_TOO_LARGE',
};

function encodeDetails(error: AppError, message: string): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(0x08).int32(GRPC_CODES[error.code]).uint32(FIELD_2).string(message);
  writeAny(writer, 'ErrorInfo', errorInfo(error));
  const { retryAfterMs, field } = error;
  if (retryAfterMs !== undefined) writeAny(writer, 'RetryInfo', retryInfo(retryAfterMs));
  if (field !== undefined) writeAny(writer, 'BadRequest', badRequest(field, message));
  return writer.finish();
}

function writeAny(writer: protobuf.Writer, type: string, value: Uint8Array): void {
  writer
    .uint32(FIELD_3)
    .fork()
    .uint32(FIELD_1)
    .string(TYPE_PREFIX + type)
    .uint32(FIELD_2)
    .bytes(value)
    .ldelim();
}

function errorInfo(error: AppError): Uint8Array {
  const writer = protobuf.Writer.create()
    .uint32(FIELD_1)
    .string(error.reason)
    .uint32(FIELD_2)
    .string(ERROR_DOMAIN);
  let charsLeft = METADATA_CHARS_MAX;
  for (const [key, value] of Object.entries(error.metadata)) {
    charsLeft -= key.length + value.length;
    if (charsLeft < 0) break;
    writer
      .uint32(FIELD_3)
      .fork()
      .uint32(FIELD_1)
      .string(key)
      .uint32(FIELD_2)
      .string(value)
      .ldelim();
  }
  return writer.finish();
}

function retryInfo(retryAfterMs: number): Uint8Array {
  const seconds = Math.floor(retryAfterMs / 1000);
  const nanos = Math.round((retryAfterMs - seconds * 1000) * 1_000_000);
  return protobuf.Writer.create()
    .uint32(FIELD_1)
    .fork()
    .uint32(0x08)
    .int64(seconds)
    .uint32(0x10)
    .int32(nanos)
    .ldelim()
    .finish();
}

function badRequest(field: string, description: string): Uint8Array {
  return protobuf.Writer.create()
    .uint32(FIELD_1)
    .fork()
    .uint32(FIELD_1)
    .string(shortened(field, MESSAGE_CHARS_MAX))
    .uint32(FIELD_2)
    .string(description)
    .ldelim()
    .finish();
}

interface Found extends ErrorDetails {
  readonly reason?: Reason;
}

/** Nothing found in bytes that are no google.rpc.Status: the code and the message are enough then. */
function decodeDetails(bytes: Uint8Array): Found {
  try {
    const details = (fieldsOf(bytes).get(3) ?? []).map((any) => fieldsOf(bytesOf(any)));
    return Object.assign(
      {},
      ...details.map((any) => readDetail(textOf(any.get(1)), bytesOf(any.get(2)?.[0]))),
    ) as Found;
  } catch {
    return {};
  }
}

function readDetail(typeUrl: string, value: Uint8Array): Found {
  const fields = fieldsOf(value);
  const inner = (): Fields => fieldsOf(bytesOf(fields.get(1)?.[0]));
  switch (typeUrl) {
    case `${TYPE_PREFIX}ErrorInfo`:
      return readErrorInfo(fields);
    case `${TYPE_PREFIX}RetryInfo`:
      return {
        retryAfterMs: numberOf(inner().get(1)) * 1000 + numberOf(inner().get(2)) / 1_000_000,
      };
    case `${TYPE_PREFIX}BadRequest`:
      return { field: textOf(inner().get(1)) };
    default:
      return {};
  }
}

function readErrorInfo(fields: Fields): Found {
  const reason = textOf(fields.get(1));
  if (textOf(fields.get(2)) !== ERROR_DOMAIN || !isReason(reason)) return {};
  const entries = (fields.get(3) ?? []).map((entry) => fieldsOf(bytesOf(entry)));
  return {
    reason,
    metadata: Object.fromEntries(
      entries.map((entry) => [textOf(entry.get(1)), textOf(entry.get(2))]),
    ),
  };
}

type Fields = ReadonlyMap<number, readonly (Uint8Array | number)[]>;

/** A message as field number → values: varints as numbers, length-delimited ones as bytes, others left out. */
function fieldsOf(bytes: Uint8Array): Fields {
  const reader = protobuf.Reader.create(bytes);
  const fields = new Map<number, (Uint8Array | number)[]>();
  while (reader.pos < reader.len) {
    const key = reader.uint32();
    const wireType = key & 7;
    if (wireType === 0) push(fields, key >>> 3, Number(reader.int64()));
    else if (wireType === 2) push(fields, key >>> 3, sliceOf(reader));
    else reader.skipType(wireType);
  }
  return fields;
}

function sliceOf(reader: protobuf.Reader): Uint8Array {
  const end = endOf(reader);
  const slice = reader.buf.subarray(reader.pos, end);
  reader.pos = end;
  return slice;
}

function push(
  fields: Map<number, (Uint8Array | number)[]>,
  field: number,
  value: Uint8Array | number,
): void {
  const values = fields.get(field);
  if (values === undefined) fields.set(field, [value]);
  else values.push(value);
}

const decoder = new TextDecoder();

function bytesOf(value: Uint8Array | number | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array();
}

function textOf(values: readonly (Uint8Array | number)[] | undefined): string {
  return decoder.decode(bytesOf(values?.[0]));
}

function numberOf(values: readonly (Uint8Array | number)[] | undefined): number {
  const value = values?.[0];
  return typeof value === 'number' ? value : 0;
}

function shortened(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`;
}
