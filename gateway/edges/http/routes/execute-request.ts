/** From a checked ExecuteRequest and its headers to a task; the input stays the text that it was. */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { Payload } from '../../../../platform/store/store.ts';
import type { TaskRequest } from '../../../task/call.ts';
import { optionalIdentifier } from '../messages/shared-fields.ts';
import type { executeRequest } from '../messages/execute.ts';
import { readTexts } from '../messages/read-message.ts';
import { invalidField } from '../wire/problem.ts';

const IDEMPOTENCY_KEY = 'idempotency-key';

export const EXECUTE_HEADERS = z.object({
  [IDEMPOTENCY_KEY]: optionalIdentifier('The same as request_id in the body.'),
  traceparent: z.string().meta({ description: 'W3C trace context.' }).optional(),
});

const keyHeader = z.object({ [IDEMPOTENCY_KEY]: EXECUTE_HEADERS.shape[IDEMPOTENCY_KEY] });
const TRACEPARENT = /^[0-9a-f]{2}(-[0-9a-f]+){3,}$/;
const TRACEPARENT_CHARACTERS_MAX = 128;
/** As a structured header string, like the draft standard has it. */
const QUOTED = /^"(.*)"$/;

export interface ExecuteParts {
  readonly body: z.output<typeof executeRequest>;
  /** The member as it stands in the body. */
  readonly inputText: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly newRequestId: () => string;
}

export function taskRequestOf({
  body,
  inputText,
  headers,
  newRequestId,
}: ExecuteParts): TaskRequest {
  const { options } = body;
  return {
    pool: body.pool,
    tenant: body.tenant,
    project: body.project,
    agent: body.agent,
    conversationId: body.conversation_id,
    requestId: requestIdOf(body.request_id, headers[IDEMPOTENCY_KEY]) || newRequestId(),
    priority: body.priority,
    maxWaitMs: options.max_wait_ms,
    timeoutMs: options.timeout_ms,
    retry: options.retry,
    onDisconnect: options.on_disconnect,
    metadata: body.metadata,
    input: inputOf(body.input, inputText),
    leaseId: body.lease_id,
    ...traceOf(headers['traceparent']),
  };
}

/** Both names of it mean the same, so they must say the same. */
function requestIdOf(inBody: string, header: string | string[] | undefined): string {
  if (header === undefined) return inBody;
  const text = String(header);
  const { [IDEMPOTENCY_KEY]: key } = readTexts(keyHeader, {
    [IDEMPOTENCY_KEY]: QUOTED.exec(text)?.[1] ?? text,
  });
  if (inBody === '' || inBody === key) return key;
  const detail = `is ${JSON.stringify(inBody)}, but the header Idempotency-Key is ${JSON.stringify(key)}; send one of them, or the same`;
  throw invalidField('request_id', detail);
}

/** Text for a string; else the JSON as it was written. */
function inputOf(value: unknown, text: string | undefined): Payload {
  if (text === undefined) throw invalidField('input', 'must be given');
  if (typeof value !== 'string') return { arm: 'json_utf8', body: Buffer.from(text) };
  if (!value.isWellFormed())
    throw invalidField('input', 'has half of a surrogate pair, which is no Unicode text');
  return { arm: 'text', body: Buffer.from(value) };
}

/** A broken one is as good as none (W3C Trace Context). */
function traceOf(header: string | string[] | undefined): { traceparent?: string } {
  if (typeof header !== 'string' || header.length > TRACEPARENT_CHARACTERS_MAX) return {};
  return TRACEPARENT.test(header) ? { traceparent: header } : {};
}
