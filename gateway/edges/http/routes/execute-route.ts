/** `POST /api/v1/execute`: a task, answered at once as JSON or as it happens as server-sent events. */
import { z } from 'zod';
import type { Reason } from '../../../../core/errors.ts';
import type { Random } from '../../../../platform/random.ts';
import type { Tasks } from '../../../service/tasks.ts';
import type { CallOptions } from '../../../task/call.ts';
import {
  chunkEvent,
  errorEvent,
  executeRequest,
  executeResponse,
  resultEvent,
  startEvent,
} from '../messages/execute.ts';
import { HttpError } from '../wire/problem.ts';
import { EXECUTE_HEADERS, taskRequestOf } from './execute-request.ts';
import { responseJson } from './execute-response.ts';
import {
  type AnswerDoc,
  defineRoute,
  type HttpAnswer,
  type HttpCall,
  type Route,
} from './route.ts';
import { TaskEvents } from './task-events.ts';

/** Open event streams of one gateway; each costs a socket and up to a window of 256 KiB. */
export const STREAMS_MAX = 10_000;
const STREAMS_RETRY_MS = 1_000;

export interface ExecuteRouteOptions {
  readonly tasks: Pick<Tasks, 'start'>;
  readonly random: Random;
  readonly streamsMax?: number;
}

const REASONS: readonly Reason[] = [
  'PAYLOAD_TOO_LARGE',
  'UNKNOWN_POOL',
  'UNKNOWN_AGENT',
  'PAUSED',
  'LEASE_UNKNOWN',
  'REQUEST_ID_REUSED',
  'STATE_CONFLICT',
  'RATE_LIMITED',
  'QUEUE_FULL',
  'QUEUE_TIMEOUT',
  'MEMORY_LIMIT',
  'SLOW_CONSUMER',
  'CIRCUIT_OPEN',
  'RUNTIME_LOST',
  'OWNER_UNREACHABLE',
  'SECRETS_PENDING',
  'SUSPENDED',
  'DEADLINE',
  'CANCELLED',
  'AGENT_ERROR',
  'AGENT_EXITED',
];

const EVENTS = z.union([startEvent, chunkEvent, resultEvent, errorEvent]).meta({
  description:
    'The data of one event; its name is in the event field, its sequence in the id field.',
});
const EXAMPLE_EVENTS =
  'event: chunk\nid: 2\ndata: {"request_id":"r-1","sequence":2,"text":"hel","kind":"TEXT"}\n\n';

const ANSWER: AnswerDoc = {
  description: 'The result, or the events.',
  content: {
    'application/json': { schema: executeResponse },
    'text/event-stream': { schema: EVENTS, examples: [EXAMPLE_EVENTS] },
  },
};

export function executeRoute(options: ExecuteRouteOptions): Route {
  const answers = new TaskAnswers(options);
  return defineRoute({
    method: 'POST',
    path: '/api/v1/execute',
    operationId: 'execute',
    tag: 'Tasks',
    summary: 'Run a task',
    description:
      'Answers when the task has ended. With `Accept: text/event-stream` the events come as they happen: start, chunk …, and result or error; what fails before the first event is a plain error. When the caller goes away the task is cancelled, unless options.on_disconnect says CONTINUE.',
    bodySchema: executeRequest,
    headers: EXECUTE_HEADERS,
    answers: { 200: ANSWER },
    reasons: REASONS,
    async handle({ body, textOf }, call) {
      const newRequestId = (): string => options.random.id();
      const request = taskRequestOf({
        body,
        inputText: textOf('input'),
        headers: call.headers,
        newRequestId,
      });
      call.setRequestId(request.requestId);
      const start: CallOptions = { principal: call.principal, request, remainingMs: Infinity };
      return wantsEvents(call.headers.accept)
        ? answers.stream(call, start)
        : answers.once(call, start);
    },
  });
}

class TaskAnswers {
  readonly #options: ExecuteRouteOptions;
  #streams = 0;

  constructor(options: ExecuteRouteOptions) {
    this.#options = options;
  }

  async once(call: HttpCall, start: CallOptions): Promise<HttpAnswer> {
    const task = this.#options.tasks.start(start);
    call.onGone(() => {
      task.leave();
    });
    const body = responseJson(await task.answer);
    return { type: 'raw', status: 200, contentType: 'application/json; charset=utf-8', body };
  }

  async stream(call: HttpCall, start: CallOptions): Promise<HttpAnswer> {
    const { tasks, streamsMax = STREAMS_MAX } = this.#options;
    if (this.#streams >= streamsMax) throw tooManyStreams(streamsMax);
    this.#streams += 1;
    try {
      const events = new TaskEvents({
        writer: call.openEvents(),
        requestId: start.request.requestId,
      });
      await events.run((sink) => {
        const task = tasks.start({ ...start, sink });
        call.onGone(() => {
          task.leave();
        });
        return task.answer;
      });
      return { type: 'streamed' };
    } finally {
      this.#streams -= 1;
    }
  }
}

function tooManyStreams(streamsMax: number): HttpError {
  return new HttpError(
    'QUEUE_FULL',
    `this gateway has ${streamsMax} open event streams: try again later, or on another one`,
    {
      retryAfterMs: STREAMS_RETRY_MS,
    },
  );
}

const SSE_RANGE = /(^|,) *text\/event-stream *(;(?! *q=0(\.0*)? *(,|$))[^,]*)?(,|$)/i;

function wantsEvents(accept: string | undefined): boolean {
  return accept !== undefined && SSE_RANGE.test(accept);
}
