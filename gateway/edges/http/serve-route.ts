/** Between fastify and a route: the request as a route sees it, and a route's answer on its way out. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../../core/errors.ts';
import type { Clock } from '../../../platform/clock.ts';
import type { Principal } from '../../access/principal.ts';
import type { HttpAnswer, HttpCall } from './routes/route.ts';
import { checkBodyHeaders, hasBody, readBody } from './wire/read-body.ts';
import { sendInTime } from './wire/send-in-time.ts';
import { SseWriter } from './wire/sse-writer.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The request_id of the task that this request runs, once it is known. */
    taskRequestId?: string;
  }
}

export interface CallParts {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Missing on open routes. */
  readonly principal: Principal | undefined;
  readonly clock: Clock;
  readonly bodyBytesMax: number;
}

export function openCall({ request, reply, principal, clock, bodyBytesMax }: CallParts): HttpCall {
  return {
    get principal() {
      if (principal === undefined) throw new AppError('INTERNAL', 'an open route asked who calls');
      return principal;
    },
    headers: request.headers,
    url: request.url,
    path: request.params as Readonly<Record<string, string>>,
    authority: request.host,
    readBody: async () => {
      if (!hasBody(request.raw)) return undefined;
      checkBodyHeaders(request.raw, bodyBytesMax);
      return readBody(request.raw, bodyBytesMax);
    },
    setRequestId: (requestId) => {
      request.taskRequestId = requestId;
    },
    onGone: (callback) => {
      onGone(reply, callback);
    },
    openEvents: () => openEvents(reply, clock),
  };
}

function onGone({ raw }: FastifyReply, callback: () => void): void {
  const left = (): void => {
    if (!raw.writableFinished) callback();
  };
  if (raw.destroyed) left();
  else raw.once('close', left);
}

function openEvents(reply: FastifyReply, clock: Clock): SseWriter {
  const headers = Object.fromEntries(
    Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]),
  );
  const onOpen = (): void => {
    reply.hijack();
  };
  return new SseWriter({ response: reply.raw, clock, headers, onOpen });
}

export function sendAnswer(reply: FastifyReply, answer: HttpAnswer, clock: Clock): FastifyReply {
  switch (answer.type) {
    case 'streamed':
      return reply;
    case 'empty':
      return reply.code(204).send();
    case 'json': {
      const text = JSON.stringify(answer.body);
      sendInTime(reply.raw, text.length, clock);
      return reply
        .code(answer.status)
        .headers(answer.headers ?? {})
        .header('content-type', 'application/json; charset=utf-8')
        .send(text);
    }
    case 'raw':
      sendInTime(reply.raw, answer.body.length, clock);
      return reply
        .code(answer.status)
        .headers(answer.headers ?? {})
        .header('content-type', answer.contentType)
        .send(answer.body);
  }
}
