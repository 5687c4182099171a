/** `spec.limits` and `spec.queue`: bounds of one task, and of what waits in a gateway. */
import { z } from 'zod';
import { BYTES_PER_KIB, BYTES_PER_MIB, SECONDS_PER_DAY, wholeNumber } from './whole-number.ts';

/** One commit carries the input, the answer and the changes of a task; one answer of the store the whole state, or a window of turns. */
const COMMITTED_BYTES_MAX = 48 * BYTES_PER_MIB;
const STATE_BYTES_MAX = 32 * BYTES_PER_MIB;
const WINDOW_TURNS_MAX = 1_000;

export const limits = z.strictObject({
  taskTimeoutSeconds: wholeNumber(
    { min: 1, max: SECONDS_PER_DAY },
    'Longest run of a task in seconds; a caller can ask for less, not for more. A runtime that is told to end waits so long for its tasks, in a cluster no longer than was said when its pod was made.',
  ).default(300),
  cancelGraceSeconds: wholeNumber(
    { min: 0, max: 300 },
    'Seconds that a cancelled task has to end by itself before its worker is ended.',
  ).default(5),
  drainSeconds: wholeNumber(
    { min: 0, max: 3_600 },
    'Seconds that a pause or delete of an instance waits for running tasks.',
  ).default(30),
  requestBytesMax: wholeNumber(
    { min: BYTES_PER_KIB, max: COMMITTED_BYTES_MAX },
    'Largest input of a task in bytes.',
  ).default(4 * BYTES_PER_MIB),
  answerBytesMax: wholeNumber(
    { min: BYTES_PER_KIB, max: COMMITTED_BYTES_MAX },
    'Largest answer of a task in bytes, all its chunks together.',
  ).default(16 * BYTES_PER_MIB),
  stateBytesMax: wholeNumber(
    { min: BYTES_PER_KIB, max: STATE_BYTES_MAX },
    'Largest state of a project in bytes.',
  ).default(BYTES_PER_MIB),
  conversationWindowTurns: wholeNumber(
    { min: 1, max: WINDOW_TURNS_MAX },
    'Newest turns of a conversation that an agent is given.',
  ).default(100),
});

export const queue = z.strictObject({
  depthMax: wholeNumber(
    { min: 1, max: 100_000 },
    'Tasks of the pool that wait in one gateway; more are refused with QUEUE_FULL.',
  ).default(1_000),
  waitMsMax: wholeNumber(
    { min: 0, max: 600_000 },
    'Longest wait of a task in milliseconds, then it ends with QUEUE_TIMEOUT.',
  ).default(30_000),
  parkedPerProjectMax: wholeNumber(
    { min: 1, max: 10_000 },
    'Tasks of one project that wait while it is activated or moved.',
  ).default(100),
});
