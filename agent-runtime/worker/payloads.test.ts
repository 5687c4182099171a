import { describe, expect, it } from '@jest/globals';
import type { PayloadArm } from '../../platform/store/store.ts';
import { readInput } from './payloads.ts';

const bytes = (...all: number[]): Uint8Array => Uint8Array.from(all);
const text = (json: string): Uint8Array => Buffer.from(json);

describe('an input that is not what its arm says', () => {
  it.each<[PayloadArm, string, Uint8Array, RegExp]>([
    ['json_utf8', 'half of it', text('{"a":'), /is no JSON/],
    ['json_utf8', 'nothing', text(''), /is no JSON/],
    ['json_utf8', 'bytes that are no UTF-8', bytes(0x22, 0xff, 0x22), /UTF-8/],
    ['json_utf8', 'nesting', text(`${'['.repeat(101)}${']'.repeat(101)}`), /100 levels/],
    ['json', 'no Value', bytes(0x0a, 0xff, 0xff), /google\.protobuf\.Value/],
    ['json', 'NaN', bytes(0x11, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f), /NaN/],
    ['parts', 'no Parts', bytes(0x0a, 0x7f), /Parts/],
  ])('%s: %s is INVALID_FIELD and names the field', (arm, _what, body, message) => {
    expect(() => readInput({ arm, body })).toThrow(
      expect.objectContaining({
        reason: 'INVALID_FIELD',
        field: 'input',
        message: expect.stringMatching(message),
      }),
    );
  });
});
