/** Execute and ExecuteStream over gRPC: one task per call; the stream passes chunks on as fast as its client takes them. */
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import type {
  ExecuteEvent,
  ExecuteRequest,
  ExecuteResponse,
  Init,
} from '../../proto/generated/messages.ts';
import { callerOf, statusOfThrown } from './grpc-caller.ts';
import type { GrpcEdge } from './grpc-edge.ts';
import { EventStream, TaskEvents } from './grpc-events.ts';
import { executeResponseOf, taskRequestOf } from './grpc-task-messages.ts';

type UnaryHandler = (
  call: ServerUnaryCall<ExecuteRequest, Init<ExecuteResponse>>,
  callback: sendUnaryData<Init<ExecuteResponse>>,
) => void;

export function executeHandler({ access, clock, service }: GrpcEdge): UnaryHandler {
  return (call, callback) => {
    try {
      const { principal, remainingMs, traceparent } = callerOf(call, access, clock);
      const task = service.tasks.start({
        principal,
        remainingMs,
        request: taskRequestOf(call.request, traceparent),
      });
      call.once('cancelled', () => {
        task.leave();
      });
      task.answer.then(
        (answer) => {
          callback(null, executeResponseOf(answer));
        },
        (error: unknown) => {
          callback(statusOfThrown(error));
        },
      );
    } catch (error) {
      callback(statusOfThrown(error));
    }
  };
}

export function executeStreamHandler({
  access,
  clock,
  service,
}: GrpcEdge): (call: ServerWritableStream<ExecuteRequest, Init<ExecuteEvent>>) => void {
  return (call) => {
    try {
      const { principal, remainingMs, traceparent } = callerOf(call, access, clock);
      const stream = new EventStream(call);
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
      task.answer.then(
        (answer) => {
          events.result(answer);
          call.end();
        },
        (error: unknown) => {
          call.emit('error', statusOfThrown(error));
        },
      );
    } catch (error) {
      call.emit('error', statusOfThrown(error));
    }
  };
}
