/** Connect over gRPC: many tasks on one stream, answers as they are ready, each task's error its own. Whatever waits, a cancel is heard. */
import type { Metadata, ServerDuplexStream } from '@grpc/grpc-js';
import { AppError } from '../../core/errors.ts';
import type {
  ConnectRequest,
  ExecuteEvent,
  ExecuteRequest,
  Init,
} from '../../proto/generated/messages.ts';
import { timestampOf } from '../../proto/timestamp.ts';
import type { Principal } from '../access/principal.ts';
import { authorize } from '../access/roles.ts';
import { invalid } from '../request-fields.ts';
import type { TaskHandle } from '../service/tasks.ts';
import { type Caller, statusOfThrown, withCaller } from './grpc-caller.ts';
import type { GrpcEdge } from './grpc-edge.ts';
import { EventStream, TaskEvents } from './grpc-events.ts';
import { CallPace } from './grpc-pace.ts';
import { taskRequestOf } from './grpc-task-messages.ts';

/** Tasks of one stream that have not ended. */
export const CONNECT_TASKS_MAX = 1_000;
/** Of answers that a client has not taken: with more, nothing further of it is read. */
const UNTAKEN_BYTES_MAX = 4 * 1024 * 1024;
const RETRY_AFTER_MS = 1_000;

type ConnectCall = ServerDuplexStream<ConnectRequest, Init<ExecuteEvent>>;

export interface ConnectStreams {
  readonly handler: (call: ConnectCall) => void;
  /** Tells every client that this gateway leaves; no stream takes new tasks from then on, each ends with its last task. */
  goAway(deadlineWallMs: number): void;
}

export function connectStreams(edge: GrpcEdge): ConnectStreams {
  const streams = new Set<ConnectStream>();
  return {
    handler: (call) => {
      const serve = (caller: Caller): void => {
        authorize(caller.principal, 'Connect');
        const stream = new ConnectStream(call, edge, caller);
        streams.add(stream);
        call.once('cancelled', () => {
          streams.delete(stream);
          stream.clientLeft();
        });
      };
      withCaller(call, edge, serve, (thrown) => void call.emit('error', statusOfThrown(thrown)));
    },
    goAway: (deadlineWallMs) => {
      for (const stream of streams) stream.goAway(deadlineWallMs);
    },
  };
}

class ConnectStream {
  readonly #call: ConnectCall;
  readonly #edge: GrpcEdge;
  readonly #events: EventStream;
  readonly #deadlineMs: number;
  readonly #traceparent: string | undefined;
  readonly #tasks = new Map<string, TaskHandle>();
  /** The stream ends with its last task: as the client sends no more, or as the gateway goes. */
  #closing: 'no' | 'client ended' | 'gateway goes' = 'no';
  /** Of the task that was read last, who sends it is being asked. */
  #isLookingUp = false;

  constructor(call: ConnectCall, edge: GrpcEdge, caller: Caller) {
    this.#call = call;
    this.#edge = edge;
    this.#events = new EventStream(call, new CallPace(call, edge.clock), () => {
      this.#readOn();
    });
    this.#deadlineMs = edge.clock.nowMs() + caller.remainingMs;
    this.#traceparent = caller.traceparent;
    call.on('data', (message: ConnectRequest) => {
      this.#receive(message);
    });
    call.on('end', () => {
      this.#close('client ended');
    });
  }

  clientLeft(): void {
    this.#events.gone();
    for (const task of this.#tasks.values()) task.leave();
  }

  goAway(deadlineWallMs: number): void {
    this.#events.send({ go_away: { deadline: timestampOf(deadlineWallMs) } }, 0);
    this.#close('gateway goes');
  }

  #receive(message: ConnectRequest): void {
    const { execute, cancel, answer } = message;
    if (execute) this.#execute(execute);
    else if (cancel) this.#tasks.get(cancel.request_id)?.cancel();
    else if (answer)
      this.#refuse(
        answer.ref?.request_id ?? '',
        new AppError(
          'UNIMPLEMENTED',
          'no task of this version waits for an answer: send execute or cancel',
        ),
      );
    else this.#refuse('', invalid('request', 'must be execute or cancel'));
    this.#readOn();
  }

  /** Asked again for each task, so that a token that was withdrawn ends here too. */
  #execute(message: ExecuteRequest): void {
    const refuse = (error: unknown): void => this.#refuse(message.request_id, AppError.from(error));
    try {
      this.#checkRoom();
      const principal = this.#edge.access.authenticate(authorizationOf(this.#call.metadata));
      if (principal instanceof Promise)
        void this.#afterLookup(
          principal.then((known) => this.#start(message, known)).catch(refuse),
        );
      else this.#start(message, principal);
    } catch (error) {
      refuse(error);
    }
  }

  #checkRoom(): void {
    if (this.#closing === 'gateway goes')
      throw new AppError('DRAINING', 'the gateway stops: open another stream', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    if (this.#tasks.size >= CONNECT_TASKS_MAX)
      throw new AppError(
        'QUEUE_FULL',
        `a stream has at most ${CONNECT_TASKS_MAX} tasks in flight: wait for answers, or open another one`,
        {
          retryAfterMs: RETRY_AFTER_MS,
        },
      );
  }

  /** Nothing more is read meanwhile, so that tasks start in the order in which they were sent. */
  async #afterLookup(lookup: Promise<void>): Promise<void> {
    this.#isLookingUp = true;
    this.#readOn();
    await lookup;
    this.#isLookingUp = false;
    this.#readOn();
    this.#endIfDone();
  }

  /** Reads what the client says next, or nothing more until it has taken what waits for it. */
  #readOn(): void {
    const isHeldUp = this.#isLookingUp || this.#events.waitingBytes > UNTAKEN_BYTES_MAX;
    if (isHeldUp === this.#call.isPaused()) return;
    if (isHeldUp) this.#call.pause();
    else this.#call.resume();
  }

  #start(message: ExecuteRequest, principal: Principal): void {
    const { request_id: requestId } = message;
    if (requestId === '')
      throw invalid('request_id', 'must be given on Connect: answers are matched by it');
    if (this.#tasks.has(requestId))
      throw new AppError(
        'REQUEST_ID_REUSED',
        'a task with this request_id is in flight on this stream: choose a new one, or wait for its end',
        { field: 'request_id' },
      );
    const { clock, service } = this.#edge;
    const events = new TaskEvents(this.#events);
    const task = service.tasks.start({
      principal,
      remainingMs: this.#deadlineMs - clock.nowMs(),
      request: taskRequestOf(message, this.#traceparent),
      sink: events,
    });
    events.requestId = requestId;
    this.#tasks.set(requestId, task);
    void this.#answer(requestId, task, events);
  }

  async #answer(requestId: string, task: TaskHandle, events: TaskEvents): Promise<void> {
    try {
      const answer = await task.answer;
      this.#tasks.delete(requestId);
      events.result(answer);
    } catch (error) {
      this.#tasks.delete(requestId);
      events.error(AppError.from(error));
    }
    this.#readOn();
    this.#endIfDone();
  }

  #refuse(requestId: string, error: AppError): void {
    const events = new TaskEvents(this.#events);
    events.requestId = requestId;
    events.error(error);
  }

  #close(why: 'client ended' | 'gateway goes'): void {
    this.#closing = why;
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#closing === 'no' || this.#tasks.size > 0 || this.#isLookingUp) return;
    this.#call.end();
    this.#events.end();
  }
}

function authorizationOf(metadata: Metadata): string | undefined {
  const [value] = metadata.get('authorization');
  return typeof value === 'string' ? value : undefined;
}
