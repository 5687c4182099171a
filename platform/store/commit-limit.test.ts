import { expect, it } from '@jest/globals';
import { agentPoolSpecSchema } from '../../api/agent-pool.ts';
import { COMMIT_BYTES_MAX } from './commit-limit.ts';
import { LISTED_MAX } from './reads.ts';
import { FRAME_BYTES_MAX } from './store-frames.ts';

const MIB = 1024 * 1024;
/** Of the ids and digests of as many results as a project may have. */
const RESULT_IDS_BYTES_MAX = 100_000 * 320;

const accepts = (limits: object): boolean => agentPoolSpecSchema.safeParse({ limits }).success;

it.each([
  ['requestBytesMax', COMMIT_BYTES_MAX - 8 * MIB],
  ['answerBytesMax', COMMIT_BYTES_MAX - 8 * MIB],
  ['stateBytesMax', FRAME_BYTES_MAX - RESULT_IDS_BYTES_MAX],
  ['conversationWindowTurns', LISTED_MAX],
])('%s can be no more than the store carries', (field, carried) => {
  expect(accepts({ [field]: carried + 1 })).toBe(false);
  expect(accepts({ [field]: Math.floor(carried / 2) })).toBe(true);
});
