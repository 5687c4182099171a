import { expect, it } from '@jest/globals';
import { readLogLevel } from './log-level.ts';

it.each([
  [undefined, undefined],
  [' ', undefined],
  ['debug', 'debug'],
  [' WARN ', 'warn'],
])('LOG_LEVEL %j is %j', (text, logLevel) => {
  expect(readLogLevel({ LOG_LEVEL: text })).toEqual({ ok: true, logLevel });
});

it('a word that is none is refused with those that are', () => {
  const read = readLogLevel({ LOG_LEVEL: 'loud' });
  expect(read).toEqual({
    ok: false,
    problem: 'LOG_LEVEL: must be one of debug, info, warn, error, silent, but is "loud"',
  });
});
