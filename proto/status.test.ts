/** Every reason of the table survives the way to a gRPC status and back. */
import { Metadata, status as grpcStatus } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import protobuf from 'protobufjs';
import { AppError, ERROR_TABLE, GRPC_CODES, type Reason } from '../core/errors.ts';
import { appErrorOf, DETAILS_KEY, MESSAGE_CHARS_MAX, statusOf } from './status.ts';

const fieldsOf = ({ reason, code, message, field, retryAfterMs, metadata }: AppError): object => ({
  reason,
  code,
  message,
  field,
  retryAfterMs,
  metadata,
});

describe('statusOf and appErrorOf', () => {
  it.each(Object.keys(ERROR_TABLE) as Reason[])(
    'carry %s with its code, field, retry time and metadata',
    (reason) => {
      const error = new AppError(reason, `about ${reason}`, {
        field: 'options.timeout_ms',
        retryAfterMs: 1250.5,
        metadata: { epoch: '7', address: 'unix:/x' },
      });
      const status = statusOf(error);
      expect(status.code).toBe(GRPC_CODES[ERROR_TABLE[reason].code]);
      expect(status.details).toBe(`about ${reason}`);
      expect(fieldsOf(appErrorOf(status))).toEqual(fieldsOf(error));
    },
  );

  it('leaves out what the error does not have', () => {
    const error = appErrorOf(statusOf(new AppError('PAUSED', 'paused')));
    expect(fieldsOf(error)).toEqual({
      reason: 'PAUSED',
      code: 'FAILED_PRECONDITION',
      message: 'paused',
      field: undefined,
      retryAfterMs: undefined,
      metadata: {},
    });
  });

  it("keeps an agent's own code", () => {
    expect(
      appErrorOf(statusOf(new AppError('AGENT_ERROR', 'no such page', { code: 'NOT_FOUND' }))).code,
    ).toBe('NOT_FOUND');
  });

  it('writes google.rpc messages that others can read', () => {
    const { root } = protobuf.parse(`syntax = "proto3"; package google.rpc;
      message Any { string type_url = 1; bytes value = 2; } message Duration { int64 seconds = 1; int32 nanos = 2; }
      message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
      message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
      message RetryInfo { Duration retry_delay = 1; }
      message BadRequest { message FieldViolation { string field = 1; string description = 2; } repeated FieldViolation field_violations = 1; }`);
    const read = (type: string, bytes: Uint8Array): { [key: string]: unknown } =>
      root
        .lookupType(`google.rpc.${type}`)
        .toObject(root.lookupType(`google.rpc.${type}`).decode(bytes), { longs: Number });
    const status = statusOf(
      new AppError('INVALID_FIELD', 'too long', {
        field: 'tenant',
        retryAfterMs: 61_500,
        metadata: { a: 'b' },
      }),
    );
    const message = read('Status', status.metadata.get(DETAILS_KEY)[0] as Buffer) as {
      code: number;
      details: { typeUrl: string; value: Uint8Array }[];
    };
    expect(message.code).toBe(grpcStatus.INVALID_ARGUMENT);
    const details = Object.fromEntries(
      message.details.map(({ typeUrl, value }) => [
        typeUrl,
        read(typeUrl.split('.').at(-1)!, value),
      ]),
    );
    expect(details).toEqual({
      'type.googleapis.com/google.rpc.ErrorInfo': {
        reason: 'INVALID_FIELD',
        domain: 'agentpool.dev',
        metadata: { a: 'b' },
      },
      'type.googleapis.com/google.rpc.RetryInfo': {
        retryDelay: { seconds: 61, nanos: 500_000_000 },
      },
      'type.googleapis.com/google.rpc.BadRequest': {
        fieldViolations: [{ field: 'tenant', description: 'too long' }],
      },
    });
  });

  it('stays below the size of trailers that peers accept', () => {
    const status = statusOf(
      new AppError('AGENT_ERROR', 'x'.repeat(100_000), {
        field: 'f'.repeat(100_000),
        metadata: { a: 'y'.repeat(100_000), b: 'z' },
      }),
    );
    expect(status.details).toHaveLength(MESSAGE_CHARS_MAX);
    expect((status.metadata.get(DETAILS_KEY)[0] as Buffer).length).toBeLessThan(6_000);
    expect(appErrorOf(status).reason).toBe('AGENT_ERROR');
  });

  it.each([
    [grpcStatus.UNAVAILABLE, 'OWNER_UNREACHABLE'],
    [grpcStatus.DEADLINE_EXCEEDED, 'DEADLINE'],
    [grpcStatus.CANCELLED, 'CANCELLED'],
    [grpcStatus.UNAUTHENTICATED, 'TOKEN_INVALID'],
    [grpcStatus.DATA_LOSS, 'INTERNAL'],
    [99, 'INTERNAL'],
  ])('gives code %d of a peer that is not ours the reason %s', (code, reason) => {
    expect(appErrorOf({ code, details: 'theirs', metadata: new Metadata() }).reason).toBe(reason);
  });

  it('does not trust the details', () => {
    const metadata = new Metadata();
    metadata.set(DETAILS_KEY, Buffer.from([0xff, 0xff, 0xff]));
    expect(appErrorOf({ code: grpcStatus.NOT_FOUND, details: 'gone', metadata })).toMatchObject({
      reason: 'INTERNAL',
      code: 'NOT_FOUND',
      message: 'gone',
    });
  });
});
