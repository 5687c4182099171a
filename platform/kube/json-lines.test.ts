import { describe, expect, it } from '@jest/globals';
import { linesOf } from './json-lines.ts';

async function lines(chunks: readonly Buffer[]): Promise<readonly string[]> {
  async function* stream(): AsyncGenerator<Buffer> {
    yield* chunks;
  }
  const result: string[] = [];
  for await (const line of linesOf(stream())) result.push(line);
  return result;
}

describe('lines of a stream', () => {
  it('come out the same wherever the bytes are cut, also inside a character', async () => {
    const bytes = Buffer.from('{"a":"ü"}\n{"b":"日本"}\n\n{"c":1}\n');
    for (let cut = 0; cut <= bytes.length; cut++)
      expect(await lines([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual([
        '{"a":"ü"}',
        '{"b":"日本"}',
        '{"c":1}',
      ]);
  });

  it('leave out what has no end', async () => {
    expect(await lines([Buffer.from('{"a":1}\n{"b"')])).toEqual(['{"a":1}']);
  });
});
