import { describe, expect, it } from '@jest/globals';
import { COMMIT_BYTES_MAX } from '../../platform/store/commit-limit.ts';
import { encodeFrame } from '../../platform/store/store-frames.ts';
import { commitTooLarge } from './staging-failures.ts';

const answerOf = (bytes: number) => ({
  payload: { arm: 'text' as const, body: Buffer.alloc(bytes) },
  json: '',
});

describe('what a task leaves in the store', () => {
  it.each([
    ['the answer alone', COMMIT_BYTES_MAX, []],
    ['turns and state with it', COMMIT_BYTES_MAX - 6, [{ json: '"é"' }, { json: '12' }, {}]],
  ])('fits by its bytes, and not by one more: %s', (_what, bytes, kept) => {
    expect(commitTooLarge(answerOf(bytes), kept)).toBeUndefined();
    expect(commitTooLarge(answerOf(bytes + 1), kept)).toMatchObject({
      type: 'error',
      reason: 'PAYLOAD_TOO_LARGE',
      message: expect.stringContaining(`at most ${COMMIT_BYTES_MAX} can be kept`),
    });
  });

  it('can be sent to the store when it fits', () => {
    const output = Buffer.alloc(COMMIT_BYTES_MAX);
    expect(encodeFrame([1, 'commit', [{ output }]]).length).toBeGreaterThan(COMMIT_BYTES_MAX);
  });
});
