/** Execute and ExecuteStream over gRPC: one task per call; the stream passes chunks on as fast as its client takes them. */
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import type {
  ExecuteEvent,
  ExecuteRequest,
  ExecuteResponse,
  Init,
} from '../../proto/generated/messages.ts';
import { type Caller, statusOfThrown, withCaller } from './grpc-caller.ts';
import type { GrpcEdge } from './grpc-edge.ts';
import { EventStream, TaskEvents } from './grpc-events.ts';
import { CallPace } from './grpc-pace.ts';
import { executeResponseOf, taskRequestOf } from './grpc-task-messages.ts';

type UnaryHandler = (
  call: ServerUnaryCall<ExecuteRequest, Init<ExecuteResponse>>,
  callback: sendUnaryData<Init<ExecuteResponse>>,
) => void;

export function executeHandler({ access, clock, service }: GrpcEdge): UnaryHandler {
  return (call, callback) => {
    const fail = (error: unknown): void => callback(statusOfThrown(error));
    const serve = ({ principal, remainingMs, traceparent }: Caller): void => {
      const task = service.tasks.start({
        principal,
        remainingMs,
        request: taskRequestOf(call.request, traceparent),
      });
      call.once('cancelled', () => {
        task.leave();
      });
      task.answer.then((answer) => {
        callback(null, executeResponseOf(answer));
        new CallPace(call, clock).ends();
      }, fail);
    };
    withCaller(call, { access, clock }, serve, fail);
  };
}

export function executeStreamHandler({
  access,
  clock,
  service,
}: GrpcEdge): (call: ServerWritableStream<ExecuteRequest, Init<ExecuteEvent>>) => void {
  return (call) => {
    const fail = (error: unknown): void => void call.emit('error', statusOfThrown(error));
    const serve = ({ principal, remainingMs, traceparent }: Caller): void => {
      const stream = new EventStream(call, new CallPace(call, clock));
      const events = new TaskEvents(stream);
      const task = service.tasks.start({
        principal,
        remainingMs,
        request: taskRequestOf(call.request, traceparent),
        sink: events,
      });
      events.requestId = task.requestId;
      call.once('cancelled', () => {
        stream.gone();
        task.leave();
      });
      void task.answer
        .then((answer) => {
          events.result(answer);
          call.end();
        }, fail)
        .finally(() => {
          stream.end();
        });
    };
    withCaller(call, { access, clock }, serve, fail);
  };
}
