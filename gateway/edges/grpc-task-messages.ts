/** Tasks between the public proto's messages and the gateway's own values. Payloads stay the bytes that they are. */
import type { AppError } from '../../core/errors.ts';
import { GRPC_CODES } from '../../core/errors.ts';
import type { Priority } from '../../platform/link/frames.ts';
import type { Payload, PayloadArm } from '../../platform/store/store.ts';
import type {
  ExecuteEvent,
  ExecuteRequest,
  ExecuteResponse,
  Init,
  Options,
  TaskError,
  Tier as TierName,
} from '../../proto/generated/messages.ts';
import { timestampOf } from '../../proto/timestamp.ts';
import type { Tier } from '../../core/tier.ts';
import { invalid } from '../request-fields.ts';
import type { TaskAnswer, TaskChunk, TaskRequest, TaskStart } from '../task/call.ts';

export const TIER_NAMES = {
  HOT: 'TIER_HOT',
  WARM: 'TIER_WARM',
  COLD: 'TIER_COLD',
} as const satisfies Record<Tier, TierName>;

const PRIORITIES: Partial<Record<string, Priority>> = {
  PRIORITY_UNSPECIFIED: 'NORMAL',
  PRIORITY_CRITICAL: 'CRITICAL',
  PRIORITY_HIGH: 'HIGH',
  PRIORITY_NORMAL: 'NORMAL',
  PRIORITY_LOW: 'LOW',
};
const RETRIES: Partial<Record<string, TaskRequest['retry']>> = {
  RETRY_UNSPECIFIED: 'SAFE',
  RETRY_SAFE: 'SAFE',
  RETRY_NEVER: 'NEVER',
};
const ON_DISCONNECTS: Partial<Record<string, TaskRequest['onDisconnect']>> = {
  ON_DISCONNECT_UNSPECIFIED: 'CANCEL',
  ON_DISCONNECT_CANCEL: 'CANCEL',
  ON_DISCONNECT_CONTINUE: 'CONTINUE',
};
const NO_OPTIONS: Options = {
  max_wait_ms: 0,
  timeout_ms: 0,
  retry: 'RETRY_UNSPECIFIED',
  on_disconnect: 'ON_DISCONNECT_UNSPECIFIED',
};

/** Throws INVALID_FIELD for enum values that this version does not know. */
export function taskRequestOf(
  message: ExecuteRequest,
  traceparent: string | undefined,
): TaskRequest {
  const options = message.options ?? NO_OPTIONS;
  return {
    pool: message.pool,
    tenant: message.tenant,
    project: message.project,
    agent: message.agent,
    conversationId: message.conversation_id,
    requestId: message.request_id,
    priority: known(PRIORITIES, message.priority, 'priority'),
    maxWaitMs: options.max_wait_ms,
    timeoutMs: options.timeout_ms,
    retry: known(RETRIES, options.retry, 'options.retry'),
    onDisconnect: known(ON_DISCONNECTS, options.on_disconnect, 'options.on_disconnect'),
    metadata: message.metadata,
    input: inputOf(message),
    leaseId: message.lease_id,
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

export function executeResponseOf({
  requestId,
  header,
  body,
  connectionReused,
}: TaskAnswer): Init<ExecuteResponse> {
  const { timings } = header;
  return {
    request_id: requestId,
    conversation_id: header.conversationId,
    instance_id: header.instanceId,
    agent: header.agent,
    tier: TIER_NAMES[header.tier],
    ...payloadFields(header.arm, body),
    timings: { queue_ms: timings.queueMs, activate_ms: timings.activateMs, run_ms: timings.runMs },
    connection_reused: connectionReused,
    replayed: header.replayed,
  };
}

export function startEventOf(start: TaskStart): Init<ExecuteEvent> {
  return {
    start: {
      conversation_id: start.conversationId,
      instance_id: start.instanceId,
      agent: start.agent,
      tier: TIER_NAMES[start.tier],
      time: timestampOf(start.wallMs),
    },
  };
}

export function chunkEventOf({ arm, body, kind }: TaskChunk): Init<ExecuteEvent> {
  return { chunk: { ...payloadFields(arm, body), kind: `CHUNK_KIND_${kind}` } };
}

export function taskErrorOf(error: AppError): Init<TaskError> {
  return {
    code: GRPC_CODES[error.code],
    message: error.message,
    reason: error.reason,
    retry_after_ms: Math.ceil(error.retryAfterMs ?? 0),
    metadata:
      error.field === undefined ? error.metadata : { ...error.metadata, field: error.field },
  };
}

function known<Value>(table: Partial<Record<string, Value>>, name: string, field: string): Value {
  const value = table[name];
  if (value === undefined) throw invalid(field, `must be one of ${Object.keys(table).join(', ')}`);
  return value;
}

function inputOf(message: ExecuteRequest): Payload | undefined {
  const arm = message.input;
  if (arm === undefined) return undefined;
  if (arm === 'text') return { arm, body: Buffer.from(message.text ?? '', 'utf8') };
  const body = message[arm];
  return body === undefined ? undefined : { arm, body };
}

/** The `oneof` of answers and chunks. */
function payloadFields(
  arm: PayloadArm,
  body: Uint8Array,
): { readonly text?: string } & { readonly [Arm in 'json' | 'json_utf8' | 'parts']?: Uint8Array } {
  return arm === 'text' ? { text: textOf(body) } : { [arm]: body };
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
}
