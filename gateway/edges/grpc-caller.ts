/** Who is behind a gRPC call and how long it may take, from its metadata. */
import type { Metadata } from '@grpc/grpc-js';
import { AppError } from '../../core/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { statusOf } from '../../proto/status.ts';
import type { Access } from '../access/access.ts';
import type { Principal } from '../access/principal.ts';
import type { GrpcEdge } from './grpc-edge.ts';
import { invalid, RESERVED_METADATA_PREFIX } from '../request-fields.ts';

interface IncomingCall {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getDeadline(): Date | number;
}

export interface Caller {
  readonly principal: Principal;
  /** Infinity: the caller has no deadline. */
  readonly remainingMs: number;
  readonly traceparent: string | undefined;
}

/** Throws or rejects with what `authenticate` does, or INVALID_FIELD for metadata that is ours. */
export function callerOf(
  call: IncomingCall,
  access: Access,
  clock: Clock,
): Caller | Promise<Caller> {
  const values = call.metadata.getMap();
  for (const key in values)
    if (key.startsWith(RESERVED_METADATA_PREFIX))
      throw invalid(
        'metadata',
        `must have no keys that begin with ${RESERVED_METADATA_PREFIX}: they are reserved`,
      );
  const callerWith = (principal: Principal): Caller => ({
    principal,
    remainingMs: remainingMsOf(call.getDeadline(), clock),
    traceparent: textOf(values['traceparent']),
  });
  const principal = access.authenticate(textOf(values['authorization']));
  return principal instanceof Promise ? principal.then(callerWith) : callerWith(principal);
}

/** At once where the caller is known; who has left meanwhile is not served. `fail` gets what either threw. */
export function withCaller(
  call: IncomingCall,
  { access, clock }: Pick<GrpcEdge, 'access' | 'clock'>,
  serve: (caller: Caller) => void,
  fail: (thrown: unknown) => void,
): void {
  try {
    const caller = callerOf(call, access, clock);
    if (!(caller instanceof Promise)) {
      serve(caller);
      return;
    }
    caller
      .then((known) => {
        if (!call.cancelled) serve(known);
      })
      .catch(fail);
  } catch (error) {
    fail(error);
  }
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
