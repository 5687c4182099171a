/** The one shape of unary methods that are no tasks: who calls, what the service says, as a message. */
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import type { Init } from '../../proto/generated/messages.ts';
import { AppError } from '../../core/errors.ts';
import type { Principal } from '../access/principal.ts';
import { callerOf, statusOfThrown } from './grpc-caller.ts';
import type { GrpcEdge } from './grpc-edge.ts';
import { CallPace } from './grpc-pace.ts';

export type Unary<Request, Response> = (
  call: ServerUnaryCall<Request, Init<Response>>,
  callback: sendUnaryData<Init<Response>>,
) => void;

/** Makes handlers of functions from principal and request to response. */
export function unaryOn({ access, clock, log }: GrpcEdge) {
  return <Request, Response>(
      answer: (principal: Principal, request: Request) => Promise<Init<Response>>,
    ): Unary<Request, Response> =>
    (call, callback) => {
      callService(async () => {
        const { principal } = await callerOf(call, access, clock);
        return answer(principal, call.request);
      }).then(
        (response) => {
          callback(null, response);
          new CallPace(call, clock).ends();
        },
        (thrown: unknown) => {
          if (!(thrown instanceof AppError))
            log.error('call failed inside the gateway', {
              err: thrown,
              detail: { method: call.getPath() },
            });
          callback(statusOfThrown(thrown));
        },
      );
    };
}

/** A throw becomes a rejection. */
function callService<Response>(answer: () => Promise<Response>): Promise<Response> {
  return new Promise((resolve) => {
    resolve(answer());
  });
}
