/** Parts, judged by the contract itself. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { messageIn } from './load.ts';
import { decodeParts, encodeParts, PARTS_MAX, type Part } from './parts-codec.ts';
import { encodeValue } from './value-codec.ts';

const Parts = messageIn('Parts');
const data = fc.uint8Array({ maxLength: 20 });
const part: fc.Arbitrary<Part> = fc.oneof(
  fc.record({ text: fc.string() }),
  fc
    .record({ json: fc.jsonValue() })
    .map(({ json }) => ({ json: JSON.parse(JSON.stringify(json)) as unknown })),
  fc.record({
    blob: fc.oneof(
      fc.record({ mime_type: fc.string(), data }),
      fc.record({ mime_type: fc.string(), uri: fc.string() }),
      fc.record({ mime_type: fc.string() }),
    ),
  }),
);
const plainBytes = (parts: readonly Part[]): Part[] =>
  parts.map((each) =>
    'blob' in each && each.blob.data !== undefined
      ? { blob: { ...each.blob, data: Uint8Array.from(each.blob.data) } }
      : each,
  );

describe('parts', () => {
  it('come back as they were sent', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        expect(plainBytes(decodeParts(encodeParts(parts)))).toEqual(parts);
      }),
    );
  });

  it('are the message of the contract', () => {
    const parts: Part[] = [
      { text: 'see' },
      { json: { a: 1 } },
      { blob: { mime_type: 'image/png', data: Uint8Array.of(1, 2) } },
      { blob: { mime_type: 'text/html', uri: 'https://example.com' } },
    ];
    const message = Parts.deserialize(Buffer.from(encodeParts(parts)));
    expect(message).toMatchObject({
      parts: [
        { text: 'see', part: 'text' },
        { part: 'json', json: Buffer.from(encodeValue({ a: 1 })) },
        { blob: { mime_type: 'image/png', data: Buffer.of(1, 2) } },
        { blob: { mime_type: 'text/html', uri: 'https://example.com' } },
      ],
    });
    expect(plainBytes(decodeParts(Parts.serialize(message)))).toEqual(parts);
  });

  it('are bounded in number both ways', () => {
    const many = Array.from({ length: PARTS_MAX + 1 }, () => ({ text: '' }));
    expect(() => encodeParts(many)).toThrow('more than');
    expect(() =>
      decodeParts(new Uint8Array(Array.from({ length: PARTS_MAX + 1 }, () => [0x0a, 0x00]).flat())),
    ).toThrow('more than');
  });

  it('refuse malformed bytes', () => {
    expect(() => decodeParts(Uint8Array.of(0x0a, 0x09, 0x0a))).toThrow(
      'these bytes are no agentpool.v1.Parts',
    );
  });
});
