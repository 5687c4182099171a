/** Every frame survives the wire, and what a later version sends is passed over. */
import { describe, expect, it } from '@jest/globals';
import { agentRuntimeService } from '../../proto/internal-service.ts';
import {
  fromRuntimeFrame,
  fromRuntimeMessage,
  toRuntimeFrame,
  toRuntimeMessage,
} from './frame-codec.ts';
import type { ErrorFrame, FromRuntime, ResultHeader, TaskHeader, ToRuntime } from './frames.ts';

const body = Buffer.from('body');
const header: TaskHeader = {
  project: 'default~pool~tenant~project',
  requestId: 'r',
  agent: 'guide',
  conversationId: 'c',
  newConversation: true,
  attempt: 2,
  priority: 'HIGH',
  remainingMs: 1500.25,
  queueMs: 10.5,
  queuedMs: 0.25,
  metadata: { a: 'b' },
  principal: { subject: 's', role: 'admin' },
  arm: 'json_utf8',
  digest: 'd',
  stream: true,
  onDisconnect: 'CONTINUE',
};
const resultHeader: ResultHeader = {
  conversationId: 'c',
  instanceId: 'i',
  agent: 'a',
  tier: 'COLD',
  arm: 'parts',
  timings: { queueMs: 0.5, activateMs: 3, runMs: 7 },
  replayed: true,
  hit: false,
};
const error: ErrorFrame = {
  reason: 'PAUSED',
  code: 'FAILED_PRECONDITION',
  message: 'm',
  metadata: {},
};

const toRuntime: ToRuntime[] = [
  { type: 'hello', gateway: 'g', protocolMin: 1, protocolMax: 3 },
  { type: 'ping', nonce: 7, demand: 0 },
  { type: 'task', task: 1, header, body, more: true },
  {
    type: 'task',
    task: 2,
    header: {
      ...header,
      leaseId: '',
      takeover: { incarnation: 'i', epoch: 0, refused: false },
      traceparent: '00-1',
      sentOn: true,
    },
    body,
    more: false,
  },
  { type: 'input', task: 1, body, more: false },
  { type: 'cancel', task: 1, reason: 'DEADLINE' },
  { type: 'window', task: 1, bytes: 65536 },
  { type: 'call', call: 3, request: { method: 'acquire', project: 'p', ttlMs: 5 } },
];
const fromRuntime: FromRuntime[] = [
  { type: 'welcome', incarnation: 'i', revision: 'r', protocol: 1 },
  { type: 'pong', nonce: 7 },
  { type: 'grant', tasks: 0 },
  { type: 'window', task: 1, bytes: 1 },
  { type: 'parked', task: 1 },
  {
    type: 'started',
    task: 1,
    conversationId: 'c',
    instanceId: 'i',
    agent: 'a',
    tier: 'HOT',
    wallMs: 1_750_000_000_000.5,
  },
  { type: 'chunk', task: 1, arm: 'json', kind: 'DATA', body, more: true },
  { type: 'result', task: 1, header: resultHeader, body, more: false },
  { type: 'output', task: 1, body, more: false },
  { type: 'failed', task: 1, error },
  {
    type: 'failed',
    task: 1,
    error: { ...error, field: '', retryAfterMs: 0, metadata: { epoch: '1' } },
  },
  { type: 'elsewhere', task: 1, epoch: 0 },
  {
    type: 'elsewhere',
    task: 1,
    epoch: 4,
    owner: { incarnation: 'i', address: 'unix:/x', epoch: 4 },
  },
  { type: 'moved', project: 'p', epoch: 5 },
  { type: 'moved', project: 'p', epoch: 5, to: { incarnation: 'i', address: 'unix:/x' } },
  { type: 'reply', call: 1, answer: { released: true } },
  { type: 'reply', call: 1, answer: null },
  { type: 'reply', call: 1, answer: undefined, error },
  { type: 'draining' },
];

describe('frames on the wire', () => {
  it.each(toRuntime.map((frame) => [frame.type, frame] as const))(
    '%s reaches the runtime as it was',
    (_type, frame) => {
      const bytes = agentRuntimeService.Data.requestSerialize({
        frames: [toRuntimeMessage(frame)],
      });
      const message = agentRuntimeService.Data.requestDeserialize(bytes);
      expect(message.frames?.map((each) => toRuntimeFrame(each as never))).toEqual([frame]);
    },
  );

  it.each(fromRuntime.map((frame) => [frame.type, frame] as const))(
    '%s reaches the gateway as it was',
    (_type, frame) => {
      const bytes = agentRuntimeService.Data.responseSerialize({
        frames: [fromRuntimeMessage(frame) as never],
      });
      expect(
        agentRuntimeService.Data.responseDeserialize(bytes).frames.map(fromRuntimeFrame),
      ).toEqual([frame]);
    },
  );

  it('passes over a frame of a later protocol', () => {
    const unknown = Buffer.from([0x0a, 0x04, 0xfa, 0x01, 0x01, 0x00]);
    expect(
      agentRuntimeService.Data.responseDeserialize(unknown).frames.map(fromRuntimeFrame),
    ).toEqual([undefined]);
  });

  it('reads a reason that it does not know as INTERNAL with the code that was sent', () => {
    const message = fromRuntimeMessage({
      type: 'failed',
      task: 1,
      error: { ...error, reason: 'NEWER' as never },
    });
    const bytes = agentRuntimeService.Data.responseSerialize({ frames: [message as never] });
    expect(
      agentRuntimeService.Data.responseDeserialize(bytes).frames.map(fromRuntimeFrame),
    ).toMatchObject([{ error: { reason: 'INTERNAL', code: 'FAILED_PRECONDITION' } }]);
  });

  it('refuses a task without a header', () => {
    const bytes = agentRuntimeService.Data.requestSerialize({ frames: [{ task: { task: 1 } }] });
    expect(() =>
      toRuntimeFrame(agentRuntimeService.Data.requestDeserialize(bytes).frames?.[0] as never),
    ).toThrow('without its header');
  });
});
