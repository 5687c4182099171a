import { describe, expect, it } from '@jest/globals';
import { LINE_CHARACTERS_MAX, LineSplitter } from './line-splitter.ts';

function split(...pieces: readonly (string | Uint8Array)[]): readonly string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const piece of pieces) splitter.push(typeof piece === 'string' ? Buffer.from(piece) : piece);
  splitter.end();
  return lines;
}

const LONG = 'x'.repeat(LINE_CHARACTERS_MAX);

describe('lines of a stream', () => {
  it.each([
    ['whole lines', ['a\nb\n'], ['a', 'b']],
    ['a line in pieces', ['a', 'b', 'c\n'], ['abc']],
    ['a last line without an end', ['a\nb'], ['a', 'b']],
    ['an empty line', ['a\n\nb\n'], ['a', '', 'b']],
    ['nothing', [], []],
    [
      'a character cut in two',
      [Buffer.from('ü').subarray(0, 1), Buffer.from('ü\n').subarray(1)],
      ['ü'],
    ],
    ['a line that never ends comes in pieces', [LONG, LONG, 'y'], [LONG, LONG, 'y']],
    ['a long line at once comes in pieces', [`${LONG}y\nz\n`], [LONG, 'y', 'z']],
  ])('%s', (_title, pieces, lines) => {
    expect(split(...pieces)).toEqual(lines);
  });
});
