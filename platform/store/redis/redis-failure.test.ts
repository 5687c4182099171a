/** What callers are told of what the client throws: whether a write may have been applied, and nothing about the client's own options. */
import { describe, expect, it } from '@jest/globals';
import { explain, toStoreError } from './redis-failure.ts';

describe('a failure of the client', () => {
  it.each([
    ['Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest"'],
    ['Command aborted due to connection close'],
    ['Connection is closed.'],
  ])('"%s" says that the connection was lost, and why', (text) => {
    const failure = (writes: boolean) =>
      toStoreError({ name: 'claim', writes }, new Error(text), 'read ECONNRESET');
    const message = 'claim: the connection to Redis was lost: read ECONNRESET';
    expect(failure(true)).toMatchObject({ message, outcome: 'unknown' });
    expect(failure(false)).toMatchObject({ message, outcome: 'not-applied' });
  });

  it.each([
    ['OOM command not allowed', 'not-applied', 'maxmemory'],
    ['BUSY Redis is busy running a script', 'not-applied', 'BUSY'],
    ["Stream isn't writeable and enableOfflineQueue options is false", 'not-applied', 'no conn'],
    ['ERR something of the script', 'unknown', 'ERR'],
  ] as const)('"%s" of a write is %s', (text, outcome, said) => {
    const failure = toStoreError({ name: 'commit', writes: true }, new Error(text), 'nothing');
    expect(failure).toMatchObject({ outcome, message: expect.stringContaining(said) });
  });

  it('for want of an answer names the time', () => {
    const text = "Socket timeout. Expecting data, but didn't receive any in 2000ms.";
    expect(explain(new Error(text))).toBe('no answer for 2000 ms');
  });
});
