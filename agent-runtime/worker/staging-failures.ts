/** Why a task that came to its end cannot be staged, as its error; changes nothing. */
import { COMMIT_BYTES_MAX } from '../../platform/store/commit-limit.ts';
import type { StateWrite } from '../../platform/store/store.ts';
import type { TaskFailure } from './agent-failure.ts';
import type { Answer } from './payloads.ts';
import type { WorkerLimits } from './protocol.ts';
import type { SessionState } from './session-state.ts';

const KEYS_NAMED_MAX = 3;

export function answerTooLarge(
  { payload }: Answer,
  { answerBytesMax }: WorkerLimits,
): TaskFailure | undefined {
  const bytes = payload.body.length;
  if (bytes <= answerBytesMax) return undefined;
  const message = `the answer has ${bytes} bytes; at most ${answerBytesMax} are allowed (limits.answerBytesMax)`;
  return { type: 'error', reason: 'PAYLOAD_TOO_LARGE', message };
}

/** Escapes of JSON can make a text six times as long as the limits of inputs and answers say. */
export function commitTooLarge(
  { payload }: Answer,
  kept: readonly { readonly json?: string }[],
): TaskFailure | undefined {
  const bytes = kept.reduce(
    (sum, { json = '' }) => sum + Buffer.byteLength(json),
    payload.body.length,
  );
  if (bytes <= COMMIT_BYTES_MAX) return undefined;
  const message = `input, answer and state changes of this task would be ${bytes} bytes in the store; at most ${COMMIT_BYTES_MAX} can be kept`;
  return { type: 'error', reason: 'PAYLOAD_TOO_LARGE', message };
}

/** A state that is over a lowered limit may still shrink. */
export function stateTooLarge(
  state: SessionState,
  writes: readonly StateWrite[],
  { stateBytesMax }: WorkerLimits,
): TaskFailure | undefined {
  const bytes = state.bytesAfter(writes);
  if (bytes <= stateBytesMax || bytes <= state.bytes) return undefined;
  const message = `the project's state would have ${bytes} bytes; at most ${stateBytesMax} are allowed (limits.stateBytesMax); this task wrote ${namesOf(writes)}`;
  return { type: 'error', reason: 'PAYLOAD_TOO_LARGE', message };
}

export function conflictFailure(writes: readonly StateWrite[], streamed: boolean): TaskFailure {
  const why = streamed
    ? 'it had streamed already, so it could not run again'
    : 'again in its second run';
  const message = `another task changed what this one had read and written (${namesOf(writes)}); ${why}`;
  return { type: 'error', reason: 'STATE_CONFLICT', message };
}

function namesOf(writes: readonly StateWrite[]): string {
  const names = writes.slice(0, KEYS_NAMED_MAX).map((write) => `"${write.key}"`);
  return [...names, ...(writes.length > KEYS_NAMED_MAX ? ['…'] : [])].join(', ');
}
