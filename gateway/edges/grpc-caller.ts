/** Who is behind a gRPC call and how long it may take, from its metadata. */
import type { Metadata } from '@grpc/grpc-js';
import { AppError } from '../../core/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { statusOf } from '../../proto/status.ts';
import type { Access } from '../access/access.ts';
import type { Principal } from '../access/principal.ts';
import { invalid, RESERVED_METADATA_PREFIX } from '../request-fields.ts';

interface IncomingCall {
  readonly metadata: Metadata;
  getDeadline(): Date | number;
}

export interface Caller {
  readonly principal: Principal;
  /** Infinity: the caller has no deadline. */
  readonly remainingMs: number;
  readonly traceparent: string | undefined;
}

/** Throws TOKEN_INVALID, or INVALID_FIELD for metadata that is ours. */
export function callerOf(call: IncomingCall, access: Access, clock: Clock): Caller {
  const values = call.metadata.getMap();
  for (const key in values)
    if (key.startsWith(RESERVED_METADATA_PREFIX))
      throw invalid('metadata', `keys with ${RESERVED_METADATA_PREFIX} are reserved`);
  return {
    principal: access.authenticate(textOf(values['authorization'])),
    remainingMs: remainingMsOf(call.getDeadline(), clock),
    traceparent: textOf(values['traceparent']),
  };
}

/** For `callback(…)`, `emit('error', …)`. */
export function statusOfThrown(thrown: unknown): ReturnType<typeof statusOf> {
  return statusOf(AppError.from(thrown));
}

function textOf(value: string | Buffer | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function remainingMsOf(deadline: Date | number, clock: Clock): number {
  const atMs = typeof deadline === 'number' ? deadline : deadline.getTime();
  return atMs === Infinity ? Infinity : atMs - clock.wallMs();
}
