/** `POST /api/v1/execute`: a task, answered at once as JSON or as it happens as server-sent events. */
import { z } from 'zod';
import type { Random } from '../../../../platform/random.ts';
import type { Clock } from '../../../../platform/clock.ts';
import type { Payload } from '../../../../platform/store/store.ts';
import type { Tasks } from '../../../service/tasks.ts';
import type { CallOptions, TaskRequest } from '../../../stages/call.ts';
import { optionalIdentifier } from '../messages/common.ts';
import {
  chunkEvent,
  errorEvent,
  executeRequest,
  executeResponse,
  resultEvent,
  startEvent,
} from '../messages/execute.ts';
import { readTexts } from '../messages/read-message.ts';
import { HttpError, invalidField } from '../wire/problem.ts';
import { responseJson } from './execute-response.ts';
import { defineRoute, type HttpAnswer, type HttpCall, type Route } from './route.ts';
import { TaskEvents } from './task-events.ts';

/** Open event streams of one gateway; each costs a socket and up to a window of 256 KiB. */
export const STREAMS_MAX = 10_000;
const STREAMS_RETRY_MS = 1_000;

export interface ExecuteRouteOptions {
  readonly tasks: Pick<Tasks, 'start'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly streamsMax?: number;
}

const HEADERS = z.object({
  'idempotency-key': optionalIdentifier('The same as request_id in the body.'),
  traceparent: z.string().meta({ description: 'W3C trace context.' }).optional(),
});
const TRACEPARENT = /^[0-9a-f]{2}(-[0-9a-f]+){3,}$/;
const TRACEPARENT_CHARACTERS_MAX = 128;

export function executeRoute(options: ExecuteRouteOptions): Route {
  const { tasks, clock, random, streamsMax = STREAMS_MAX } = options;
  let streams = 0;

  async function stream(call: HttpCall, start: CallOptions): Promise<HttpAnswer> {
    if (streams >= streamsMax)
      throw new HttpError('QUEUE_FULL', `this gateway has ${streamsMax} open event streams`, {
        retryAfterMs: STREAMS_RETRY_MS,
      });
    streams += 1;
    try {
      await new TaskEvents({
        writer: call.openEvents(),
        clock,
        requestId: start.request.requestId,
      }).run((sink) => {
        const handle = tasks.start({ ...start, sink });
        call.onGone(handle.leave);
        return handle.answer;
      });
      return { type: 'streamed' };
    } finally {
      streams -= 1;
    }
  }

  async function answer(call: HttpCall, start: CallOptions): Promise<HttpAnswer> {
    const handle = tasks.start(start);
    call.onGone(handle.leave);
    return {
      type: 'raw',
      status: 200,
      contentType: 'application/json; charset=utf-8',
      body: responseJson(await handle.answer),
    };
  }

  return defineRoute({
    method: 'POST',
    path: '/api/v1/execute',
    operationId: 'execute',
    tag: 'Tasks',
    summary: 'Run a task',
    description:
      'Answers when the task has ended. With `Accept: text/event-stream` the events come as they happen: start, chunk …, and result or error; what fails before the first event is a plain error. When the caller goes away the task is cancelled, unless options.on_disconnect says CONTINUE.',
    bodySchema: executeRequest,
    headers: HEADERS,
    answers: {
      200: {
        description: 'The result, or the events.',
        content: {
          'application/json': { schema: executeResponse },
          'text/event-stream': { schema: EVENTS, examples: [EXAMPLE_EVENTS] },
        },
      },
    },
    reasons: [
      ...([
        'PAYLOAD_TOO_LARGE',
        'UNKNOWN_POOL',
        'UNKNOWN_AGENT',
        'PAUSED',
        'LEASE_UNKNOWN',
        'REQUEST_ID_REUSED',
      ] as const),
      ...([
        'STATE_CONFLICT',
        'RATE_LIMITED',
        'QUEUE_FULL',
        'QUEUE_TIMEOUT',
        'MEMORY_LIMIT',
        'SLOW_CONSUMER',
      ] as const),
      ...([
        'CIRCUIT_OPEN',
        'RUNTIME_LOST',
        'OWNER_UNREACHABLE',
        'SUSPENDED',
        'DEADLINE',
        'CANCELLED',
      ] as const),
      ...(['AGENT_ERROR', 'AGENT_EXITED'] as const),
    ],
    async handle({ body, textOf }, call) {
      const input = inputOf(body.input, textOf('input'));
      const requestId =
        requestIdOf(body.request_id ?? '', call.headers['idempotency-key']) || random.id();
      call.setRequestId(requestId);
      const request = taskRequest(body, {
        requestId,
        input,
        traceparent: call.headers['traceparent'],
      });
      const start: CallOptions = { principal: call.principal, request, remainingMs: Infinity };
      return wantsEvents(call.headers.accept) ? stream(call, start) : answer(call, start);
    },
  });
}

const EVENTS = z
  .union([startEvent, chunkEvent, resultEvent, errorEvent])
  .meta({
    description:
      'The data of one event; its name is in the event field, its sequence in the id field.',
  });
const EXAMPLE_EVENTS =
  'event: chunk\nid: 2\ndata: {"request_id":"r-1","sequence":2,"text":"hel","kind":"TEXT"}\n\n';

/** Both names of it mean the same, so they must say the same. */
function requestIdOf(inBody: string, header: string | string[] | undefined): string {
  if (header === undefined) return inBody;
  const key =
    readTexts(HEADERS.pick({ 'idempotency-key': true }), { 'idempotency-key': String(header) })[
      'idempotency-key'
    ] ?? '';
  if (inBody !== '' && inBody !== key)
    throw invalidField(
      'request_id',
      `is ${JSON.stringify(inBody)}, but the header Idempotency-Key is ${JSON.stringify(key)}; send one of them, or the same`,
    );
  return key;
}

/** Text for a string; else the JSON as it was written. */
function inputOf(value: unknown, text: string | undefined): Payload | undefined {
  if (text === undefined) return undefined;
  if (typeof value !== 'string') return { arm: 'json_utf8', body: Buffer.from(text) };
  if (!value.isWellFormed())
    throw invalidField('input', 'has half of a surrogate pair, which is no Unicode text');
  return { arm: 'text', body: Buffer.from(value) };
}

type Given = Pick<TaskRequest, 'requestId' | 'input'> & {
  readonly traceparent: string | string[] | undefined;
};

function taskRequest(
  body: z.output<typeof executeRequest>,
  { requestId, input, traceparent }: Given,
): TaskRequest {
  const { options = {} } = body;
  return {
    pool: body.pool ?? '',
    tenant: body.tenant,
    project: body.project,
    agent: body.agent ?? '',
    conversationId: body.conversation_id ?? '',
    requestId,
    priority: body.priority ?? 'NORMAL',
    maxWaitMs: options.max_wait_ms ?? 0,
    timeoutMs: options.timeout_ms ?? 0,
    retry: options.retry ?? 'SAFE',
    onDisconnect: options.on_disconnect ?? 'CANCEL',
    metadata: body.metadata ?? {},
    input,
    leaseId: body.lease_id ?? '',
    ...(isTraceparent(traceparent) ? { traceparent } : {}),
  };
}

/** A broken one is as good as none (W3C Trace Context). */
function isTraceparent(header: string | string[] | undefined): header is string {
  return (
    typeof header === 'string' &&
    header.length <= TRACEPARENT_CHARACTERS_MAX &&
    TRACEPARENT.test(header)
  );
}

const SSE_RANGE = /(^|,) *text\/event-stream *(;(?! *q=0(\.0*)? *(,|$))[^,]*)?(,|$)/i;

function wantsEvents(accept: string | undefined): boolean {
  return accept !== undefined && SSE_RANGE.test(accept);
}
