/** Frames (frames.ts) ⇄ messages of agentpool.internal.v1. Field names agree, so a frame is sent as it is; only what is read is put in order. */
import { isGrpcCode, isReason } from '../../core/errors.ts';
import type { Tier } from '../../core/tier.ts';
import type {
  FromRuntime as FromRuntimeMessage,
  Init,
  ResultHeader as ResultHeaderMessage,
  TaskError,
  TaskHeader as TaskHeaderMessage,
  ToRuntime as ToRuntimeMessage,
} from '../../proto/generated/internal-messages.ts';
import type { PayloadArm } from '../store/store.ts';
import type {
  ChunkKind,
  ErrorFrame,
  FromRuntime,
  Priority,
  PrincipalFrame,
  ResultHeader,
  RuntimeCall,
  TaskHeader,
  ToRuntime,
} from './frames.ts';

type Frame<Union extends { readonly type: string }, Type extends Union['type']> = Extract<
  Union,
  { readonly type: Type }
>;
type Readers<Union extends { readonly type: string }, Message> = {
  readonly [Type in Union['type']]: (
    message: Type extends keyof Message ? NonNullable<Message[Type]> : never,
  ) => Frame<Union, Type>;
};

export function toRuntimeMessage(frame: ToRuntime): Init<ToRuntimeMessage> {
  if (frame.type === 'call')
    return { call: { call: frame.call, requestJson: JSON.stringify(frame.request) } };
  return { [frame.type]: frame };
}

export function fromRuntimeMessage(frame: FromRuntime): Init<FromRuntimeMessage> {
  if (frame.type !== 'reply') return { [frame.type]: frame };
  const { call, answer, error } = frame;
  return {
    reply: {
      call,
      ...(answer === undefined ? {} : { answerJson: JSON.stringify(answer) }),
      ...(error === undefined ? {} : { error }),
    },
  };
}

/** Undefined: a frame of a later protocol, which is passed over. */
export function toRuntimeFrame(message: ToRuntimeMessage): ToRuntime | undefined {
  const type = message.frame;
  return type === undefined ? undefined : TO_RUNTIME[type](message[type] as never);
}

export function fromRuntimeFrame(message: FromRuntimeMessage): FromRuntime | undefined {
  const type = message.frame;
  return type === undefined ? undefined : FROM_RUNTIME[type](message[type] as never);
}

// Fields that were not sent live on the prototype, so each is read by its name; absent optional ones are null there.
const TO_RUNTIME: Readers<ToRuntime, ToRuntimeMessage> = {
  hello: ({ gateway, protocolMin, protocolMax }) => ({
    type: 'hello',
    gateway,
    protocolMin,
    protocolMax,
  }),
  ping: ({ nonce, demand }) => ({ type: 'ping', nonce, demand }),
  task: ({ task, header, body, more }) => ({
    type: 'task',
    task,
    header: taskHeader(present(header)),
    body,
    more,
  }),
  input: ({ task, body, more }) => ({ type: 'input', task, body, more }),
  cancel: ({ task, reason }) => ({
    type: 'cancel',
    task,
    reason: reason as 'CANCELLED' | 'DEADLINE' | 'SLOW_CONSUMER',
  }),
  window: ({ task, bytes }) => ({ type: 'window', task, bytes }),
  call: ({ call, requestJson }) => ({
    type: 'call',
    call,
    request: JSON.parse(requestJson) as RuntimeCall,
  }),
};

const FROM_RUNTIME: Readers<FromRuntime, FromRuntimeMessage> = {
  welcome: ({ incarnation, revision, protocol }) => ({
    type: 'welcome',
    incarnation,
    revision,
    protocol,
  }),
  pong: ({ nonce }) => ({ type: 'pong', nonce }),
  grant: ({ tasks }) => ({ type: 'grant', tasks }),
  window: ({ task, bytes }) => ({ type: 'window', task, bytes }),
  parked: ({ task }) => ({ type: 'parked', task }),
  started: ({ task, conversationId, instanceId, agent, tier, wallMs }) => ({
    type: 'started',
    task,
    conversationId,
    instanceId,
    agent,
    tier: tier as Tier,
    wallMs,
  }),
  chunk: ({ task, arm, kind, body, more }) => ({
    type: 'chunk',
    task,
    arm: arm as PayloadArm,
    kind: kind as ChunkKind,
    body,
    more,
  }),
  result: ({ task, header, body, more }) => ({
    type: 'result',
    task,
    header: resultHeader(present(header)),
    body,
    more,
  }),
  output: ({ task, body, more }) => ({ type: 'output', task, body, more }),
  failed: ({ task, error }) => ({ type: 'failed', task, error: errorFrame(present(error)) }),
  elsewhere: ({ task, owner, epoch }) => ({
    type: 'elsewhere',
    task,
    epoch,
    ...(isThere(owner)
      ? { owner: { incarnation: owner.incarnation, address: owner.address, epoch: owner.epoch } }
      : {}),
  }),
  moved: ({ project, epoch, to }) => ({
    type: 'moved',
    project,
    epoch,
    ...(isThere(to) ? { to: { incarnation: to.incarnation, address: to.address } } : {}),
  }),
  reply: ({ call, answerJson, error }) => ({
    type: 'reply',
    call,
    answer: isThere(answerJson) ? (JSON.parse(answerJson) as unknown) : undefined,
    ...(isThere(error) ? { error: errorFrame(error) } : {}),
  }),
  draining: () => ({ type: 'draining' }),
};

function taskHeader(header: TaskHeaderMessage): TaskHeader {
  const { leaseId, takeover, traceparent, principal } = header;
  return {
    project: header.project,
    requestId: header.requestId,
    agent: header.agent,
    conversationId: header.conversationId,
    newConversation: header.newConversation,
    attempt: header.attempt,
    priority: header.priority as Priority,
    remainingMs: header.remainingMs,
    queueMs: header.queueMs,
    queuedMs: header.queuedMs,
    metadata: header.metadata,
    principal: {
      subject: principal?.subject ?? '',
      role: (principal?.role ?? 'caller') as PrincipalFrame['role'],
    },
    arm: header.arm as PayloadArm,
    digest: header.digest,
    stream: header.stream,
    onDisconnect: header.onDisconnect as TaskHeader['onDisconnect'],
    ...(isThere(leaseId) ? { leaseId } : {}),
    ...(isThere(takeover)
      ? {
          takeover: {
            incarnation: takeover.incarnation,
            epoch: takeover.epoch,
            refused: takeover.refused,
          },
        }
      : {}),
    ...(isThere(traceparent) ? { traceparent } : {}),
    ...(header.sentOn ? { sentOn: true as const } : {}),
  };
}

function resultHeader(header: ResultHeaderMessage): ResultHeader {
  const { conversationId, instanceId, agent, tier, arm, timings, replayed, hit } = header;
  const { queueMs, activateMs, runMs } = timings ?? { queueMs: 0, activateMs: 0, runMs: 0 };
  return {
    conversationId,
    instanceId,
    agent,
    tier: tier as Tier,
    arm: arm as PayloadArm,
    timings: { queueMs, activateMs, runMs },
    replayed,
    hit,
  };
}

function errorFrame(error: TaskError): ErrorFrame {
  const { reason, code, message, field, retryAfterMs, metadata } = error;
  return {
    // A newer peer's reason: its code still says what kind of error it is.
    reason: isReason(reason) ? reason : 'INTERNAL',
    code: isGrpcCode(code) ? code : 'INTERNAL',
    message,
    metadata,
    ...(isThere(field) ? { field } : {}),
    ...(isThere(retryAfterMs) ? { retryAfterMs } : {}),
  };
}

function isThere<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

function present<T>(value: T | null): T {
  if (value === null) throw new Error('a frame without its header');
  return value;
}
