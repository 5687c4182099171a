import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeFrame, FRAME_BYTES_MAX, FrameReader } from './store-frames.ts';

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string(),
            fc.array(fc.integer()),
            fc.string({ minLength: 300, maxLength: 600 }),
          ),
        ),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (messages, cuts) => {
          const stream = Buffer.concat(messages.map((message) => encodeFrame(message)));
          const reader = new FrameReader();
          const received: unknown[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const length = cuts[i % cuts.length]!;
            received.push(...reader.read(stream.subarray(at, at + length)));
            at += length;
          }
          expect(received).toEqual(messages);
        },
      ),
    );
  });

  it('keep undefined, bytes and large numbers', () => {
    const message = {
      a: [undefined, null],
      b: new Uint8Array([1, 2]),
      c: 1_750_000_000_123,
      d: 0.5,
    };
    const [read] = new FrameReader().read(encodeFrame(message)) as Iterable<typeof message>;
    expect(read).toEqual({ ...message, b: Buffer.from([1, 2]) });
  });

  it('are refused when they are too long, before anything of them is kept', () => {
    expect(() => encodeFrame(new Uint8Array(FRAME_BYTES_MAX))).toThrow(RangeError);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(FRAME_BYTES_MAX + 1);
    expect(() => [...new FrameReader().read(header)]).toThrow(RangeError);
  });
});
