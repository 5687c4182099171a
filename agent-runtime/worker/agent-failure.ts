/** What an agent threw, as the task's error: message and code for the caller, the stack for the log only. */
import { isGrpcCode } from '../../core/errors.ts';
import type { RunOutcome } from './protocol.ts';
import { StateTooLargeError } from './state-overlay.ts';

export type TaskFailure = Extract<RunOutcome, { type: 'error' }>;
/** Replaces places in the bundle by places in the author's files. */
export type MapStack = (stack: string) => string;

/** Error details travel in HTTP/2 headers, which clients bound at 8 KiB. */
export const ERROR_MESSAGE_LENGTH_MAX = 2_000;
const STACK_LENGTH_MAX = 8_000;
const CAUSES_MAX = 3;

export function describeThrown(
  thrown: unknown,
  mapStack: MapStack,
): { readonly message: string; readonly stack?: string } {
  const message = cut(messageOf(thrown), ERROR_MESSAGE_LENGTH_MAX);
  const stack = stackOf(thrown, mapStack);
  return stack === undefined ? { message } : { message, stack: cut(stack, STACK_LENGTH_MAX) };
}

export function agentFailure(thrown: unknown, mapStack: MapStack): TaskFailure {
  const failure = {
    type: 'error',
    reason: thrown instanceof StateTooLargeError ? 'PAYLOAD_TOO_LARGE' : 'AGENT_ERROR',
    ...describeThrown(thrown, mapStack),
  } as const;
  const code = safely(() => (isRecord(thrown) ? thrown['code'] : undefined));
  return typeof code === 'string' && isGrpcCode(code) && code !== 'OK'
    ? { ...failure, code }
    : failure;
}

function messageOf(thrown: unknown): string {
  const text = safely(() => (isRecord(thrown) && 'message' in thrown ? thrown['message'] : thrown));
  if (typeof text === 'string' && text !== '') return text;
  return isRecord(thrown) || text === ''
    ? 'the agent failed without a message'
    : `the agent threw ${String(text)}`;
}

function stackOf(thrown: unknown, mapStack: MapStack): string | undefined {
  const stacks: string[] = [];
  for (let error = thrown; isRecord(error) && stacks.length <= CAUSES_MAX;) {
    const current = error;
    const stack = safely(() => current['stack']);
    if (typeof stack === 'string') stacks.push(safely(() => mapStack(stack)) ?? stack);
    error = safely(() => current['cause']);
  }
  return stacks.length === 0 ? undefined : stacks.join('\ncaused by: ');
}

/** What was thrown can be anything, a proxy or getter that throws too. */
function safely<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`;
}
